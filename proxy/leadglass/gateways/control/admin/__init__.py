"""What administrators reach, over a unix socket that no door leads to."""
