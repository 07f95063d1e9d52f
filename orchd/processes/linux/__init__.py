"""What Linux offers: /proc, cgroups, pidfds, sparse files."""
