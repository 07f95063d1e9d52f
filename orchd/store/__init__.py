"""The SQLite database of an instance."""
