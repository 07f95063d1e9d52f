"""Skills: found, installed, and the shipped ones."""
