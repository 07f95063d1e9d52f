"""Commands that show or export events and metrics."""
