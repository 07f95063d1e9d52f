"""Files, locks and sockets as the operating system has them; shared by daemon and client."""
