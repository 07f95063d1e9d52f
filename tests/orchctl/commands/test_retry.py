"""`orchctl retry`."""

from __future__ import annotations

import json

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def test_a_new_attempt_runs_in_this_environment(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("sh", "-c", 'echo "$ORCHD_ATTEMPT $MOOD"; test "$MOOD"')
    instance.ctl("wait", "1", code=1)
    done = orchctl("retry", "1", env={**instance.env, "MOOD": "better"})
    assert (done.code, done.err) == (0, "")
    assert done.out.split()[:2] == ["agent-001", "sh"]
    instance.ctl("wait", "1")
    assert instance.ctl("logs", "1") == "2 better\n"


def test_json_is_the_result(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("false")
    instance.ctl("wait", "1", code=1)
    assert [agent["id"] for agent in json.loads(orchctl("retry", "1", "--json").out)["agents"]] == ["agent-001"]


def test_what_completed_is_not_tried_again(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true")
    instance.ctl("wait", "1")
    done = orchctl("retry", "1")
    assert done.code == 1
    assert done.err.startswith("cannot-retry: ")
