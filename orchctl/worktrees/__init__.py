"""Git worktrees of agents: how they are created, filled, checked, listed and removed."""
