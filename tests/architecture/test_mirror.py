"""The tests have the layout of the packages: `orchd/store/rows.py` is tested by `tests/store/test_rows.py`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Modules that the tests of another module cover.
ELSEWHERE = {
    "orchd/server/calls.py": "tests/server/test_dispatcher.py",
    "orchd/server/context.py": "tests/server/test_dispatcher.py",
    "orchd/server/operations/control.py": "tests/server/test_dispatcher.py",
    "orchd/server/operations/daemon.py": "tests/server/operations/test_agents.py",
    "orchd/server/operations/keys.py": "tests/network/test_remote.py",
    "orchd/server/operations/logs.py": "tests/server/operations/test_agents.py",
    "orchd/server/operations/runs.py": "tests/server/operations/test_agents.py",
    "orchd/server/operations/sessions.py": "tests/server/operations/test_agents.py",
    "orchd/server/operations/spawn.py": "tests/server/operations/test_specs.py",
    "orchd/core/state/apply_attempts.py": "tests/core/state/test_apply.py",
    "orchd/core/state/state.py": "tests/core/state/test_agents.py",
    "orchd/processes/failed_start.py": "tests/processes/test_limited_attempts.py",
    "orchctl/__main__.py": "tests/orchctl/cli/test_quick_parser.py",
    "orchctl/client/remote.py": "tests/e2e/test_remote.py",
    "orchctl/daemon/probe.py": "tests/orchctl/daemon/test_launcher.py",
    "orchctl/commands/daemon/keys.py": "tests/e2e/test_remote.py",
    "orchctl/commands/agents/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/commands/daemon/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/commands/observe/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/commands/runs/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/commands/sessions/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/commands/work/table.py": "tests/orchctl/commands/test_registry.py",
    "orchctl/doctor/asking.py": "tests/orchctl/commands/daemon/test_doctor.py",
    "orchctl/doctor/findings.py": "tests/orchctl/commands/daemon/test_doctor.py",
    "orchctl/doctor/instance.py": "tests/orchctl/doctor/test_advice.py",
    "orchctl/doctor/orphans.py": "tests/orchctl/commands/daemon/test_doctor.py",
    "orchctl/exporters/hook.py": "tests/orchctl/commands/observe/test_hook.py",
    "orchctl/exporters/otlp.py": "tests/orchctl/commands/observe/test_trace.py",
    "orchctl/history/log_source.py": "tests/orchctl/commands/agents/test_logs.py",
    "orchctl/plans/entries.py": "tests/orchctl/pm/test_task_list.py",
    "orchctl/plans/formats/json_entries.py": "tests/orchctl/pm/test_task_list.py",
    "orchctl/plans/markdown.py": "tests/orchctl/plans/test_boxes.py",
    "orchctl/plans/order.py": "tests/orchctl/plans/test_circles.py",
    "orchctl/pm/loop.py": "tests/orchctl/commands/work/test_pm.py",
    "orchctl/runners/__main__.py": "tests/orchctl/runners/test_endings.py",
    "orchctl/runners/claude_background.py": "tests/orchctl/runners/test_claude.py",
    "orchctl/runners/claude_meter.py": "tests/orchctl/runners/test_claude.py",
    "orchctl/runners/harness/attempt.py": "tests/orchctl/runners/test_endings.py",
    "orchctl/runners/harness/json_text.py": "tests/orchctl/runners/test_keys.py",
    "orchctl/runners/harness/outcome.py": "tests/orchctl/runners/test_endings.py",
    "orchctl/runners/harness/resuming.py": "tests/orchctl/runners/test_endings.py",
    "orchctl/runners/harness/supervise.py": "tests/orchctl/runners/test_endings.py",
    "orchctl/spawn/attributes.py": "tests/e2e/test_attributes.py",
    "orchctl/spawn/mock_notes.py": "tests/orchctl/commands/agents/test_spawn.py",
    "orchctl/tasks/directory.py": "tests/orchctl/commands/work/test_tasks.py",
    "orchctl/tasks/problems.py": "tests/orchctl/tasks/test_checks.py",
    "orchctl/terminal/top.py": "tests/orchctl/commands/observe/test_top.py",
    "orchctl/timeline/data.py": "tests/orchctl/commands/observe/test_timeline.py",
    "orchctl/timeline/page.py": "tests/orchctl/timeline/test_chart.py",
    "orchctl/worktrees/heads.py": "tests/orchctl/worktrees/test_prune.py",
    "orchctl/worktrees/settings.py": "tests/orchctl/worktrees/test_filling.py",
    "orchctl/worktrees/views.py": "tests/orchctl/commands/work/test_worktrees.py",
    "orchd/daemon/wiring.py": "tests/daemon/test_lifecycle.py",
}
MODULES = sorted(
    str(path.relative_to(ROOT))
    for package in ("orchd", "orchctl")
    for path in (ROOT / package).rglob("*.py")
    if "scripts" not in path.parts
)


def expected(module: str) -> str:
    """The path of a module's tests."""
    path = Path(module)
    folder = path.parent if path.parts[0] == "orchctl" else path.parent.relative_to("orchd")
    return ELSEWHERE.get(module) or str("tests" / folder / f"test_{path.stem.strip('_')}.py")


def test_a_module_without_a_test_file_is_detected() -> None:
    assert not (ROOT / expected("orchd/core/nothing_yet.py")).exists()
    assert expected("orchd/processes/shims/pool.py") == "tests/processes/shims/test_pool.py"
    assert expected("orchctl/spawn/batch.py") == "tests/orchctl/spawn/test_batch.py"


@pytest.mark.parametrize("module", [module for module in MODULES if not module.endswith("__init__.py")])
def test_every_module_has_its_test_file(module: str) -> None:
    assert (ROOT / expected(module)).exists(), expected(module)


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_module_that_is_tested_elsewhere_exists_and_has_no_file_of_its_own(module: str) -> None:
    own = Path(module).parent.relative_to("orchd") if module.startswith("orchd/") else Path(module).parent
    assert (ROOT / module).exists()
    assert not (ROOT / "tests" / own / f"test_{Path(module).stem.strip('_')}.py").exists()


@pytest.mark.parametrize("module", [module for module in MODULES if module.endswith("__init__.py")])
def test_a_package_init_file_has_only_imports_and_assignments(module: str) -> None:
    body = ast.parse((ROOT / module).read_text()).body
    assert [node for node in body if not isinstance(node, (ast.Expr, ast.ImportFrom, ast.Assign))] == []
