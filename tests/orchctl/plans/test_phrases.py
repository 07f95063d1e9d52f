"""Phrases in texts that name dependencies and files."""

from __future__ import annotations

import pytest

from orchctl.plans.phrases import NUMBER, T_ID, Dependencies, files


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("_Depends: 1.1, 2.3_", ["1.1", "2.3"]),
        ("- **Dependencies:** Tasks 2.1, 3.1, 4 (all done)", ["2.1", "3.1", "4"]),
        ("depends on task 3.", ["3"]),
        ("depends on 3 services", []),
        ("depends on 2.4 GHz and 2.4GHz", []),
        ("depends on 1.2, 3 services", ["1.2"]),
        ("Dependencies: None", []),
        ("_Requirements: 1.1_", []),
        ("depends on other-spec/11.2", []),
        ("depends on 1.1-1.3", ["1.1", "1.2", "1.3"]),
        ("(after 1.2)", ["1.2"]),
        ("(after 1.2 or so)", []),
    ],
)
def test_numbers_are_ids_only_in_unambiguous_dependency_phrases(text: str, ids: list[str]) -> None:
    assert list(Dependencies(NUMBER, strict=True).of(text)) == ids


def test_paths_are_files_and_routes_packages_and_calls_are_not() -> None:
    text = "In `src/a.ts` and/or src/b/c.py, not `/login`, `@scope/name`, TCP/IP, `f()`, https://x.org/y.html; see "
    assert files(text + "docs/img/ `app/(tabs)/[id].tsx` `README.md` `src/a.ts`") == (
        "src/a.ts",
        "app/(tabs)/[id].tsx",
        "README.md",
        "src/b/c.py",
        "docs/img/",
    )


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "part", ["*", "_ ", "T001, ", "1.1 ", "a/", "[", "`", "depends on ", "(after ", "-", "\n", " to "]
)
def test_long_repetitive_text_is_scanned_quickly(part: str) -> None:
    text = f"depends on {part * 20_000}"
    for phrases in (Dependencies(T_ID, strict=False), Dependencies(NUMBER, strict=True)):
        list(phrases.of(text))
    files(text)
