"""What crosses the socket; shared by daemon and client."""
