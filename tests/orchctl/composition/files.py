"""Compositions and skills on the disk, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def composition(*sub_skills: Any, name: str = "team", mode: str = "hybrid", **known: Any) -> dict[str, Any]:
    """The JSON value of one; a word is a sub-skill that has nothing but a skill and a role."""
    made = [{"skillName": one, "role": f"does {one}"} if isinstance(one, str) else one for one in sub_skills]
    return {"name": name, "executionMode": mode, "subSkills": made, **known}


def after(name: str, *dependencies: str, **known: Any) -> dict[str, Any]:
    """A sub-skill with dependencies."""
    return {"skillName": name, "role": f"does {name}", "dependencies": list(dependencies), **known}


def written(path: Path, value: Any) -> Path:
    """The file with this value in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path
