"""`orchctl pm`: run one agent per ready task in parallel, and report the results."""

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

LIMIT = 7  # the limit of a new home


def run(args: SimpleNamespace) -> int:
    """Print a line for each developer and the sum, or the report as JSON; the exit code says whether all completed."""
    directory = Path.cwd()
    _check(args)
    name, places = _list_of(args, directory)
    if args.dry_run:
        return _preview(args, directory, name)
    with journals.alone(directory / journals.RUNS, *places):
        journal = journals.unfinished(directory, name)
        source = _source(args, directory, () if journal is None else [entry["row"] for entry in journal.of("over")])
        for note in source.notes() if isinstance(source, TaskList) else ():
            console.warn(render.clean_line(note))
        if isinstance(source, TaskList) and journal is not None:
            # tick what an earlier pm completed and could not tick, so that no later pm starts it again
            for row in source.catch_up([entry["row"] for entry in journal.of("over")]):
                journal.add(id=row["id"], state="over", row=row)
        with Client() as client:
            return _work(args, client, source, journal or journals.begun(directory, name))


def _check(args: SimpleNamespace) -> None:
    """Raise UsageError for options that contradict each other."""
    if args.max is not None and args.max < 1:
        raise UsageError(f"--max must be 1 or more, not {args.max}")
    if args.tasks is not None and (args.beads or args.close_failed):
        raise UsageError("--tasks cannot be combined with --beads or --close-failed: choose one list")
    if args.tick and args.tasks is None:
        raise UsageError("--tick requires --tasks FILE: issues of Beads are closed automatically")
    if args.tasks is None and (args.format is not None or args.tag is not None or args.optional):
        raise UsageError("--format, --tag and --optional require --tasks FILE")
    if args.format not in {None, *FORMATS}:
        raise UsageError(f"--format must be one of {', '.join(FORMATS)}, not {args.format}")


def _list_of(args: SimpleNamespace, directory: Path) -> tuple[str, list[Path]]:
    """Return the name of the list in journals, and the paths that only one pm at a time may use.

    A file is replaced when it is ticked, so its directory is locked too; the file is locked for its other hard links.
    """
    if args.tasks is not None:
        path = Path(os.path.realpath(directory / args.tasks))
        places = [path.parent if path.parent.is_dir() else directory]
        return _file(args, directory).name, [*places, path] if path.is_file() else places
    folder = Path(os.environ["BEADS_DIR"]).absolute() if os.environ.get("BEADS_DIR") else place(directory)
    if folder is None or not folder.is_dir():
        what = f"no .beads directory in {directory} or its parents: run `bd init`, or give a list with --tasks FILE"
        raise UsageError(what, code="no-tasks")
    return f"beads:{folder}", [folder]


def _source(args: SimpleNamespace, directory: Path, rows: Any) -> WorkSource:
    if args.tasks is None:
        return Beads(Bd(directory, args.bd_timeout or TIMEOUT), closes_failed=args.close_failed)
    file = _file(args, directory)
    file.recall(rows)
    return file


def _file(args: SimpleNamespace, directory: Path) -> TaskList:
    wishes = PlanWishes(args.format, args.tag, args.optional)
    path = directory / args.tasks
    path_in_prompts = str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)
    return TaskList(path, ticks=args.tick, wishes=wishes, path_in_prompts=path_in_prompts)


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
    """Do the work of the list, and print the report. Returns the exit code."""
    deadline = None if args.wait_timeout is None else time.monotonic() + args.wait_timeout

    def wait(ids: list[str]) -> dict[str, Any]:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        with watched(client, ids, ()) as watch:
            return client.wait(ids=ids, is_any=True, timeout=left, watch=watch)

    def tell(row: Mapping[str, Any]) -> None:
        if not args.json:
            took = "" if row["seconds"] is None else f" in {render.span(row['seconds'])}"
            console.warn(render.clean_line(f"{row['agent']} {row['status']}{took}: {row['id']} {row['title']}"))

    most = args.max or client.call("limit")["limit"]
    wishes = _wishes(args, journal.directory.parents[2], client)
    warnings: list[str] = []  # about files that the worktrees of developers will not have; the plan is no matter
    if args.worktree:
        plan = [wishes.directory / args.tasks] if args.tasks is not None else []
        with suppress(RefusedError):  # an error is raised at the start of an agent
            warnings = checks.looked_at(checks.checkout_of(wishes.directory), client.home.config, plan)
            for warning in warnings:
                console.warn(warning)
    conductor = PmLoop(client, source, journal, wishes, most=most, wait=wait, tell=tell)
    try:
        is_done = conductor.work(once=args.once)
    except KeyboardInterrupt:
        console.warn(f"interrupted: {_going(conductor)}")
        raise
    if is_done and not conductor.troubles:
        journal.add(finished=True)
    return _report(args, conductor, journal, is_done=is_done, warnings=warnings)


def _going(conductor: PmLoop) -> str:
    """Return which developers keep running without a pm, and how to start a pm again."""
    if not conductor.going:
        return "no developers are running; run the same command to continue"
    return f"keep running without a pm: {', '.join(conductor.going)}; run the same command to wait for them"


def _report(args: SimpleNamespace, conductor: PmLoop, journal: Journal, *, is_done: bool, warnings: list[str]) -> int:
    """Print the report. Returns the exit code."""
    report = reports.report(
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
    console.result(report, reports.lines(report), as_json=args.json)
    if not is_done:
        if not args.json:
            console.warn(f"timed-out: {_going(conductor)}")
        return exit_codes.TIMED_OUT
    is_good = not conductor.troubles and all(row["status"] == "completed" for row in conductor.rows)
    return exit_codes.OK if is_good else exit_codes.REFUSED


def _preview(args: SimpleNamespace, directory: Path, name: str) -> int:
    """Print which agents would be started, and when. No item is claimed, and no daemon is started."""
    journal = journals.unfinished(directory, name)
    source = _source(args, directory, () if journal is None else [entry["row"] for entry in journal.of("over")])
    board = source.board()
    with Client(starts=False) as client:
        try:
            most = args.max or client.call("limit")["limit"]
        except (NoDaemonError, HomeError):
            most = LIMIT
        wishes = _wishes(args, directory, client)
    begun = journal.entries if journal is not None else {}
    chosen = [item for item in board.ready if item.id not in begun][:most]
    answer: dict[str, Any] = {
        "max": most,
        "agents": [_spec(item, directory, wishes) for item in chosen],
        "ready": len(board.ready),
        "left": board.left,
        "begun": list(begun),
    }
    if isinstance(source, TaskList):
        waves = [[item for item in wave if item.id not in begun] for wave in source.waves()]
        answer |= {"format": source.plan.format, "tag": source.plan.tag, "notes": source.notes()}
        answer["waves"] = [
            [
                {"id": item.id, "title": item.title, "labels": item.labels, "files": item.files}
                | {"after": list(item.after), "why": source.why(item.id)}
                for item in wave
            ]
            for wave in waves
            if wave
        ]
        rows = [_row(_spec(item, directory, wishes), f"wave {n}") for n, wave in enumerate(waves, 1) for item in wave]
        planned = {item.id for wave in waves for item in wave}
    else:
        rows, planned = [_row(spec) for spec in answer["agents"]], set()
    rows = [[*row, board.left.get(row[1], "")] if planned else row for row in rows]
    console.result(answer, _lines(answer, rows, planned), as_json=args.json)
    return exit_codes.OK


def _spec(item: WorkItem, directory: Path, wishes: DeveloperOptions) -> dict[str, Any]:
    """Return the spec of the agent that an item would have."""
    results = directory / journals.RUNS / "pm-N"
    prompt, result = results / f"{slug(item.id)}.prompt.md", results / f"{slug(item.id)}.md"
    return developer(item, name_of(item.id), wishes, prompt=prompt, result=result).spec


def _row(spec: Mapping[str, Any], *before: str) -> list[str]:
    runs = "a composition" if "command" in spec else spec.get("runner", "the default runner")
    return [*before, spec["task_id"], spec.get("skill", ""), runs, spec["goal"]]


def _lines(answer: Mapping[str, Any], rows: list[list[str]], planned: Collection[str]) -> Iterator[str]:
    """Yield the rows of agents that would be started; then a line for each item that would not, and why."""
    cleaned = [[render.clean(cell) for cell in row] for row in rows]
    yield from render.aligned(render.filled(cleaned)) if rows else ["nothing is ready"]
    if answer["begun"]:
        yield render.clean_line(f"already started, will be continued: {', '.join(answer['begun'])}")
    for item_id, why in answer["left"].items():
        if item_id not in planned:
            yield render.clean_line(f"{item_id}  not ready: {why}")
    for note in answer.get("notes", ()):
        yield render.clean_line(note)
