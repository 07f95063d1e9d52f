"""What the daemon measures while agents run."""
