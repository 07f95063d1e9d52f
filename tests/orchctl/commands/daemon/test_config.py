"""`orchctl config`: what is in the file, what is wrong with it, and having the daemon read it again."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import msgpack

from orchd.instance.config import KEYS
from tests.conftest import Instance, until
from tests.orchctl.conftest import Orchctl


def test_config_path_prints_the_path_also_of_a_missing_file(orchctl: Orchctl, stopped: Instance) -> None:
    assert orchctl("config", "path") == (0, f"{stopped.home.config}\n", "")
    assert json.loads(orchctl("config", "path", "--json").out) == {"config": str(stopped.home.config), "exists": False}


def test_config_show_prints_every_key_with_value_and_source(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.configure('limit = 3\n[runners.claude]\nmodel = "opus"\n[runners.claude.env]\nTOKEN = "hush"\n')
    result = orchctl("config", "show")
    rows = {line.split()[0]: line for line in result.out.splitlines()}
    assert rows["limit"].split() == ["limit", "3", "agents", "config.toml"]
    assert rows["resident"].split() == ["resident", "4", "x", "`limit`", "agents", "default"]
    assert rows["runners.claude.model"].split()[1] == '"opus"'
    assert rows["runners.claude.env.TOKEN"].split()[1:3] == ["(not", "shown)"]
    listing = orchctl("config", "show", "--json").out
    assert "hush" not in result.out + listing
    keys = json.loads(listing)["keys"]
    assert {key["key"].partition(".")[0] for key in keys} == set(KEYS)
    assert not stopped.home.socket.exists()


def test_config_check_reports_all_errors_at_once(orchctl: Orchctl, stopped: Instance) -> None:
    stopped.configure("limt = 3\ngrace = -1\n")
    result = orchctl("config", "check")
    assert (result.code, result.err) == (1, "")
    assert result.out.splitlines() == [
        "error: limt is an unknown key; did you mean limit?",
        "error: grace must be 0 or more, not -1.0",
        f"{stopped.home.config} is invalid, errors: 2",
    ]
    value = json.loads(orchctl("config", "check", "--json").out)
    assert (value["valid"], value["problems"][0]["nearest"]) == (False, "limit")
    assert orchctl("config", "show").err == (
        f"bad-config: {stopped.home.config}: limt is an unknown key; did you mean limit? "
        "(1 more: see `orchctl config check`); correct it\n"
    )


def test_config_check_accepts_any_file(orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("limit = 3\n")
    assert orchctl("config", "check", "mine.toml") == (0, f"{tmp_path}/mine.toml is valid\n", "")
    assert orchctl("config", "check", "none.toml").err.startswith("no-config: no such file: ")


def test_config_check_reports_a_missing_file_and_the_defaults(orchctl: Orchctl, stopped: Instance) -> None:
    expected = f"{stopped.home.config} does not exist; the defaults are in force\n"
    assert orchctl("config", "check") == (0, expected, "")
    value = json.loads(orchctl("config", "check", "--json").out)
    assert (value["exists"], value["valid"]) == (False, True)
    stopped.configure("limit = 3\n")
    assert json.loads(orchctl("config", "check", "--json").out)["exists"]


def test_config_check_of_an_unreadable_file_says_why(orchctl: Orchctl, stopped: Instance) -> None:
    file = stopped.directory / "config.toml"
    file.mkdir()
    what = "a directory is in the place of the file; move it away, or give another path"
    assert orchctl("config", "check").out == f"error: cannot be read: {what}\n{file} is invalid, errors: 1\n"
    file.rmdir()
    file.write_bytes(b"\xff")
    assert orchctl("config", "check").out.startswith("error: cannot be read: it is not UTF-8; save it as UTF-8\n")


def test_config_check_of_a_directory_or_device_asks_for_another_path(orchctl: Orchctl, tmp_path: Path) -> None:
    way_out = "give the path of a config.toml"
    assert orchctl("config", "check", str(tmp_path)) == (1, "", f"no-config: {tmp_path} is a directory; {way_out}\n")
    result = orchctl("config", "check", "/dev/null")
    assert result == (1, "", f"no-config: /dev/null is not a regular file; {way_out}\n")


def test_a_reload_applies_changes_and_names_keys_that_need_a_restart(orchctl: Orchctl, instance: Instance) -> None:
    instance.configure('grace = 2\nlimit = 3\ncgroups = "off"\nrunner = "mine"\n[runners.mine]\ncommand = ["true"]\n')
    lines = orchctl("config", "reload").out.splitlines()
    assert lines[0] == "changed: limit, grace, runner, runners"
    assert lines[1].startswith("cgroups takes effect on restart")
    assert instance.agent(instance.spawn("true"))["grace"] == 2.0
    assert json.loads(instance.ctl("spawn", "--goal", "x", "--json"))["agents"][0]["runner"] == "mine"
    assert instance.status()["limit"]["limit"] == 3
    assert orchctl("config", "reload").out == "nothing changed\n"


def test_a_reload_of_an_invalid_file_changes_no_setting(orchctl: Orchctl, instance: Instance) -> None:
    instance.configure("grace = 2\ndepht = 1\n")
    result = orchctl("config", "reload")
    assert result.code == 1
    assert result.err == (
        f"bad-config: {instance.home.config}: depht is an unknown key; did you mean depth?; no setting was changed\n"
    )
    assert instance.agent(instance.spawn("true"))["grace"] == 10.0


def test_sighup_reloads_the_configuration(instance: Instance) -> None:
    instance.configure("grace = 2\n")
    instance.daemon.send_signal(signal.SIGHUP)
    until(lambda: "changed grace" in instance.log())
    assert instance.agent(instance.spawn("true"))["grace"] == 2.0
    instance.configure("grace = -2\n")
    instance.daemon.send_signal(signal.SIGHUP)
    until(lambda: "grace must be 0 or more, not -2.0; no setting was changed" in instance.log())
    assert instance.agent(instance.spawn("true"))["grace"] == 2.0


def test_an_agent_may_not_reload(instance: Instance) -> None:
    agent_id = instance.spawn("orchctl", "config", "reload")
    instance.ctl("wait", agent_id, code=1)
    assert "forbidden" in instance.ctl("logs", agent_id)


def test_a_reload_without_a_daemon_fails(orchctl: Orchctl) -> None:
    assert orchctl("config", "reload").code == 69


def test_session_files_move_with_their_content_to_a_new_state_path(
    orchctl: Orchctl, instance: Instance, tmp_path: Path
) -> None:
    (tmp_path / ".agent").mkdir()
    (agent_id,) = orchctl("spawn", "--", "true").out.split()
    instance.ctl("wait", agent_id)
    before = (tmp_path / ".claude/state/events.jsonl").read_text()
    instance.configure('state_path = "seen"\n')
    assert orchctl("config", "reload").out == "changed: state_path\n"
    assert (tmp_path / "seen/events.jsonl").read_text() == before
    assert json.loads((tmp_path / "seen/agents.json").read_text())[0]["status"] == "completed"
    instance.configure("session_files = false\n")
    orchctl("config", "reload")
    instance.ctl("wait", orchctl("spawn", "--", "true").out.strip())
    assert (tmp_path / "seen/events.jsonl").read_text() == before


def shown_value(orchctl: Orchctl, key: str) -> tuple[object, str, object]:
    """Return the value of a key that is in force, its source, and the value in the file if that differs."""
    keys = json.loads(orchctl("config", "show", "--json").out)["keys"]
    (entry,) = (entry for entry in keys if entry["key"] == key)
    return entry["value"], entry["source"], entry.get("in_file")


def test_a_limit_command_overrides_the_file_and_the_file_the_default(orchctl: Orchctl, instance: Instance) -> None:
    assert shown_value(orchctl, "limit") == (7, "default", None)
    instance.configure("limit = 5\n")
    assert shown_value(orchctl, "limit") == (7, "default", 5)
    orchctl("config", "reload")
    assert shown_value(orchctl, "limit") == (5, "config.toml", None)
    assert instance.status()["limit"]["resident"] == 20
    orchctl("limit", "3")
    assert shown_value(orchctl, "limit") == (3, "command", 5)
    instance.configure("limit = 6\n")
    assert "limit takes effect after `orchctl limit --reset`" in orchctl("config", "reload").out
    orchctl("daemon", "restart")
    assert shown_value(orchctl, "limit") == (3, "command", 6)
    assert orchctl("limit", "--reset").out.startswith("slots 0/6 in use")
    assert shown_value(orchctl, "limit") == (6, "config.toml", None)
    orchctl("daemon", "restart")
    assert instance.status()["limit"]["limit"] == 6
    assert orchctl("limit", "3", "--reset").code == 2


def test_a_limit_stored_by_an_earlier_version_counts_as_set_by_command(stopped: Instance) -> None:
    stopped.start()
    stopped.ctl("limit", "3")
    stopped.stop()
    with closing(sqlite3.connect(stopped.home.database, isolation_level=None)) as database:
        (row,) = database.execute("SELECT value FROM meta WHERE key = 'state'").fetchone()
        database.execute("UPDATE meta SET value = ? WHERE key = 'state'", (msgpack.packb(msgpack.unpackb(row)[:-1]),))
    stopped.start()
    assert (stopped.status()["limit"]["limit"], stopped.status()["limit"]["by_command"]) == (3, True)


def test_durations_and_sizes_accept_command_line_units(orchctl: Orchctl, instance: Instance) -> None:
    instance.configure('timeout = "2h"\ngrace = "5s"\nlog_bytes = "512K"\nmemory_max = 1073741824\n')
    assert orchctl("config", "reload").code == 0
    assert [shown_value(orchctl, key)[0] for key in ("timeout", "grace", "log_bytes")] == [7200.0, 5.0, 524288]
    instance.configure('timeout = "2x"\nkeep_bytes = "much"\n')
    output = orchctl("config", "check").out
    assert "timeout: '2x' is not a valid duration; use seconds or a unit" in output
    assert "keep_bytes: 'much' is not a valid size" in output
