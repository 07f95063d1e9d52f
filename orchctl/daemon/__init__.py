"""The daemon of this machine: whether it runs, how it is started, and its systemd unit."""
