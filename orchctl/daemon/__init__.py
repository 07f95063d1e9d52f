"""The daemon of this machine: whether it runs, how it is started, its unit."""
