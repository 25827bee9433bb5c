"""What the process says about itself: logs without PHI, and metrics."""
