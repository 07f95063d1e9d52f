"""Runners: the programs between an agent's shim and a coding agent's own CLI."""
