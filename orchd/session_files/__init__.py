"""The session files of a project: latest.yaml, agents.json, events.jsonl."""
