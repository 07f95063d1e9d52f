"""What the daemon remembers, and the functions that change it."""
