"""Words on the command line become a command."""
