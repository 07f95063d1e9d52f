"""Files, locks and sockets of the operating system; shared by daemon and client."""
