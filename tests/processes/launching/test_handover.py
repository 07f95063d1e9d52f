"""Variables of an agent pass unchanged through the shell of its shim, whichever shell that is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.agents import ProcessAttributes
from orchd.instance.environment import OF_ONE_AGENT
from orchd.processes.launching import handover
from orchd.processes.launching.command import AgentCommand, command
from tests.support.shells import SHELLS

MARKS = {"ORCHD_HOME": "/h", "ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "1"}
PLAIN = {"PATH": "/usr/bin:/bin", "PWD": "/", **MARKS}
NAMES = [
    *("IFS", "OPTIND", "OPTARG", "OPTERR", "ENV", "BASH_ENV", "PATH", "CDPATH", "PS1", "PS2", "PS4", "SHELLOPTS"),
    *("BASHOPTS", "POSIXLY_CORRECT", "LC_ALL", "LC_NUMERIC", "LANG", "PPID", "LINENO", "PWD", "OLDPWD", "_", "SHLVL"),
    *("HOME", "MAIL", "MAILPATH", "MAILCHECK", "TERM", "HISTSIZE", "HISTCMD", "LINES", "COLUMNS", "FUNCNAME", "UID"),
    *("EUID", "GROUPS", "RANDOM", "SECONDS", "SRANDOM", "EPOCHSECONDS", "BASHPID", "BASH_COMPAT", "BASH_VERSION"),
    *("BASH_XTRACEFD", "BASH_VERSINFO", "DIRSTACK", "PIPESTATUS", "COMP_WORDBREAKS", "GLOBIGNORE", "FUNCNEST", "TMOUT"),
    *("IGNOREEOF", "TIMEFORMAT", "TZ", "histchars", "PROMPT_COMMAND", "EXECIGNORE", "CHILD_MAX", "LD_PRELOAD"),
    *("LD_LIBRARY_PATH", "GLIBC_TUNABLES", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "LC_CTYPE"),
    *("X-Y", "a.b", "1x", "BASH_FUNC_f%%", "BASH_FUNC_echo%%", " ", "a b", "-x", "--", "\udcff", "_orchd_1"),
    *("_orchd_begin", "_orchd_cwd", "_orchd_stop", "ORCHD_NAME", "ORCHD_GOAL"),
]
VALUES = ["x", "7", "", "() { :; }", "/nowhere", "fr_FR.UTF-8", "a\nb \x01*$(id)'\"\\", "\udcff\udc80"]


def becomes(shell: str, agent_command: AgentCommand) -> dict[str, str]:
    """The variables of what a subshell of this shell becomes, with nothing in its output that is not theirs."""
    env = {
        **MARKS,
        **handover.shim_environment(agent_command.slots, agent_command.variables),
        handover.BEGIN: agent_command.begin,
    }
    script = f'(cd -P -- / && eval "${handover.BEGIN}")'
    process = subprocess.run(
        ["sh", "-c", script, "sh", *agent_command.words], executable=shell, env=env, capture_output=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, b"")
    return dict(pair.split("=", 1) for pair in os.fsdecode(process.stdout).split("\0") if pair)


def shown(shell: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that an agent with these finds."""
    return becomes(shell, command(["/usr/bin/env", "-0"], {**PLAIN, **variables}))


@pytest.mark.parametrize("shell", SHELLS)
def test_every_special_variable_reaches_the_agent_unchanged(shell: str) -> None:
    wrong = {}
    for name in NAMES:
        value = "" if name.startswith("LD_") else VALUES[NAMES.index(name) % len(VALUES)]
        if (environment := shown(shell, {name: value})) != {**PLAIN, name: value}:
            wrong[name] = environment
    assert wrong == {}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_a_shell_variable_reaches_the_agent_unchanged(shell: str, value: str) -> None:
    names = [name for name in NAMES if not name.startswith(("LD_", "GLIBC"))]
    for variables in (dict.fromkeys(("IFS", "ENV", "PS4", "LC_ALL", "_", "PATH", "TERM", "SHLVL"), value),
                      dict.fromkeys(names, value)):  # fmt: skip
        assert shown(shell, variables) == {**PLAIN, **variables}


@pytest.mark.parametrize("shell", SHELLS)
def test_no_variable_is_added(shell: str) -> None:
    assert shown(shell, {}) == PLAIN


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="=\0"), min_size=1).filter(
            lambda name: not name.startswith(("LD_", "GLIBC_"))  # they have an effect on the test's own programs
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    )
)
def test_variables_with_arbitrary_names_reach_the_agent(variables: dict[str, str]) -> None:
    assert shown(SHELLS[0], variables) == {**PLAIN, **variables}


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_that_a_later_agent_lacks_are_not_exported(shell: str) -> None:
    agent_command = command(["/usr/bin/env", "-0"], PLAIN)
    later = {**PLAIN, "ORCHD_GOAL": "g"}
    assert set(agent_command.slots) >= OF_ONE_AGENT - set(MARKS)
    assert becomes(shell, agent_command._replace(variables=later)) == later
    assert becomes(shell, agent_command) == PLAIN


@pytest.mark.parametrize("shell", SHELLS)
def test_a_program_that_looks_like_a_variable_is_a_program(shell: str, tmp_path: Path) -> None:
    (tmp_path / "a=b").symlink_to("/usr/bin/env")
    agent_command = command([f"{tmp_path}/a=b", "-0"], {**PLAIN, "_": "x"})
    assert becomes(shell, agent_command) == {**PLAIN, "_": "x"}


@pytest.mark.parametrize("is_staged", [True, False])
def test_the_umask_is_set(is_staged: bool) -> None:
    attributes = ProcessAttributes(umask=0o027, limits=(("nofile", 20, 20),) if is_staged else ())
    agent_command = command(["/bin/sh", "-c", "printf 'umask=%s\\0' `umask`"], PLAIN, attributes)
    assert ("stage.py" in agent_command.begin) == is_staged
    assert becomes(SHELLS[0], agent_command) == {"umask": "0027"}
