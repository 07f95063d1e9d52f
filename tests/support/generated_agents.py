"""Agents as Hypothesis makes them: every field, every status, any bytes."""

from __future__ import annotations

import os

from hypothesis import strategies as st

from orchd.core.state.agents import (
    Agent,
    AgentId,
    Level,
    Oom,
    Outcome,
    RequestId,
    Spec,
    Status,
    StopReason,
    Wait,
    agent_id,
)

TEXTS = st.binary(max_size=12).map(os.fsdecode)
PATHS = TEXTS.map(lambda text: f"/{text}")
MOMENTS = st.floats(0, 1e11)  # of a calendar that ends with the year 9999
IDS = st.integers(1, 5000).map(agent_id)
SECONDS = st.none() | st.floats(0, 1e300)

SPECS = st.builds(
    Spec,
    command=st.lists(TEXTS, min_size=1, max_size=4).map(tuple),
    name=TEXTS,
    cwd=PATHS,
    environment=st.text("0123456789abcdef", min_size=32, max_size=32),
    goal=st.none() | TEXTS,
    skill=st.none() | TEXTS,
    task_id=st.none() | TEXTS,
    stdin=st.none() | PATHS,
    output_dir=st.none() | PATHS,
    after=st.lists(IDS, max_size=3).map(tuple),
    priority=st.integers(-100, 100),
    nesting=st.integers(0, 2**62),
    timeout=SECONDS,
    silence=SECONDS,
    grace=st.floats(0, 1e300),
    retries=st.integers(0, 1000),
    memory_max=st.none() | st.integers(1, 2**63 - 1),
    cpu_max=st.none() | st.floats(0.01, 1e4),
    pids_max=st.none() | st.integers(4, 2**63 - 1),
)
WAITS = st.builds(
    Wait,
    request=st.text(min_size=1, max_size=8).map(RequestId),
    targets=st.lists(IDS, max_size=3).map(tuple),
    is_any=st.booleans(),
    deadline=st.none() | MOMENTS,
    caller=st.integers(1, 2**22),
    caller_started=MOMENTS,
)
OUTCOMES = st.builds(
    Outcome,
    st.none() | st.integers(0, 255),
    MOMENTS,
    st.integers(0, 2**50),
    oom=st.none() | st.sampled_from(Oom),
    memory_peak=st.none() | st.integers(0, 2**50),
    escaped=st.lists(st.text(), max_size=3).map(tuple),
)


def agents(
    number: int | None = None, parents: st.SearchStrategy[tuple[AgentId, ...]] | None = None
) -> st.SearchStrategy[Agent]:
    """Any agent at all, or any with this number."""
    return st.builds(
        Agent,
        id=IDS if number is None else st.just(agent_id(number)),
        spec=SPECS,
        level=st.sampled_from(Level),
        ancestors=st.lists(IDS, max_size=2).map(tuple) if parents is None else parents,
        claim=st.integers(0, 100),
        age=MOMENTS,
        parent_attempt=st.integers(0, 9),
        status=st.sampled_from(Status),
        attempt=st.integers(0, 99),
        tries=st.integers(0, 99),
        pid=st.none() | st.integers(1, 2**22),
        cgroup=st.none() | PATHS,
        outcome=st.none() | OUTCOMES,
        cause=st.none() | st.sampled_from(StopReason),
        reason=st.none() | TEXTS,
        started=st.none() | MOMENTS,
        heard=st.none() | MOMENTS,
        kill_at=st.none() | MOMENTS,
        ready_at=st.none() | MOMENTS,
        queued_at=st.none() | MOMENTS,
        started_at=st.none() | MOMENTS,
        ended_at=st.none() | MOMENTS,
        waits=st.lists(WAITS, max_size=2).map(lambda waits: {wait.request: wait for wait in waits}),
    )
