"""The verbs, a module each. They are imported when they run."""
