"""Checks of `orchctl doctor`: the machine, this instance, and orphan processes."""
