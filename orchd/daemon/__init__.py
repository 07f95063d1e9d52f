"""The running daemon: wiring, loop, engine."""
