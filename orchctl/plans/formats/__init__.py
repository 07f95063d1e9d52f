"""A reader for each format of plans."""
