"""The shims between the daemon and its agents, and their pool."""
