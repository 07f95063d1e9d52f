"""Batch files."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.errors import UsageError
from orchctl.spawn import batch
from orchctl.spawn.json_lines import ListingError

HERE = Path("/work/here")
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = ["command", "name", "goal", "timeout", "grace", "cwd", "env", "after", "priority", "retries", "nonsense"]


def read(path: Path, text: str | bytes) -> list[dict[str, object]]:
    """Read a file with `text` in it."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return batch.read(str(path), HERE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.jsonl"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batch") / "any.jsonl"


def test_json_lines_and_a_json_array_are_equivalent(file: Path) -> None:
    agents = [{"command": ["claude", "-p"], "name": "a"}, {"command": ["x"], "after": ["a"], "env": {"K": "V"}}]
    assert read(file, "\n\n".join(map(json.dumps, agents))) == agents
    assert read(file, "  " + json.dumps(agents, indent=2)) == agents


def test_durations_may_have_units_and_paths_are_relative_to_the_client(file: Path) -> None:
    (spec,) = read(file, '{"command": ["x"], "timeout": "15m", "grace": 3, "silence": "2h", "cwd": "sub"}')
    assert spec == {"command": ["x"], "timeout": 900.0, "grace": 3, "silence": 7200.0, "cwd": "/work/here/sub"}


def test_sizes_and_shares_may_have_units(file: Path) -> None:
    (spec,) = read(file, '{"command": ["x"], "memory_max": "2G", "cpu_max": "150%", "pids_max": 200}')
    assert spec == {"command": ["x"], "memory_max": 2 << 30, "cpu_max": 1.5, "pids_max": 200}
    (spec,) = read(file, '{"command": ["x"], "memory_max": 1048576, "cpu_max": 0.5}')
    assert spec == {"command": ["x"], "memory_max": 1 << 20, "cpu_max": 0.5}
    with pytest.raises(UsageError, match="memory_max: 'much' is not a valid size; use bytes or a unit"):
        read(file, '{"command": ["x"], "memory_max": "much"}')
    with pytest.raises(UsageError, match="memory_max must be at least 1M .1048576 bytes., not 2"):
        read(file, '{"command": ["x"], "memory_max": 2}')


def test_a_dash_is_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"command": ["x"]}\n')))
    assert batch.read("-", HERE) == [{"command": ["x"]}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"command": ["x"]}\n\n{"command": ["x"], "timeout": "soon"}',
            "line 3: timeout: 'soon' is not a valid duration",
        ),
        ('{"command": ["x"], "timeout": -1}', "line 1: timeout must be above 0, not -1"),
        ('{"command": ["x"], "priority": "high"}', "line 1: priority must be a whole number, not a string"),
        ('{"command": ["x"], "goall": "y"}', "line 1: goall is an unknown key; did you mean goal?"),
        ('{"name": "y"}', "line 1: nothing to run: set `command`"),
        ('{"command": "x"}', "line 1: command must be a list, not a string"),
        ('{"command": ["x"]}\n{"command": ', "line 2: invalid JSON at column 13"),
        ('{"command": ["x"]}\n["x"]', "line 2: must be an object"),
        ('[{"command": ["x"]}, {"command": [""]}]', "index 1: command must be"),
        ('[{"command": ["x"]}, 3]', "index 1: must be an object"),
        ('[\n{"command": ["x"]}\n{"command": ["x"]}]', "line 3: invalid JSON at column 1"),
        ('{"command": ["x"], "env": {"K": 1}}', "line 1: env must map strings to strings"),
        (b'{"command": ["x"]}\n\xff', "line 2: is not valid UTF-8"),
        ('{"command": ["\\ud800"]}', "line 1: '\\ud800' is not valid Unicode: it has an unpaired surrogate"),
        ('{"command": ["x"], "timeout": NaN}', "line 1: timeout must be a finite number"),
        ('{"command": ["x"], "timeout": ' + "9" * 400 + "}", "line 1: "),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_an_invalid_batch_is_refused_with_its_location_and_reason(file: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(file, text)
    assert caught.value.code == "bad-batch"
    assert str(file) in caught.value.message
    assert message in caught.value.message
    assert "nothing was spawned" in caught.value.message


def test_all_bad_lines_are_reported_at_once(file: Path) -> None:
    lines = ['{"command": ["x"], "zzz": 1, "timeout": "soon"}', '{"goall": "x", "priority": 200}', "{", '{"zzz": 2}']
    with pytest.raises(ListingError) as caught:
        read(file, "\n".join(lines))
    message = caught.value.message
    assert f"{file} line 1: timeout: 'soon' is not a valid duration; use seconds" in message
    assert "zzz is an unknown key; known keys are after, base" in message
    assert (
        "line 2: goall is an unknown key; did you mean goal?; priority must be between -100 and 100, not 200" in message
    )
    assert "line 3: invalid JSON at column 2" in message
    assert "line 4: zzz is an unknown key; correct them and try again: nothing was spawned" in message
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_a_file_without_agents_is_a_mistake(file: Path, text: str) -> None:
    with pytest.raises(UsageError, match="has no agents"):
        read(file, text)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.jsonl cannot be read: No such file or directory"):
        batch.read(str(tmp_path / "gone.jsonl"), HERE)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUE, max_size=4), min_size=1, max_size=3))
def test_any_json_is_read_as_agents_or_refused(scratch: Path, specs: list[dict[str, object]]) -> None:
    scratch.write_text("\n".join(map(json.dumps, specs)))
    try:
        count = len(batch.read(str(scratch), HERE))
    except UsageError as error:
        count = len(specs) if "nothing was spawned" in error.message else 0
    assert count == len(specs)


def test_a_batch_that_is_too_large_is_refused_before_validation(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(file, '{"nonsense": 1}\n' * 100_000)
    assert str(caught.value) == (
        f"bad-batch: {file} has 100,000 agents; a batch can have at most 10,000. "
        "Nothing was spawned; split the file, for example with `split -l 10000`."
    )
    assert caught.value.code == "bad-batch"
