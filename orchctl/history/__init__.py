"""The history of agents: events, life cycles, reasons and output."""
