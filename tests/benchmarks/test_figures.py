"""The figures that benchmarks compute from their measurements."""

from __future__ import annotations

import json
import random
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import harness, history, nesting
from benchmarks.__main__ import NAMES, done
from benchmarks.handover import step
from benchmarks.makespan import Dag, drawn, member
from benchmarks.peers.base import MARK, Peer, kill, marked, until
from orchd.core.state.agents import Instant
from orchd.core.state.state import State
from orchd.instance.home import Home
from orchd.protocol import operations, schema
from orchd.store.database import Store


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_called(name: str) -> None:
    assert callable(import_module(f"benchmarks.{name}").main)


def test_a_failed_benchmark_is_reported_and_the_next_benchmark_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise SystemExit("waited 60 s for pm2")

    monkeypatch.setattr("benchmarks.output.main", fails)
    monkeypatch.setattr("benchmarks.latency.main", lambda: None)
    assert [done(name) for name in ("output", "latency")] == [False, True]
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["(output failed: waited 60 s for pm2)", "(latency took 0 s)"]


def test_a_table_has_medians_spreads_and_ratios_and_its_samples_are_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    samples, base = [3.0, 1.0, 2.0], [1.0, 1.0, 4.0]
    harness.report("subject", [harness.Figure("a peer", "ms", samples, harness.over(samples, base), note="a note")])
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split() == ["a", "peer", "2", "[1-3]", "ms", "ratio", "1", "[0.5-3]", "a", "note"]
    assert json.loads((tmp_path / "results/subject.json").read_text())["figures"][0]["samples"] == samples


def test_a_ratio_of_samples_of_unequal_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        harness.over([1.0, 2.0], [1.0])


def test_a_step_is_the_median_gap_between_sorted_times() -> None:
    assert step("10.004 10.000\n10.001 10.010") == pytest.approx(3.0)


def test_a_written_history_is_restored_and_leaves_the_limit_unchanged(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    history.write(home, 1010)
    store, state = Store(home.database), State()
    assert store.restore(state, Instant(0.0, history.NOW.wall)) == []
    store.close()
    assert (state.last_number, state.limit, state.resident) == (1010, State().limit, State().resident)


def test_the_bound_is_the_longest_path_or_the_work_divided_by_the_limit() -> None:
    chain = Dag({"a": [], "b": ["a"]}, {"a": 100, "b": 200})
    wide = Dag({f"n{number}": [] for number in range(14)}, {f"n{number}": 100 for number in range(14)})
    assert chain.bound == pytest.approx(0.3)
    assert wide.bound == pytest.approx(0.2)
    assert drawn(random.Random(1)) == drawn(random.Random(1))


def test_a_graph_node_becomes_a_valid_run_member() -> None:
    dag = Dag({"a": [], "b": ["a"]}, {"a": 100, "b": 200})
    members = [member(dag, node, node, after) for node, after in dag.after.items()]
    run = schema.parse(operations.Run, {"name": "dag", "cwd": "/", "groups": [{"path": ""}], "members": members})
    assert [member.agent.tokens for member in run.members] == [100, 200]


def test_the_tree_has_the_agent_count_that_its_bound_assumes() -> None:
    ids, level = [], [""]
    while level:
        level = [below for node in level for below in nesting.below(node)]
        ids += level
    assert len(ids) == len(set(ids)) == nesting.AGENTS == 70


def test_stalled_rounds_are_reported_and_have_no_time() -> None:
    stuck = nesting.Round(None, 7, 7)
    results = nesting.figures("tsp", [stuck, stuck])
    assert [figure.name for figure in results] == ["tsp: most at work", "tsp: most alive"]
    assert results[0].note == "stood still in 2 of 2 rounds"
    assert nesting.row("tsp", [stuck]).cells[0].is_bad
    ended = nesting.figures("orchd", [nesting.Round(nesting.BOUND, 7, 9), stuck])
    assert ended[0].samples == [1.0]
    assert ended[0].note == "stood still in 1 of 2 rounds"


def test_a_count_above_the_limit_is_marked_as_bad() -> None:
    assert nesting.row("x", [nesting.Round(1.0, 8, 8)]).cells[1].is_bad
    assert not nesting.row("x", [nesting.Round(1.0, 7, 8)]).cells[1].is_bad


def test_a_tree_node_starts_its_children_and_a_leaf_ends() -> None:
    script = Path(nesting.__file__).parent / "node.sh"
    subprocess.run(["sh", script, "orchd", "111", "0"], check=True)
    process = subprocess.run(
        ["sh", script, "make", "12", "0"], check=True, capture_output=True, text=True, env={"MAKEPROG": "echo"}
    )
    assert process.stdout.split()[-2:] == ["121", "122"]


def test_processes_are_identified_by_their_peer_mark_and_killed_with_it() -> None:
    class Sleeper(Peer):
        def begin(self) -> None:
            self.process = subprocess.Popen(["sleep", "1000"], env=self.env)

        def is_marked(self) -> bool:
            return self.processes() == [self.process.pid]

    with Sleeper() as running, Sleeper() as other:
        for peer in (running, other):
            until(peer.is_marked, "the mark to show")
        kill(running.processes)
        running.process.wait()
        assert marked(f"{MARK}={other.directory.name}") == [other.process.pid]
    assert other.process.wait() == -9
    assert not other.directory.exists()
