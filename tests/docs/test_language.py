"""Texts for people are in plain technical English: words and phrases that no manual uses do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.commands.registry import COMMANDS, GROUPS
from orchd.instance.config import KEYS

ROOT = Path(__file__).parents[2]
# Each with what to write in its place.
WORDS = {
    r"whoever|whomever|whosoever": "the agent, the caller, the client, the operator",
    r"somebody|someone|nobody|anybody|everybody": "the agent, the caller, the client, the operator; no agent",
    r"foret(?:ell|old)\w*": "estimate, plan",
    r"heed\w*": "read, apply, observe",
    r"mend(?:s|ed|ing)?": "fix, correct, repair",
    r"as (?:many|much|few|often|long) as may be": "as many as possible",
    r"(?:is|are|was|were|be|been) over": "has ended, has finished",
    r"turned away|turns? (?:it|an? \w+) away": "rate-limited, refused",
    r"afar": "remote",
    r"visitors?": "remote client",
    r"strays?": "orphan process",
    r"shortage|short of (?:space|room)": "disk pressure, low disk space",
    r"(?:goes|go|went|going|gone) on": "continues, keeps running",
    r"one that": "an agent that, a file that",
    r"those": "the noun",
    r"what there is|all there is": "show X, list X",
    r"by the word of": "as reported by",
    r"to blame": "that failed",
    r"lets? in|let in": "admit, grant access",
    r"take(?:s|n)? away": "remove",
    r"puts? out": "prints",
    r"the wire(?! protocol)": "the protocol, the socket",
    r"the box": "the host, the machine",
    r"at all times": "always",
    r"authoris\w+": "authorize, as the command is named",
}
BANNED = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): instead for pattern, instead in WORDS.items()}
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name != "decisions"),
    *sorted((ROOT / "orchctl/skills").rglob("*.md")),
]


def unplain(text: str) -> list[str]:
    """Return each banned phrase of a text, with its line and what to write instead."""
    return [
        f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}: write {instead}"
        for pattern, instead in BANNED.items()
        for match in pattern.finditer(text)
    ]


def prose(path: Path) -> str:
    """Return a document without code: names of tests and commands are what they are."""
    text = re.sub(r"^```.*?^```", lambda block: "\n" * block[0].count("\n"), path.read_text(), flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_use_plain_words(path: Path) -> None:
    assert unplain(prose(path)) == []


def test_help_uses_plain_words() -> None:
    texts = {f"group {name}": text for name, text in GROUPS.items()}
    for name, command in COMMANDS.items():
        texts[name] = command.help
        texts |= {f"{name} {argument.name}": argument.help for argument in command.arguments}
        texts |= {f"{name} {option.name}": option.help for option in command.options}
    assert {name: unplain(text) for name, text in texts.items() if unplain(text)} == {}


def test_descriptions_of_configuration_keys_use_plain_words() -> None:
    assert {key: unplain(told.about) for key, told in KEYS.items() if unplain(told.about)} == {}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and the texts of a module, with their lines; texts of one word are names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("package", ["orchd", "orchctl"])
def test_docstrings_outputs_and_errors_use_plain_words(package: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)}:{line}": unplain(text)
        for path in sorted((ROOT / package).rglob("*.py"))
        if "skills/skyfom" not in str(path)
        for line, text in texts(path)
        if unplain(text)
    }
    assert wrong == {}


def test_names_of_tests_use_plain_words() -> None:
    wrong = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE):
            words = name.replace("_", " ")
            if findings := unplain(words) + re.findall(r"\b(?:who|whom|told|said|heard)\b", words):
                wrong[f"{path.relative_to(ROOT)}::{name}"] = findings
    assert wrong == {}


def test_the_check_detects_the_listed_words() -> None:
    assert len(unplain("Whoever is over there heeds those that were turned away; it goes on.")) == 6
    assert unplain("The agent has ended.") == []
