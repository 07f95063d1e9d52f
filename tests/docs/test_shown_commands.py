"""Every command that README.md and docs/ show is run: here, by its page's own test, or a list says why not.

A new command is run here by itself, in its page's order. Where that cannot be, give it what it needs in `stage`, or a
line in ELSEWHERE with the test that runs it and why it cannot be run here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.docs.test_seeds import named_in
from tests.orchctl import repos
from tests.orchctl.pm.fake_bd import FakeBd

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: path
    for path in (ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.parent.name != "decisions"
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("", "sh", "bash", "console")
PROGRAMS = "orchctl|orchd|systemctl|journalctl|loginctl|make|pip|pipx|uv|git|cat|tail|grep"
COMMAND = re.compile(rf"(?:\w+=\$\()?(?:\w+=\S* )*(?:{PROGRAMS}) ")

# Pages whose commands a test runs in their order, all of them.
PAGES_ELSEWHERE = {
    "README.md": "tests/docs/test_first_pages.py::test_the_quick_start_runs_as_it_stands",
    "tutorial.md": "tests/docs/test_first_pages.py::test_the_tutorial_runs_as_it_stands",
    "operations.md": "tests/systemd/test_operations.py::test_the_documented_commands_run_in_order_with_expected_output",
    "uninstall.md": "tests/docs/test_uninstall_page.py::test_the_steps_leave_no_process_file_worktree_or_branch",
    "nesting.md": "tests/docs/test_nesting_page.py::test_the_example_prints_what_the_page_shows",
    "tasks.md": "tests/docs/test_tasks.py::test_every_command_prints_what_the_page_shows",
}
PORT = "tests/orchctl/commands/observe/test_metrics.py::test_metrics_server_answers_while_the_daemon_is_down"
SOCKET = (
    "tests/orchctl/commands/observe/test_metrics.py::test_metrics_socket_is_private_and_removed_when_the_server_stops"
)
TRACE = "tests/orchctl/commands/observe/test_trace.py::test_spans_have_correct_parents_and_are_equal_in_every_export"
HOOK = "tests/orchctl/commands/observe/test_hook.py::test_hook_reports_each_end_once_across_kills_of_daemon_and_hook"
SIMULATION = (
    "tests/simulation/test_simulation.py::test_thousands_of_steps_keep_every_promise_and_reach_every_event_and_effect"
)
STOP = "tests/orchctl/commands/daemon/test_stop.py::test_stop_agents_ends_running_agents"
UNINSTALL = "tests/systemd/test_service.py::test_uninstalling_leaves_agents_and_a_daemon_can_be_started_as_before"
WHEEL = "tests/e2e/test_upgrade_from_base.py::test_a_home_of_the_base_commit_continues_without_loss"
DEMO = "tests/orchctl/commands/agents/test_demo.py::test_the_demo_completes_all_agents_after_a_kill_and_leaves_no_files"
EXTRAS = "tests/orchctl/exporters/test_extras.py::test_the_command_is_of_the_tool_that_made_the_environment"
# Commands that cannot be run here: the test that runs the same, and why.
ELSEWHERE = {
    "make demo": (DEMO, "makes an environment of its own, then `orchctl demo`, which that test runs"),
    "make test": ("", "is this"),
    "pipx install .": (WHEEL, "installs the program, as that test does with pip"),
    "uv tool install .": (WHEEL, "installs the program, as that test does with pip"),
    "pip install .": (WHEEL, "installs the program, as that test does"),
    "orchctl daemon stop --stop-agents": (STOP, "ends the daemon that the other pages need"),
    "orchctl service uninstall": (UNINSTALL, "wants a service"),
    "make faults": (
        "tests/faults/test_table.py::test_the_table_shows_the_losses_and_the_planted_bug",
        "takes most of an hour; its parts are tried there",
    ),
    "make simulate": (SIMULATION, "takes minutes; that test takes thousands of its steps"),
    "orchctl metrics --serve 127.0.0.1:9469": (PORT, "goes on until it is interrupted"),
    "orchctl metrics --serve unix:/run/user/1000/orchd-metrics.sock": (SOCKET, "goes on until it is interrupted"),
    "orchctl hook --position ~/.local/state/notify.position -- notify-me": (HOOK, "goes on until it is interrupted"),
    "pip install '.[metrics]'": ("", "is what the tests' own environment was made with"),
    "pipx inject orchd prometheus-client": (EXTRAS, "needs pipx; that test has the command in the error"),
    "uv tool install --with prometheus-client .": (EXTRAS, "needs uv; that test has the command in the error"),
    "orchctl trace --endpoint http://127.0.0.1:4318": (TRACE, "wants a collector"),
    "tail -f .claude/state/events.jsonl": ("", "goes on until it is interrupted, and is no command of ours"),
}
NEEDS = {"sessions.md": "jq"}
# What must have happened before a command has something to show.
BEFORE = {
    "orchctl uninstall-project": "orchctl spawn --wait -- true",
    "grep -A1 '  - name:' .agent/sessions/latest.yaml": "orchctl spawn --wait -- true",
    "orchctl worktrees show profile": "orchctl spawn --wait --worktree --name profile -- touch new",
}
EXITS = {"orchctl validate team.json": 1}  # of those that are not to end with 0

CLAUDE = """#!/bin/sh
cat > /dev/null
echo '{"type": "system", "subtype": "init", "session_id": "s-1"}'
echo '{"type": "result", "subtype": "success", "is_error": false, "result": "All done.", "num_turns": 2}'
"""
TEAM = '{"name": "team", "executionMode": "parallel", "subSkills": [{"skillName": "ui", "dependencies": ["api"]}]}'

PLANS = {
    "specs/001-sign-in/tasks.md": "- [ ] T001 Sign in\n",
    ".kiro/specs/sign-in/tasks.md": "- [ ] 1. Sign in\n",
    ".taskmaster/tasks/tasks.json": '{"master": {"tasks": [{"id": 1, "title": "Sign in", "status": "pending"}]}}',
}


def blocks(text: str) -> list[list[str]]:
    """The commands of each block of a page; of one that shows output too, the lines after `$`."""
    result = []
    for language, block in BLOCK.findall(text):
        lines = block.splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        if language in SHELL:
            result.append([plain(line) for line in typed or lines if typed or COMMAND.match(f"{line} ")])
    return [commands for commands in result if commands]


def plain(line: str) -> str:
    """A command without its remark, and with what it says may be left out."""
    line = re.split(r"\s+# ", line)[0].strip()
    return re.sub(r" \[([^\]]+)\]", r" \1", line) if line.startswith("orchctl ") else line


SHOWN = {name: blocks(path.read_text()) for name, path in PAGES.items()}
HERE = [
    name
    for name, commands in SHOWN.items()
    if commands and name not in PAGES_ELSEWHERE and (name not in NEEDS or shutil.which(NEEDS[name]))
]


@pytest.fixture
def stage(instance: Instance, tmp_path: Path) -> Path:
    """A project that has what the pages speak of. A daemon runs whose mock agents are quick."""
    project = repos.repository(tmp_path / "project")
    instance.env.update(repos.SETTINGS, ORCHD_MOCK_SECONDS="0.01", HOME=str(tmp_path))
    FakeBd(tmp_path / "beads", instance.env).say({"id": "bd-1", "title": "Sign in"})
    (project / ".beads").mkdir()
    claude = tmp_path / "beads/bin/claude"
    claude.write_text(CLAUDE)
    claude.chmod(0o755)
    for name in ("developers.jsonl", "parts.jsonl"):
        (project / name).write_text('{"command": ["true"]}\n{"command": ["true"]}\n')
    (project / "plan.md").write_text("- [ ] Sign in\n- [ ] Sign out\n")
    for path, text in PLANS.items():
        (project / path).parent.mkdir(parents=True)
        (project / path).write_text(text)
    (project / "team.json").write_text(TEAM)
    (project / "docs/tasks").mkdir(parents=True)
    (project / "docs/tasks/subtask-schema.md").write_text("---\ngoal: Design the tables\n---\n")
    return project


@pytest.mark.slow
@pytest.mark.timeout(300)  # some eighty programs, one after the other
def test_every_shown_command_runs_with_the_expected_exit_code(instance: Instance, stage: Path, tmp_path: Path) -> None:
    for page in HERE:
        project = shutil.copytree(stage, tmp_path / page, symlinks=True)
        commands = [line for block in SHOWN[page] for line in block if line not in ELSEWHERE]
        lines = [f"{BEFORE.get(line, ':')}\n{line} || [ $? = {EXITS.get(line, 0)} ]" for line in commands]
        process = subprocess.run(
            ["bash", "-euxc", "\n".join(lines)],
            env=instance.env,
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert process.returncode == 0, f"{page}: the last of these ended with an error\n{process.stderr}\n{__doc__}"


def test_every_exception_refers_to_a_shown_page_or_command() -> None:
    lines = [line for page_blocks in SHOWN.values() for commands in page_blocks for line in commands]
    assert len(lines) > 60
    assert set(PAGES_ELSEWHERE) <= set(SHOWN)
    assert [line for line in ELSEWHERE if line not in lines] == [], "these are shown nowhere any more"


@pytest.mark.parametrize("name", sorted({*PAGES_ELSEWHERE.values(), *(test for test, _ in ELSEWHERE.values() if test)}))
def test_every_test_that_runs_the_other_commands_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert test in named_in(file)


def test_blocks_extracts_the_commands_of_every_kind_of_block() -> None:
    text = "```\norchctl a   # why\nids=$(orchctl b)\nno command\n```\n```sh\nX=1 orchctl c [--all]\n```\n"
    text += "```\n$ z 1\nout\n```\n"
    assert blocks(text) == [["orchctl a", "ids=$(orchctl b)"], ["X=1 orchctl c [--all]"], ["z 1"]]
    assert plain("orchctl c [--all]  # x") == "orchctl c --all"
