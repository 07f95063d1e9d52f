"""Commands about sessions, budgets and usage."""
