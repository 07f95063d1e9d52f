"""Functions of the operations, and the table of all operations."""
