"""What writes to a terminal."""
