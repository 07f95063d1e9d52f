"""Interfaces of Linux: /proc, cgroups, pidfds, sparse files."""
