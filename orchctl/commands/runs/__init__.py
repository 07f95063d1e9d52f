"""Commands about compositions and their runs."""
