"""Skills: lookup, installation, and the shipped skills."""
