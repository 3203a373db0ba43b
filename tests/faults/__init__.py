"""What is promised of messages and live streams, held against every fault of what carries them."""
