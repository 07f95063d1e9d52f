"""Git worktrees of agents: made, filled, checked, shown and removed."""
