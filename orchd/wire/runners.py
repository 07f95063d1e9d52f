"""Runners: what turns a prompt into a coding agent's own command, and its words into a report."""

from __future__ import annotations

MOCK = "mock"
BUILT_IN = (MOCK, "claude", "codex")
