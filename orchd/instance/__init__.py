"""What lies in the home of an instance, and how it is configured; shared by daemon and client."""
