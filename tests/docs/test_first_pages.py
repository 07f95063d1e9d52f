"""Every block of README.md and of the tutorial runs as it stands, in its order, and does what the page says.

The agents are the real claude, which talks to a stand-in of its service, and a program in its place that runs where no
claude is installed. The answers of the model stand here, by the goals that the pages give.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchd.instance import runner_config
from tests.clis.conftest import Clis
from tests.clis.standin import StandIn
from tests.conftest import Instance
from tests.docs.test_shown_commands import ELSEWHERE, plain
from tests.orchctl import repos

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TUTORIAL = (ROOT / "docs/guides/tutorial.md").read_text()
# The file that the agent with each goal writes; it commits the file if the goal asks for that.
FILES = {
    "Write primes.py, which prints the first ten primes": "primes.py",
    "Write test_primes.py for primes.py": "test_primes.py",
    "Write api.py with a function that adds two prices, and commit it": "api.py",
    "Write guide.md, which explains how to add two prices, and commit it": "guide.md",
    "Write test_api.py with tests for api.py, and commit it": "test_api.py",
}
PROGRAM = f"""#!{sys.executable}
import json, subprocess, sys
prompt, words = sys.stdin.read(), sys.argv
for goal, name in {FILES!r}.items():
    if goal in prompt and "acceptEdits" in words:
        open(name, "w").write("text\\n")
        if "commit" in goal and "Bash(git commit:*)" in words:
            subprocess.run(["git", "add", name], check=True)
            subprocess.run(["git", "commit", "-qm", name], check=True)
print(json.dumps({{"type": "system", "subtype": "init", "session_id": "s-1"}}))
usage = {{"input_tokens": 100, "output_tokens": 10}}
result = {{"type": "result", "subtype": "success", "is_error": False, "result": "Done.", "usage": usage}}
print(json.dumps({{**result, "num_turns": 2, "modelUsage": {{}}, "total_cost_usd": 0.01}}))
"""


_BEGIN, _END = "BEGIN-OF-SHOWN-OUTPUT", "END-OF-SHOWN-OUTPUT"


def untagged(page: str) -> list[str]:
    """Return the contents of the blocks that name no language: commands, and their output."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [text for language, text in blocks if not language]


def shown(page: str) -> list[tuple[str, list[str]]]:
    """Return the commands of the blocks that show output, each with the lines below it."""
    steps: list[tuple[str, list[str]]] = []
    for block in untagged(page):
        for line in block.splitlines() if block.startswith("$ ") else ():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def script(page: str) -> str:
    """Return the blocks of a page as one script, without commands that a list runs elsewhere.

    Lines of its output mark what a command printed whose output the page shows: on a terminal that is stderr, too.
    """
    commands: list[str] = []
    for block in untagged(page):
        lines = block.splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        for line in typed:
            commands += [f"echo {_BEGIN}", f"{{ {line}\n}} 2>&1", f"echo {_END}"]
        if not typed and not all(plain(line) in ELSEWHERE for line in lines):
            commands += lines
    return "\n".join(commands) + "\n"


def answers() -> dict[str, list[dict[str, Any]]]:
    """Return the steps of the model for each goal."""
    steps = {}
    for goal, name in FILES.items():
        steps[goal] = [{"tool": "Write", "input": {"file_path": name, "content": "text\n"}}]
        if "commit" in goal:
            steps[goal] += [{"bash": f"git add {name}"}, {"bash": f"git commit -m {name}"}]
        steps[goal].append({"say": "Done."})
    return steps


@pytest.fixture
def new_user(stopped: Instance, tmp_path: Path) -> Iterator[Instance]:
    """An instance whose home does not exist yet, and a claude: the real one if it is installed."""
    stopped.env.update(repos.SETTINGS)
    del stopped.env["ORCHD_DEFAULT_RUNNER"]
    shutil.rmtree(stopped.directory)
    program = shutil.which("claude", path=f"{os.environ.get('ORCHD_TEST_CLIS', '')}:{os.environ['PATH']}")
    if program is None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/claude").write_text(PROGRAM)
        (tmp_path / "bin/claude").chmod(0o755)
        stopped.env.update(PATH=f"{tmp_path}/bin:{stopped.env['PATH']}", HOME=str(tmp_path / "home"))
        yield stopped
        return
    with closing(StandIn()) as service:
        service.answers = answers()
        stopped.env.update(Clis(stopped, service, tmp_path, str(Path(program).parent)).env)
        yield stopped


def run(page: str, user: Instance, directory: Path) -> str:
    """Return what the blocks of a page print."""
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script(page)],
        env=user.env,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert process.returncode == 0, f"{process.stdout}\n{process.stderr}"
    return process.stdout


def check_output(page: str, output: str) -> None:
    """Check that each command whose output a page shows printed these lines and no others.

    Times may differ. A line `...` on the page stands for any lines that it leaves out.
    """
    printed = re.findall(rf"^{_BEGIN}\n(.*?)^{_END}$", output, re.MULTILINE | re.DOTALL)
    for (command, lines), text in zip(shown(page), printed, strict=True):
        expected = "".join(r"(?:.*\n)*?" if line == "..." else rf"{_timeless(line)}\n" for line in lines)
        assert re.fullmatch(expected, text), f"{command} printed:\n{text}"


def _timeless(line: str) -> str:
    """Return a pattern for a line in which times may differ."""
    return re.sub(r"(?:\\ )*\d+\\\.\ds", r" *[\\d.]+s", re.escape(line))


@pytest.mark.slow
@pytest.mark.timeout(300)  # several agents, each the real claude
def test_the_quick_start_runs_as_it_stands(new_user: Instance, tmp_path: Path) -> None:
    project = repos.repository(tmp_path / "project")
    began = time.monotonic()
    output = run(README, new_user, project)
    assert time.monotonic() - began < 60, "a new user waits for a minute at most"
    agents = json.loads(new_user.ctl("status", "--all", "--json"))["agents"]
    assert [agent["status"] for agent in agents] == ["completed"] * 5
    assert {agent["runner"] for agent in agents} == {"claude", None}
    assert (project / "primes.py").is_file()
    assert re.search(r"^ *1 test_primes\.py$", output, re.MULTILINE)
    check_output(README, output)
    assert not repos.git(project, "status", "--porcelain", "--", ".agent/sessions", ".claude/state")
    new_user.ctl("daemon", "stop")


@pytest.mark.slow
@pytest.mark.timeout(300)  # several agents, each the real claude
def test_the_tutorial_runs_as_it_stands(new_user: Instance, tmp_path: Path) -> None:
    output = run(TUTORIAL, new_user, tmp_path)
    names = {"api.py", "guide.md", "test_api.py"}
    assert {path.name for path in (tmp_path / "shop").iterdir()} >= names
    assert names <= set(repos.git(tmp_path / "shop", "log", "--format=%s").splitlines())
    assert "released 1.0" in output
    assert output.count("removed, with its branch") == 3
    assert not (tmp_path / "shop/.agent/sessions").exists()
    check_output(TUTORIAL, output)


def test_the_first_configuration_grants_edits_and_commits_and_no_other_command(tmp_path: Path) -> None:
    for page in (README, TUTORIAL):
        (config,) = re.findall(r"config path\)\" <<'END'\n(.*?)^END", page, re.MULTILINE | re.DOTALL)
        (tmp_path / "config.toml").write_text(config)
        known = runner_config.read(tmp_path / "config.toml")
        assert (known.default, known.of("claude").args[:2]) == ("claude", ("--permission-mode", "acceptEdits"))
        assert "Bash" not in known.of("claude").args, "every command"


def test_a_page_that_leaves_out_a_line_without_saying_so_is_detected() -> None:
    printed = "agent-001  failed  1.2s\nattempts:\n  attempt 1  exit 1\n"
    complete = f"```\n$ orchctl why a\n{printed.replace('1.2s', '0.4s')}```\n"
    output = f"first\n{_BEGIN}\n{printed}{_END}\nlast\n"
    check_output(complete, output)
    check_output(complete.replace("attempts:\n  attempt 1  exit 1\n", "...\n"), output)
    for wrong in ("attempts:\n", "  attempt 1  exit 1\n", "agent-001  failed  0.4s\n"):
        with pytest.raises(AssertionError, match="orchctl why a printed"):
            check_output(complete.replace(wrong, ""), output)
    with pytest.raises(AssertionError):
        check_output(complete.replace("exit 1", "exit 2"), output)


def test_no_block_uses_the_mock_runner() -> None:
    assert "mock" not in script(README) + script(TUTORIAL)
