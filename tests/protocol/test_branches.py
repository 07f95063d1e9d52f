"""The branch of an agent: git takes every one."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchd.protocol.branches import branch_of


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("api", "orchd/api"),
        ("bd-a3f8.1", "orchd/bd-a3f8.1"),
        ("Fix login", "orchd/Fix-login"),
        ("web/html", "orchd/web-html"),  # a branch `web` would leave no room for `web/html`
        ("a..b", "orchd/a.b"),
        ("x.lock", "orchd/x-lock"),
        (".hidden.", "orchd/hidden"),
        ("--force", "orchd/force"),
        ("a~b^c:d?e*f[g\\h", "orchd/a-b-c-d-e-f-g-h"),
        ("main@{1}", "orchd/main-1"),
        ("größe", "orchd/größe"),
        ("\udcff", "orchd/agent"),
        ("", "orchd/agent"),
        ("/", "orchd/agent"),
    ],
)
def test_a_name_becomes_a_branch(name: str, branch: str) -> None:
    assert branch_of(name) == branch


def test_branches_of_long_names_are_truncated_and_stay_distinct() -> None:
    first, other = branch_of("x" * 199 + "a"), branch_of("x" * 199 + "b")
    assert first != other
    assert max(len(first), len(other)) <= 120
    assert len(branch_of("é" * 200).encode()) <= 120


@settings(max_examples=150)
@given(st.text(st.characters(), max_size=200) | st.text("./-@{}lock ~", max_size=12))
def test_git_takes_the_branch_of_any_name(name: str) -> None:
    branch = branch_of(name)
    process = subprocess.run(["git", "check-ref-format", "--branch", branch], capture_output=True)
    assert process.returncode == 0, (name, branch)
    assert branch.count("/") == 1
