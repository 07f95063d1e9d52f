"""Task files: work that was taken apart, one file each, and what came of it."""
