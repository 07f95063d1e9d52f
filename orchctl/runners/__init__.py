"""Runners: the programs between an agent's shim and the CLI of a coding agent."""
