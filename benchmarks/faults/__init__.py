"""Planned faults: agents lost, run twice or left behind, counted from outside, beside planted bugs that must show."""
