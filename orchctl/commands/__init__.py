"""The commands, a module each. A module is imported when its command runs."""
