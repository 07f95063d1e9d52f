"""The home of an instance and its configuration; shared by daemon and client."""
