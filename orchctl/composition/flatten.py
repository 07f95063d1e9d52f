"""Compositions within compositions, and the flat groups and members that a run is made of.

A path names a member (`api`, or `web/api` in the group `web`) or a group (`web`; the whole is the empty path).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchctl.composition.order import name_of, order_of
from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.types import Composition, SubSkill
from orchd.dag import around

MOST = 10_000  # members of one run, and groups
LONGEST_PATH = 1000  # bytes of the path of a member: in a run it is that of a file, below some directory
RETRIES = 2  # when `maxRetries` is not given


@dataclass(frozen=True, slots=True)
class Tree:
    """A composition with what its file does not hold, by the names of its sub-skills."""

    composition: Composition
    nested: Mapping[str, Tree] = field(default_factory=dict)  # those that are compositions themselves
    texts: Mapping[str, str] = field(default_factory=dict)  # the SKILL.md of those that have one
    origin: str = ""  # the file it was read from


@dataclass(frozen=True, slots=True)
class Group:
    """A composition inside a run: the whole, or one that is a sub-skill of another."""

    path: str
    composition: Composition
    after: tuple[str, ...] = ()  # paths of members and groups in the same group
    required: bool = True
    given: SubSkill | None = None  # what the composition around it says of it; nothing for the whole


@dataclass(frozen=True, slots=True)
class Member:
    """A sub-skill that becomes an agent, with what the compositions around it give to it."""

    path: str
    sub_skill: SubSkill
    group: Group
    after: tuple[str, ...] = ()  # paths of members and groups in the same group
    text: str = ""  # its SKILL.md

    @property
    def retries(self) -> int:
        """New attempts after its first."""
        strategy = self.group.composition.coordination_strategy
        if strategy.error_handling != "retry":
            return 0
        return RETRIES if strategy.max_retries is None else strategy.max_retries


@dataclass(frozen=True, slots=True)
class Flat:
    """All of a run. `groups` begins with the whole, each group before those inside it."""

    groups: tuple[Group, ...]
    members: tuple[Member, ...]

    def graph(self) -> dict[str, list[str]]:
        """What comes after what, by path, in a form that no number of edges makes larger than what was given.

        A group is two nodes that take no time: `web/`, after which its members begin, and `web`, its end.
        """
        return expanded(
            ((group.path, group.after) for group in self.groups),
            ((member.path, member.after) for member in self.members),
        )

    def joints(self) -> set[str]:
        """The nodes of the graph that are not members."""
        return {joint for group in self.groups if group.path for joint in (group.path, f"{group.path}/")}

    def bounds(self) -> dict[str, int]:
        """The `maxParallel` of each group that has one, by path."""
        found = {group.path: group.composition.max_parallel for group in self.groups}
        return {path: most for path, most in found.items() if most is not None}


def expanded(
    groups: Iterable[tuple[str, Iterable[str]]], members: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, list[str]]:
    """The graph of a run from the path and the `after` of each group and member; see `Flat.graph`."""
    inner = [(path, list(after)) for path, after in groups if path]
    everything = [*inner, *((path, list(after)) for path, after in members)]
    is_followed = {one for _, after in everything for one in after}
    graph: dict[str, list[str]] = {}
    for path, _ in inner:
        graph[f"{path}/"], graph[path] = [], [f"{path}/"]
    is_group = set(graph)
    for path, after in everything:
        outer = around(path)
        graph[f"{path}/" if path in is_group else path] = after or ([f"{outer}/"] if outer else [])
        if outer and path not in is_followed:
            graph[outer].append(path)
    return graph


def flatten(tree: Tree) -> Flat:
    """The groups and members of `tree`, in the order of the files.

    What a nested composition is given of runner, model, timeout and variables goes to each of its members that has
    none of its own. Raises CompositionError as `order_of` does, when there are more than 10,000 members, and when the
    path of one has more than 1,000 bytes.
    """
    groups: list[Group] = []
    members: list[Member] = []
    pending: list[Member | tuple[Tree, Group]] = [(tree, Group("", tree.composition))]
    while pending:
        entry = pending.pop()
        if isinstance(entry, Member):
            members.append(entry)
        else:
            groups.append(entry[1])
            pending.extend(reversed(list(_inside(*entry))))
        if len(members) > MOST or len(groups) > MOST:
            raise CompositionError([_crowd(tree)])
        path = entry.path if isinstance(entry, Member) else entry[1].path
        if len(path.encode(errors="surrogatepass")) > LONGEST_PATH:
            raise CompositionError([_deep(path)])
    return Flat(tuple(groups), tuple(members))


def _inside(tree: Tree, group: Group) -> Iterator[Member | tuple[Tree, Group]]:
    order = order_of(tree.composition)
    prefix = f"{group.path}/" if group.path else ""
    for one in tree.composition.sub_skills:
        name = name_of(one)
        path, after = prefix + name, tuple(prefix + other for other in order[name])
        given = one if group.given is None else _inherited(one, group.given)
        if name in tree.nested:
            inner = tree.nested[name]
            yield inner, Group(path, inner.composition, after, one.required, given)
        else:
            yield Member(path, given, group, after, tree.texts.get(name, ""))


def _inherited(one: SubSkill, given: SubSkill) -> SubSkill:
    return replace(
        one,
        runner=one.runner or given.runner,
        model=one.model or given.model,
        timeout=given.timeout if one.timeout is None else one.timeout,
        env={**given.env, **one.env},
    )


def _crowd(tree: Tree) -> Problem:
    message = f"{tree.composition.name!r} has more than {MOST:,} members, those of nested compositions included"
    return Problem("too-many-members", "$.subSkills", None, message, "make several runs of it")


def _deep(path: str) -> Problem:
    message = f"the path of a member, {path[:60]}..., has more than {LONGEST_PATH:,} bytes"
    return Problem("too-long", "$.subSkills", path, message, "nest less deeply, or give shorter names")
