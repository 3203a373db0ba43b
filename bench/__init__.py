"""What Parley costs, measured against others on this machine: `make bench`. See README.md."""
