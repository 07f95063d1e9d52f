"""The project manager: takes ready work from a list, starts developers for it, and brings their results together."""
