"""The wire protocol; shared by daemon and client."""
