"""The state of the daemon, and the functions that change it."""
