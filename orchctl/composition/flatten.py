"""Flattens nested compositions into the groups and members of a run.

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
    """A composition with the skills that its file only names, by the names of its sub-skills."""

    composition: Composition
    nested: Mapping[str, Tree] = field(default_factory=dict)  # sub-skills that are compositions themselves
    texts: Mapping[str, str] = field(default_factory=dict)  # SKILL.md texts
    origin: str = ""  # the file it was read from


@dataclass(frozen=True, slots=True)
class Group:
    """A composition inside a run: the whole, or a sub-skill of another composition."""

    path: str
    composition: Composition
    after: tuple[str, ...] = ()  # paths of members and groups in the same group
    required: bool = True
    given: SubSkill | None = None  # what the composition around it says of it; nothing for the whole


@dataclass(frozen=True, slots=True)
class Member:
    """A sub-skill that becomes an agent, with the settings that it inherits from the compositions around it."""

    path: str
    sub_skill: SubSkill
    group: Group
    after: tuple[str, ...] = ()  # paths of members and groups in the same group
    text: str = ""  # its SKILL.md

    @property
    def retries(self) -> int:
        """The number of attempts after the first."""
        strategy = self.group.composition.coordination_strategy
        if strategy.error_handling != "retry":
            return 0
        return RETRIES if strategy.max_retries is None else strategy.max_retries


@dataclass(frozen=True, slots=True)
class Flat:
    """All groups and members of a run. `groups` begins with the whole, each group before the groups inside it."""

    groups: tuple[Group, ...]
    members: tuple[Member, ...]

    def graph(self) -> dict[str, list[str]]:
        """Return the dependencies of each node by path, in a form no larger than the edges that were given.

        A group is two nodes that take no time: `web/`, after which its members begin, and `web`, its end.
        """
        return expanded(
            ((group.path, group.after) for group in self.groups),
            ((member.path, member.after) for member in self.members),
        )

    def joints(self) -> set[str]:
        """Return the nodes of the graph that are not members."""
        return {joint for group in self.groups if group.path for joint in (group.path, f"{group.path}/")}

    def bounds(self) -> dict[str, int]:
        """Return the `maxParallel` of each group that sets it, by path."""
        limits = {group.path: group.composition.max_parallel for group in self.groups}
        return {path: most for path, most in limits.items() if most is not None}


def expanded(
    groups: Iterable[tuple[str, Iterable[str]]], members: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, list[str]]:
    """Return the graph of a run from the path and the `after` of each group and member; see `Flat.graph`."""
    inner = [(path, list(after)) for path, after in groups if path]
    everything = [*inner, *((path, list(after)) for path, after in members)]
    is_followed = {node for _, after in everything for node in after}
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
    """Return the groups and members of `tree`, in the order of the files.

    Runner, model, timeout and variables of a nested composition apply to each of its members that sets none of its
    own. Raises CompositionError as `order_of` does, when there are more than 10,000 members, and when the path of a
    member has more than 1,000 bytes.
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
            message = (
                f"{tree.composition.name!r} has more than {MOST:,} members, including members of nested compositions"
            )
            way_out = "split it into several runs"
            raise CompositionError([Problem("too-many-members", "$.subSkills", None, message, way_out)])
        path = entry.path if isinstance(entry, Member) else entry[1].path
        if len(path.encode(errors="surrogatepass")) > LONGEST_PATH:
            message = f"the path of a member, {path[:60]}..., has more than {LONGEST_PATH:,} bytes"
            way_out = "reduce the nesting, or use shorter names"
            raise CompositionError([Problem("too-long", "$.subSkills", path, message, way_out)])
    return Flat(tuple(groups), tuple(members))


def _inside(tree: Tree, group: Group) -> Iterator[Member | tuple[Tree, Group]]:
    """Yield the members directly inside a group, and the groups there with their trees."""
    order = order_of(tree.composition)
    prefix = f"{group.path}/" if group.path else ""
    for sub_skill in tree.composition.sub_skills:
        name = name_of(sub_skill)
        path, after = prefix + name, tuple(prefix + other for other in order[name])
        given, outer = sub_skill, group.given
        if outer is not None:
            given = replace(
                sub_skill,
                runner=sub_skill.runner or outer.runner,
                model=sub_skill.model or outer.model,
                timeout=outer.timeout if sub_skill.timeout is None else sub_skill.timeout,
                env={**outer.env, **sub_skill.env},
            )
        if name in tree.nested:
            inner = tree.nested[name]
            yield inner, Group(path, inner.composition, after, sub_skill.required, given)
        else:
            yield Member(path, given, group, after, tree.texts.get(name, ""))
