"""Inputs: everything that can be asked and told has its handler."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from orchd.core import inputs
from orchd.core.decide import HANDLERS
from orchd.core.inputs import Input
from tests.core.box import declared_in

ASKED = {
    inputs.SpawnAgents,
    inputs.BeginWait,
    inputs.Cancel,
    inputs.Retry,
    inputs.Pause,
    inputs.Resume,
    inputs.SetLimit,
    inputs.OpenSession,
    inputs.CloseSession,
    inputs.SetBudget,
    inputs.Drain,
}
OF_AN_ATTEMPT = {
    inputs.Spawned,
    inputs.SpawnFailed,
    inputs.Exited,
    inputs.NeverRan,
    inputs.TreeGone,
    inputs.Adopted,
    inputs.OutputSeen,
    inputs.OverMemory,
}


def test_every_input_has_a_handler() -> None:
    declared = declared_in(inputs) - {inputs.Part, inputs.Scope}
    assert declared == set(get_args(Input)) == set(HANDLERS)


@pytest.mark.parametrize("kind", sorted(ASKED, key=str))
def test_every_request_input_carries_its_request_id(kind: type) -> None:
    assert dataclasses.fields(kind)[0].name == "request"


@pytest.mark.parametrize("kind", sorted(OF_AN_ATTEMPT, key=str))
def test_process_inputs_carry_agent_and_attempt(kind: type) -> None:
    assert [field.name for field in dataclasses.fields(kind)][:2] == ["agent", "attempt"]
