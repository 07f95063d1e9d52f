"""Compositions and skills on the disk, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def composition(*sub_skills: Any, name: Any = "team", mode: Any = "hybrid", **fields: Any) -> dict[str, Any]:
    """Return the JSON value of a composition; a word is a sub-skill with only a skill and a role."""
    entries = [
        {"skillName": sub_skill, "role": f"does {sub_skill}"} if isinstance(sub_skill, str) else sub_skill
        for sub_skill in sub_skills
    ]
    return {"name": name, "executionMode": mode, "subSkills": entries, **fields}


def after(name: str, *dependencies: Any, **fields: Any) -> dict[str, Any]:
    """Return a sub-skill with dependencies."""
    return {"skillName": name, "role": f"does {name}", "dependencies": list(dependencies), **fields}


def written(path: Path, value: Any) -> Path:
    """Write this value and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path
