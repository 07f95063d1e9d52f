"""How the process of an attempt is started."""
