"""Git worktrees of agents: how they are made, filled, checked, listed and removed."""
