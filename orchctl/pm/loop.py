"""The pm at work: takes what is ready, starts developers in one request, and goes on as they end.

Every step is in the journal before it is done, so that the next pm finds what this one has begun. Who killed it has the
developers going on; the next one waits for them, and writes down what became of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchctl.client import Client, pages
from orchctl.errors import RefusedError, UsageError
from orchctl.plans.shape import slug
from orchctl.pm import journal as journals
from orchctl.pm.developer import Developer, Wishes, developer, name_of
from orchctl.pm.journal import Journal
from orchctl.pm.report import Row, judged, lost_row, row_of
from orchctl.pm.work_item import Board, Item, Source
from orchctl.render import text
from orchctl.spawn.mock_notes import note_pretenders
from orchctl.spawn.request import origin
from orchctl.worktrees import checks
from orchd.instance import environment, runner_config
from orchd.instance.system import atomic_file
from orchd.protocol import operations, schema
from orchd.protocol.errors import WireError

Wait = Callable[[list[str]], dict[str, Any]]
Tell = Callable[[Row], None]


class Conductor:
    """One pm. `wait` returns when one of these agents has ended, `tell` is told of each that has."""

    def __init__(
        self, client: Client, source: Source, journal: Journal, wishes: Wishes, *, most: int, wait: Wait, tell: Tell
    ) -> None:
        self._client = client
        self._source = source
        self._journal = journal
        self._wishes = wishes
        self._most = most
        self._wait = wait
        self._tell = tell
        self._has_started = False
        self._agents = journals.completed(journal)  # the agents of items that completed, of this pm and earlier ones
        self.going: dict[str, dict[str, Any]] = {}  # the entries of developers that have not ended, by agent
        self.rows: list[Row] = [entry["row"] for entry in journal.of("over")]
        self.left: Mapping[str, str] = {}
        self.troubles: list[str] = []
        self.skipped: list[str] = []  # what somebody else was quicker to take

    def work(self, *, once: bool) -> bool:
        """Go on until nothing is ready and nobody works. False when the wait for somebody was over first."""
        waiting = self._resumed()
        if waiting or not (once and self.going):
            self._start(waiting)
        while self.going:
            answer = self._wait(list(self.going))
            self._collect(agent for agent in answer["agents"] if text.is_over(agent))
            if answer["timed_out"]:
                return False
            if not once and not self.troubles:
                self._start([])
        self._look_at_rest()
        return True

    def _look_at_rest(self) -> None:
        try:
            self.left = self._board().left
        except (RefusedError, UsageError) as error:
            self._keep_on(error)

    def _resumed(self) -> list[dict[str, Any]]:
        """Find what an earlier pm began. Returns the entries that are taken and have no developer yet."""
        found = self._found(self._journal.of("taken"))
        waiting = []
        for entry in self._journal.of("taking", "taken"):
            if entry["id"] in found:
                self._journal.add(id=entry["id"], state="started", agent=found[entry["id"]])
            elif entry["state"] == "taken":
                waiting += [entry] if self._keeps(entry) else []
            elif self._take(entry):
                waiting.append(entry)
        started = {entry["agent"]: entry for entry in self._journal.of("started")}
        known = pages.known(self._client, started)
        for agent, entry in started.items():
            if agent not in known:
                row = entry.get("row") or lost_row(entry, self._journal.result(entry))
                self._end(entry, row, {"id": agent, "status": row["status"], "reason": row["reason"]})
        self.going = {agent: entry for agent, entry in started.items() if agent in known}
        self._collect(agent for agent in known.values() if text.is_over(agent))
        return waiting

    def _keeps(self, entry: dict[str, Any]) -> bool:
        """Whether an item that an earlier pm took is still to be done."""
        if not self._source.is_open(entry["id"]):
            self._journal.add(id=entry["id"], state="dropped")
            self.skipped.append(entry["id"])
            return False
        return True

    def _found(self, entries: list[dict[str, Any]]) -> dict[str, str]:
        """The agents of items that were taken: a request for them may have arrived whose reply nobody heard."""
        if not entries:
            return {}
        wanted = {str(self._journal.prompt(entry)): entry["id"] for entry in entries}
        agents = pages.status(self._client, {"all": True, "usage": False})["agents"]
        place = str(self._wishes.directory)
        mine = (agent for agent in agents if agent["stdin"] in wanted and agent["cwd"] == place)
        return {agent["task_id"]: agent["id"] for agent in mine if wanted[agent["stdin"]] == agent["task_id"]}

    def _board(self) -> Board:
        """What is there, without what has been tried already."""
        found = Board([]) if self.troubles else self._source.board()
        tried = {*self._journal.entries, *self.skipped}
        ready = [item for item in found.ready if item.id not in tried]
        return Board(ready, {one: why for one, why in found.left.items() if one not in tried})

    def _start(self, entries: list[dict[str, Any]]) -> None:
        """Start developers for what is taken, and take more as long as there is room."""
        try:
            self._check_place()
            self._fill(entries)
            if entries:
                self._spawn(entries)
        except (RefusedError, UsageError, WireError, OSError) as error:
            self._keep_on(error)

    def _keep_on(self, error: Exception) -> None:
        """First those that work are waited for, and what has been done is told. Raises it when there is neither."""
        if not (self.going or self.rows):
            raise error
        self.troubles.append(str(error))

    def _fill(self, entries: list[dict[str, Any]]) -> None:
        room = self._most - len(self.going) - len(entries)
        for item in self._board().ready if room > 0 else ():
            if not room:
                return
            self._journal.add(**journals.entry_of(item, self._file(item)))
            entry = self._journal.entries[item.id]
            try:
                if self._take(entry):
                    entries.append(entry)
                    room -= 1
            except RefusedError as error:
                if not entries:
                    raise
                self.troubles.append(f"{item.id}: {error}")
                return

    def _check_place(self) -> None:
        """Raise RefusedError before anything is taken that could not be started."""
        if self._wishes.worktree:
            checkout = checks.checkout_of(self._wishes.directory)
            checks.head(checkout)
            checks.filling_of(self._client.home.config, checkout)

    def _take(self, entry: dict[str, Any]) -> bool:
        is_ours = self._source.take(journals.item_of(entry))
        self._journal.add(id=entry["id"], state="taken" if is_ours else "dropped")
        if not is_ours:
            self.skipped.append(entry["id"])
        return is_ours

    def _file(self, item: Item) -> str:
        """The name of its files. What ends in `.prompt` would be the prompt of another."""
        used = {entry["file"] for entry in self._journal.entries.values()}
        name = number = slug(item.id).replace(".prompt", "-prompt")
        for count in range(2, len(used) + 3):
            if number not in used:
                break
            number = f"{name}-{count}"
        return number

    def _spawn(self, entries: list[dict[str, Any]]) -> None:
        """All of them in one request; when it is refused, everything is given back."""
        made = [self._developer(entry, name) for entry, name in zip(entries, self._names(entries), strict=True)]
        if self._wishes.worktree:
            base = checks.head(checks.checkout_of(self._wishes.directory))
            for entry, one in zip(entries, made, strict=True):
                one.spec.update(base=base, **self._begun_with(entry))
        request = {"agents": [one.spec for one in made], **origin(self._wishes.directory)}
        try:
            schema.build(operations.Spawn, request)
            for entry, one in zip(entries, made, strict=True):
                atomic_file.write(self._journal.prompt(entry), one.prompt.encode(errors="replace"))
            agents = self._client.call("spawn", request)["agents"]
        except (WireError, OSError) as error:
            self._give_back(entries, str(error))
            raise
        except schema.ShapeError as error:
            self._give_back(entries, str(error))
            raise UsageError(f"{error}; nothing was started", code="bad-tasks") from None
        if not self._has_started:
            note_pretenders(agents, self._wishes.runner)
        self._has_started = True
        for entry, agent in zip(entries, agents, strict=True):
            self._journal.add(id=entry["id"], state="started", agent=agent["id"])
            self.going[agent["id"]] = entry

    def _names(self, entries: list[dict[str, Any]]) -> list[str]:
        """What they are called: in worktrees, so that each has a branch that is not there yet."""
        names = [name_of(entry["id"]) for entry in entries]
        if not self._wishes.worktree:
            return names
        used: set[str] = set()
        return [checks.free_name(name, self._wishes.directory, used) for name in names]

    def _begun_with(self, entry: dict[str, Any]) -> dict[str, list[str]]:
        """The `after` of a developer that is to begin with what others have committed in their worktrees."""
        before = self._source.before(journals.item_of(entry))
        known = pages.known(self._client, [self._agents[one] for one in before if one in self._agents])
        after = [agent["id"] for agent in known.values() if checks.has_worktree(agent)]
        return {"after": after} if after else {}

    def _developer(self, entry: dict[str, Any], name: str) -> Developer:
        prompt, result = self._journal.prompt(entry), self._journal.result(entry)
        return developer(journals.item_of(entry), name, self._wishes, prompt=prompt, result=result)

    def _give_back(self, entries: list[dict[str, Any]], why: str) -> None:
        for entry in entries:
            try:
                self._source.give_back(entry["id"], f"orchctl pm could not start a developer: {why}")
                self._journal.add(id=entry["id"], state="dropped")
            except RefusedError as error:  # it stays `taken`, and the next pm goes on with it
                self.troubles.append(f"{entry['id']}: {error}")

    def _collect(self, agents: Iterable[dict[str, Any]]) -> None:
        for agent in agents:
            entry = self.going.pop(agent["id"])
            seen = judged(agent, is_pretending=self._pretends(agent))
            self._end(entry, row_of(entry, seen, self._journal.result(entry)), seen)

    def _pretends(self, agent: dict[str, Any]) -> bool:
        """Whether it is a mock, or a team of mocks."""
        wanted = agent["runner"] or self._wishes.runner or os.environ.get(environment.ENV_DEFAULT_RUNNER)
        return (wanted or runner_config.read(self._client.home.config).default) == runner_config.MOCK

    def _end(self, entry: dict[str, Any], row: Row, agent: dict[str, Any]) -> None:
        """Write down what became of a developer. What its list does not take now is tried again by the next pm."""
        try:
            row["task"] = self._source.finish(entry["id"], {"reason": None, **agent})
            self._journal.add(id=entry["id"], state="over", row=row)
            self._agents |= journals.completed_in(self._journal)
        except RefusedError as error:
            self._journal.add(id=entry["id"], state="started", row=row)  # the daemon may forget the agent
            self.troubles.append(
                f"{entry['id']}: {agent['id']} {agent['status']}, and its list was not updated: {error}"
            )
        self.rows.append(row)
        self._tell(row)
