"""Text and pictures for people, from the answers of the daemon."""
