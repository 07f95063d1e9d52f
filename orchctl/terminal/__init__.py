"""Output to the terminal: lines, progress, and the full-screen `top`."""
