"""The life of a daemon: wiring, loop, engine."""
