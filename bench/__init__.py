"""What the live side costs, measured against others on this machine: `make bench-live`. See README.md."""
