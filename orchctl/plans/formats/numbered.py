"""Plans whose tasks have numbers: Kiro's `- [ ] 2.1 Title` and OpenSpec's, with `## 2. Title` above.

Numbers give the order. A task with others below its number is a group. Kiro's `- [ ]*` is optional, `- [-]` in
progress; its dependency graph, where the file has one, takes the place of the order. `(P)` is as spec-kit's `[P]`.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import Any

from orchctl.plans import markdown
from orchctl.plans.boxes import Box, Code, Page
from orchctl.plans.order import Counts, Stage, batches, staged
from orchctl.plans.phrases import NUMBER, Dependencies
from orchctl.plans.shape import Node, Plan, PlanError

_NAMED = r"[A-Z][A-Z0-9_]*-\d+"
_IDS = rf"(?:{NUMBER}|{_NAMED})"
_ID = re.compile(
    rf"(?P<struck>~~)?(?:\*\*|`|\[)?(?:Task\s+)?(?P<id>\d+(?:\.\d+)+[a-z]?|\d+[a-z]?(?=[.):])|{_NAMED}(?=[\s:.)*]))(?:\*\*|`|\])?(?:~~)?[.):]*(?:\s+|$)"
)
_PARALLEL = re.compile(r"^\(P\)\s*|\s*\(P\)$|^\[P\]\s*")
_SAYS = Dependencies(_IDS, strict=True)
_KIRO = re.compile(r"^[ \t]*(?:-[ \t]*)?_?Requirements?:", re.MULTILINE)


def number_of(box: Box) -> str | None:
    """Return the number of a task, such as `2.1`, or a name such as `CORE-2`."""
    match = _ID.match(box.text)
    return match["id"] if match else None


def is_kiro(page: Page) -> bool:
    """Whether a page has anything that only Kiro writes; OpenSpec has groups as headings otherwise."""
    return any(
        box.is_starred or box.mark == "-" or (number_of(box) or ".").isdecimal() or _KIRO.search("\n".join(box.own))
        for box in page.boxes
    )


def kiro(page: Page, counts: Counts) -> Plan:
    """Return the plan of a page. `counts` decides which tasks must still be done."""
    return _read("kiro", page, counts)


def openspec(page: Page, counts: Counts) -> Plan:
    """Return the plan of a page of OpenSpec, which has no task in progress."""
    return _read("openspec", page, counts)


def _read(name: str, page: Page, counts: Counts) -> Plan:
    """Return the plan of a page in the format `name`, in the order of its dependency graph or of its numbers."""
    boxes = [box for box in page.boxes if box.parent is None or number_of(box)]
    names = markdown.Names()
    nodes: list[Node] = []
    for box in boxes:
        match = _ID.match(box.text)
        title = box.text[match.end() :] if match else box.text
        node = markdown.node(box, title, acceptance=[inner for inner in box.boxes if not number_of(inner)])
        node.is_parallel = _PARALLEL.search(node.title) is not None
        node.title = _PARALLEL.sub("", node.title).removesuffix("**") or box.text
        node.id = match["id"] if match else names.of(node.title)
        markdown.strike(node, is_struck=bool(match and match["struck"]))
        node.after = dict.fromkeys(_SAYS.of(markdown.words(box)), "")
        nodes.append(node)
    of_box = {id(box): node for box, node in zip(boxes, nodes, strict=True)}
    ids = {node.id for node in nodes}
    for box, node in zip(boxes, nodes, strict=True):
        outer = of_box.get(id(box.parent)) if box.parent else None
        parts = node.id.split(".") if number_of(box) else []
        above = (".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))  # `2` for `2.1.3` without a `2.1`
        node.parent = next((number for number in above if number in ids), outer.id if outer else None)
    plan = markdown.grouped(name, nodes)
    places = {node.id: box for box, node in zip(boxes, nodes, strict=True)}
    graph = [code for code in page.codes if '"waves"' in code.text and code.text.lstrip().startswith("{")]
    if graph:
        _by_graph(plan, graph[0], counts)
    else:
        tasks = plan.tasks
        if all(re.fullmatch(r"\d+(?:\.\d+)*", task.id) for task in tasks):
            tasks = sorted(tasks, key=lambda task: [int(part) for part in task.id.split(".")])
        # parallel neighbours in the same group and below the same heading share a stage
        sections = groupby(tasks, lambda task: (task.parent, places[task.id].headings))
        staged((stage for _, section in sections for stage in batches(list(section), "in order")), counts)
    plan.marks = markdown.marks(page.boxes, with_active=name == "kiro")
    return plan


def _by_graph(plan: Plan, code: Code, counts: Counts) -> None:
    """Order by waves. A task in no wave comes after all tasks before it in the file."""
    leaves = {group.id: list(plan.leaves(group.id)) for group in plan.groups}
    leaves |= {task.id: [task] for task in plan.tasks}
    stages: list[Stage] = []
    seen: set[str] = set()
    for number, ids in _waves(code):
        if unknown := [node_id for node_id in ids if node_id not in leaves]:
            raise PlanError(code.line, f"the dependency graph contains the unknown task {unknown[0]!r}")
        tasks = [task for node_id in ids for task in leaves[node_id] if task.id not in seen]
        seen |= {task.id for task in tasks}
        stages.append(Stage(tasks, f"wave {number} of the dependency graph"))
    staged(stages, counts)
    before: dict[str, str] = {}
    for task in plan.tasks:
        if task.id not in seen:
            task.comes_after(before)
        if counts(task):
            before[task.id] = "in order"


def _waves(code: Code) -> list[tuple[int, list[str]]]:
    """Return the tasks of each wave with its number: by the ids of waves, or in their order if an id is missing."""
    try:
        graph: Any = json.loads(code.text)
    except (ValueError, RecursionError) as error:
        line = code.line + getattr(error, "lineno", 1)
        raise PlanError(line, f"the dependency graph is not JSON: {getattr(error, 'msg', error)}") from None
    waves = graph.get("waves")
    lists: list[list[str]] = []
    numbers: list[int] = []
    for wave in waves if isinstance(waves, list) else [None]:
        ids = wave.get("tasks") if isinstance(wave, dict) else wave
        if not isinstance(ids, list) or not all(isinstance(number, str | int) for number in ids):
            raise PlanError(code.line, 'a wave of the dependency graph must be like {"tasks": ["1.1", "2.1"]}')
        lists.append([str(number) for number in ids])
        if isinstance(wave, dict) and isinstance(wave.get("id"), int):
            numbers.append(wave["id"])
    if len(numbers) < len(lists):
        return list(enumerate(lists))
    if twice := [number for number in numbers if numbers.count(number) > 1]:
        raise PlanError(code.line, f"two waves of the dependency graph have the id {twice[0]}")
    return sorted(zip(numbers, lists, strict=True))
