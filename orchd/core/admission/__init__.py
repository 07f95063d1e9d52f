"""Admission: slots, start blocks, the wait-for graph, and explanations of why an agent does not start."""
