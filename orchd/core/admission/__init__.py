"""Which agents may start: slots, blocks, the wait-for graph, and the reasons."""
