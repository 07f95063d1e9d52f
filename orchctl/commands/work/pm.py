"""`orchctl pm`: ready work from a list, done by developers at the same time, and what came of it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.commands.agents.wait import watched
from orchctl.errors import NoDaemonError, RefusedError, UsageError
from orchctl.plans.reading import FORMATS
from orchctl.plans.reading import ReadOptions as PlanWishes
from orchctl.plans.shape import slug
from orchctl.pm import journal as journals
from orchctl.pm import report as reports
from orchctl.pm.beads import Beads, place
from orchctl.pm.beads_cli import TIMEOUT, Bd
from orchctl.pm.developer import DeveloperOptions, developer, labels_of, name_of
from orchctl.pm.journal import Journal
from orchctl.pm.loop import PmLoop
from orchctl.pm.task_list import TaskList
from orchctl.pm.work_item import WorkItem, WorkSource
from orchctl.render import text as render
from orchctl.terminal import console
from orchctl.worktrees import checks
from orchd.instance.home import HomeError

LIMIT = 7  # what a new home has


def run(args: SimpleNamespace) -> int:
    """Print a line for each developer and the sum, or the report as JSON; the exit code tells whether all completed."""
    directory = Path.cwd()
    _check(args)
    name, where = _named(args, directory)
    if args.dry_run:
        return _shown(args, directory, name)
    with journals.alone(directory / journals.RUNS, *where):
        journal = journals.unfinished(directory, name)
        source = _source(args, directory, () if journal is None else [one["row"] for one in journal.of("over")])
        for note in source.notes() if isinstance(source, TaskList) else ():
            console.warn(render.clean_line(note))
        if isinstance(source, TaskList) and journal is not None:
            _catch_up(source, journal)
        with Client() as client:
            return _work(args, client, source, journal or journals.begun(directory, name))


def _catch_up(source: TaskList, journal: Journal) -> None:
    """Tick what an earlier pm completed and could not tick, so that no later pm starts it again."""
    for row in source.catch_up([entry["row"] for entry in journal.of("over")]):
        journal.add(id=row["id"], state="over", row=row)


def _check(args: SimpleNamespace) -> None:
    if args.max is not None and args.max < 1:
        raise UsageError(f"--max {args.max}: it must be 1 or more")
    if args.tasks is not None and (args.beads or args.close_failed):
        raise UsageError("--tasks FILE and Beads are two lists: leave out --beads and --close-failed, or --tasks")
    if args.tick and args.tasks is None:
        raise UsageError("--tick ticks the boxes of --tasks FILE: Beads closes issues by itself")
    if args.tasks is None and (args.format is not None or args.tag is not None or args.optional):
        raise UsageError("--format, --tag and --optional say how --tasks FILE is read: give it")
    if args.format not in {None, *FORMATS}:
        raise UsageError(f"--format {args.format}: it must be one of {', '.join(FORMATS)}")


def _named(args: SimpleNamespace, directory: Path) -> tuple[str, list[Path]]:
    """What the list is called in journals, and what only one pm may work in or on.

    A file is replaced when it is ticked, so its directory is locked too; it itself is for its other hard links.
    """
    if args.tasks is not None:
        path = Path(os.path.realpath(directory / args.tasks))
        places = [path.parent if path.parent.is_dir() else directory]
        return _file(args, directory).name, [*places, path] if path.is_file() else places
    found = Path(os.environ["BEADS_DIR"]).absolute() if os.environ.get("BEADS_DIR") else place(directory)
    if found is None or not found.is_dir():
        what = f"no .beads directory in {directory} or above: run `bd init`, or give a list with --tasks FILE"
        raise UsageError(what, code="no-tasks")
    return f"beads:{found}", [found]


def _source(args: SimpleNamespace, directory: Path, rows: Any) -> WorkSource:
    if args.tasks is None:
        return Beads(Bd(directory, args.bd_timeout or TIMEOUT), closes_failed=args.close_failed)
    file = _file(args, directory)
    file.recall(rows)
    return file


def _file(args: SimpleNamespace, directory: Path) -> TaskList:
    wishes = PlanWishes(args.format, args.tag, args.optional)
    path = directory / args.tasks
    shown = str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)
    return TaskList(path, ticks=args.tick, wishes=wishes, path_in_prompts=shown)


def _wishes(args: SimpleNamespace, directory: Path, client: Client) -> DeveloperOptions:
    return DeveloperOptions(
        directory=directory,
        labels=labels_of(client.home),
        skill=args.skill,
        runner=args.runner,
        model=args.model,
        worktree=args.worktree,
        timeout=args.timeout,
        retries=args.retries,
    )


def _work(args: SimpleNamespace, client: Client, source: WorkSource, journal: Journal) -> int:
    deadline = None if args.wait_timeout is None else time.monotonic() + args.wait_timeout

    def wait(ids: list[str]) -> dict[str, Any]:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        with watched(client, ids, ()) as watch:
            return client.wait(ids=ids, is_any=True, timeout=left, watch=watch)

    most = args.max or client.call("limit")["limit"]
    wishes = _wishes(args, journal.directory.parents[2], client)
    warnings = _warnings(args, client, wishes.directory)
    conductor = PmLoop(client, source, journal, wishes, most=most, wait=wait, tell=_teller(args))
    try:
        is_done = conductor.work(once=args.once)
    except KeyboardInterrupt:
        console.warn(f"interrupted: {_going(conductor)}")
        raise
    if is_done and not conductor.troubles:
        journal.add(finished=True)
    return _told(args, conductor, journal, is_done=is_done, warnings=warnings)


def _warnings(args: SimpleNamespace, client: Client, directory: Path) -> list[str]:
    """What the worktrees of developers will not have; its own plan is no matter. What is wrong is said at a start."""
    if not args.worktree:
        return []
    plan = [directory / args.tasks] if args.tasks is not None else []
    with suppress(RefusedError):
        found = checks.looked_at(checks.checkout_of(directory), client.home.config, plan)
        for text in found:
            console.warn(text)
        return found
    return []


def _teller(args: SimpleNamespace) -> Any:
    def tell(row: Mapping[str, Any]) -> None:
        if not args.json:
            took = "" if row["seconds"] is None else f" in {render.span(row['seconds'])}"
            console.warn(render.clean_line(f"{row['agent']} {row['status']}{took}: {row['id']} {row['title']}"))

    return tell


def _going(conductor: PmLoop) -> str:
    """Who goes on without a pm, and how to have one again."""
    if not conductor.going:
        return "no developer works; the same command goes on from here"
    return f"at work without a pm: {', '.join(conductor.going)}; the same command waits for them again"


def _told(args: SimpleNamespace, conductor: PmLoop, journal: Journal, *, is_done: bool, warnings: list[str]) -> int:
    found = reports.report(
        conductor.rows,
        name=journal.directory.name,
        results=str(journal.directory),
        going=list(conductor.going),
        skipped=conductor.skipped,
        left=conductor.left,
        troubles=conductor.troubles,
        warnings=warnings,
        timed_out=not is_done,
    )
    console.result(found, reports.lines(found), as_json=args.json)
    if not is_done:
        if not args.json:
            console.warn(f"timed-out: {_going(conductor)}")
        return exit_codes.TIMED_OUT
    is_good = not conductor.troubles and all(row["status"] == "completed" for row in conductor.rows)
    return exit_codes.OK if is_good else exit_codes.REFUSED


def _shown(args: SimpleNamespace, directory: Path, name: str) -> int:
    """What would be started, and when. Nothing is taken, and no daemon is started."""
    journal = journals.unfinished(directory, name)
    source = _source(args, directory, () if journal is None else [one["row"] for one in journal.of("over")])
    board = source.board()
    with Client(starts=False) as client:
        most = args.max or _limit(client)
        wishes = _wishes(args, directory, client)
    begun = journal.entries if journal is not None else {}
    chosen = [item for item in board.ready if item.id not in begun][:most]
    found: dict[str, Any] = {
        "max": most,
        "agents": [_spec(item, directory, wishes) for item in chosen],
        "ready": len(board.ready),
        "left": board.left,
        "begun": list(begun),
    }
    if isinstance(source, TaskList):
        waves = [[item for item in wave if item.id not in begun] for wave in source.waves()]
        found |= {"format": source.plan.format, "tag": source.plan.tag, "notes": source.notes()}
        found["waves"] = [[_planned(item, source) for item in wave] for wave in waves if wave]
        rows = [_row(_spec(item, directory, wishes), f"wave {n}") for n, wave in enumerate(waves, 1) for item in wave]
        planned = {item.id for wave in waves for item in wave}
    else:
        rows, planned = [_row(spec) for spec in found["agents"]], set()
    rows = [[*row, board.left.get(row[1], "")] if planned else row for row in rows]
    console.result(found, _lines(found, rows, planned), as_json=args.json)
    return exit_codes.OK


def _spec(item: WorkItem, directory: Path, wishes: DeveloperOptions) -> dict[str, Any]:
    """The agent that an item would have."""
    results = directory / journals.RUNS / "pm-N"
    prompt, result = results / f"{slug(item.id)}.prompt.md", results / f"{slug(item.id)}.md"
    return developer(item, name_of(item.id), wishes, prompt=prompt, result=result).spec


def _planned(item: WorkItem, file: TaskList) -> dict[str, Any]:
    """One task of a wave, as JSON."""
    known = {"id": item.id, "title": item.title, "labels": item.labels, "files": item.files}
    return {**known, "after": list(item.after), "why": file.why(item.id)}


def _limit(client: Client) -> int:
    try:
        limit: int = client.call("limit")["limit"]
    except (NoDaemonError, HomeError):
        return LIMIT
    return limit


def _row(spec: Mapping[str, Any], *before: str) -> list[str]:
    runs = "a composition" if "command" in spec else spec.get("runner", "the default runner")
    return [*before, spec["task_id"], spec.get("skill", ""), runs, spec["goal"]]


def _lines(found: Mapping[str, Any], rows: list[list[str]], planned: Collection[str]) -> Iterator[str]:
    """The rows of what would be started; then what would not, and why."""
    cleaned = [[render.clean(cell) for cell in row] for row in rows]
    yield from render.aligned(render.filled(cleaned)) if rows else ["nothing is ready"]
    if found["begun"]:
        yield render.clean_line(f"begun by a pm before, and gone on with: {', '.join(found['begun'])}")
    for one, why in found["left"].items():
        if one not in planned:
            yield render.clean_line(f"{one}  not ready: {why}")
    for note in found.get("notes", ()):
        yield render.clean_line(note)
