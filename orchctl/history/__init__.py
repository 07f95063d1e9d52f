"""What happened to agents: events, life cycles, reasons, output."""
