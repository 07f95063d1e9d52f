"""Reads plans of other tools (spec-kit, Kiro, OpenSpec, Task Master) and plain lists into a common shape."""
