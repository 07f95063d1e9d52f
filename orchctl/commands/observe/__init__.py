"""Commands that show or export what happens."""
