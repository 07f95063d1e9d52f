"""What leaves the history, in slices."""
