"""Faults on purpose: what is lost, run twice or left behind, counted from outside, beside planted bugs that show."""
