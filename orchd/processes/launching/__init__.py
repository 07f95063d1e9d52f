"""Commands, environments and attributes with which attempts start."""
