"""One function for each operation, and the table that has them all."""
