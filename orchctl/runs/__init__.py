"""From a composition to a run."""
