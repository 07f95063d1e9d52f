"""Commands about task files, the project manager, skills and worktrees."""
