"""Views: agents, runs, sessions and events as plain maps."""
