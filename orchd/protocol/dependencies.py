"""Dependencies as requests, task files and command lines write them: an agent, or with a condition, `api:any`."""

from __future__ import annotations

COMPLETED, ANY, FAILED = "completed", "any", "failed"
CONDITIONS = (COMPLETED, FAILED, ANY)


def split(text: str) -> tuple[str, str | None]:
    """Return the agent and the condition of `api:any`.

    Without a colon the agent is empty and the condition None; with an unknown suffix the condition is None.
    """
    head, _, suffix = text.rpartition(":")
    return head, suffix if suffix in CONDITIONS and head else None


def unknown(text: str) -> str:
    """Return the message for a suffix that is not a condition."""
    head, _, suffix = text.rpartition(":")
    known = ", ".join(f"{head}:{condition}" for condition in CONDITIONS)
    return (
        f"`after` {text!r}: no agent has this id or name, and {suffix!r} is not a condition; use {known}, "
        f"or {head} alone, which means {COMPLETED}"
    )
