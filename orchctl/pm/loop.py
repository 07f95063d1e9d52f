"""The main loop of a pm: takes ready items, starts their developers in a single request, and waits for them to end.

Every step is written to the journal before it is done, for the next pm. Developers keep running when a pm is
killed; the next pm waits for them and records their ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchctl.client import Client, pages
from orchctl.errors import RefusedError, UsageError
from orchctl.plans.shape import slug
from orchctl.pm import journal as journals
from orchctl.pm.developer import Developer, DeveloperOptions, developer, name_of
from orchctl.pm.journal import Journal
from orchctl.pm.report import Row, judged, lost_row, row_of
from orchctl.pm.work_item import Backlog, WorkSource
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


class PmLoop:
    """The loop of a pm. `wait` returns when any of these agents has ended, `tell` receives each row."""

    def __init__(
        self,
        client: Client,
        source: WorkSource,
        journal: Journal,
        wishes: DeveloperOptions,
        *,
        most: int,
        wait: Wait,
        tell: Tell,
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
        self.skipped: list[str] = []  # taken by another client first

    def work(self, *, once: bool) -> bool:
        """Run until no item is ready and no developer is running. False when the wait timed out first."""
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
        try:
            self.left = self._board().left
        except (RefusedError, UsageError) as error:
            self._keep_on(error)
        return True

    def _resumed(self) -> list[dict[str, Any]]:
        """Recover the state of an earlier pm. Returns the entries of taken items that have no developer yet."""
        agents = self._agents_of(self._journal.of("taken"))
        waiting = []
        for entry in self._journal.of("taking", "taken"):
            if entry["id"] in agents:
                self._journal.add(id=entry["id"], state="started", agent=agents[entry["id"]])
            elif entry["state"] == "taken":
                if self._source.is_open(entry["id"]):
                    waiting.append(entry)
                else:
                    self._journal.add(id=entry["id"], state="dropped")
                    self.skipped.append(entry["id"])
            elif self._take(entry):
                waiting.append(entry)
        started = {entry["agent"]: entry for entry in self._journal.of("started")}
        known = pages.known(self._client, started)
        for agent_id, entry in started.items():
            if agent_id not in known:
                row = entry.get("row") or lost_row(entry, self._journal.result(entry))
                self._end(entry, row, {"id": agent_id, "status": row["status"], "reason": row["reason"]})
        self.going = {agent_id: entry for agent_id, entry in started.items() if agent_id in known}
        self._collect(agent for agent in known.values() if text.is_over(agent))
        return waiting

    def _agents_of(self, entries: list[dict[str, Any]]) -> dict[str, str]:
        """Return the agents of taken items: a request for them may have arrived without its reply."""
        if not entries:
            return {}
        taken = {str(self._journal.prompt(entry)): entry["id"] for entry in entries}
        agents = pages.status(self._client, {"all": True, "usage": False})["agents"]
        directory = str(self._wishes.directory)
        here = (agent for agent in agents if agent["stdin"] in taken and agent["cwd"] == directory)
        return {agent["task_id"]: agent["id"] for agent in here if taken[agent["stdin"]] == agent["task_id"]}

    def _board(self) -> Backlog:
        """Return the board without items that were tried already."""
        board = Backlog([]) if self.troubles else self._source.board()
        tried = {*self._journal.entries, *self.skipped}
        ready = [item for item in board.ready if item.id not in tried]
        return Backlog(ready, {item_id: why for item_id, why in board.left.items() if item_id not in tried})

    def _start(self, entries: list[dict[str, Any]]) -> None:
        """Start developers for the taken items, and take more while slots are free."""
        try:
            if self._wishes.worktree:  # fails before anything is taken
                checkout = checks.checkout_of(self._wishes.directory)
                checks.head(checkout)
                checks.filling_of(self._client.home.config, checkout)
            self._take_ready(entries)
            if entries:
                self._spawn(entries)
        except (RefusedError, UsageError, WireError, OSError) as error:
            self._keep_on(error)

    def _keep_on(self, error: Exception) -> None:
        """Keep an error until running developers are reported. Raises it when there is nothing to report."""
        if not (self.going or self.rows):
            raise error
        self.troubles.append(str(error))

    def _take_ready(self, entries: list[dict[str, Any]]) -> None:
        """Take ready items while slots are free, and add their entries to `entries`."""
        room = self._most - len(self.going) - len(entries)
        for item in self._board().ready if room > 0 else ():
            if not room:
                return
            used = {entry["file"] for entry in self._journal.entries.values()}
            first = slug(item.id).replace(".prompt", "-prompt")  # `x.prompt` would be the prompt of `x`
            numbered = (f"{first}-{number}" for number in range(2, len(used) + 3))
            file = next(name for name in (first, *numbered) if name not in used)
            self._journal.add(**journals.entry_of(item, file))
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

    def _take(self, entry: dict[str, Any]) -> bool:
        """Claim an item in its list; False when another client has taken it first."""
        is_ours = self._source.take(journals.item_of(entry))
        self._journal.add(id=entry["id"], state="taken" if is_ours else "dropped")
        if not is_ours:
            self.skipped.append(entry["id"])
        return is_ours

    def _spawn(self, entries: list[dict[str, Any]]) -> None:
        """Spawn developers in a single request; when it is refused, return every item to its list."""
        developers = self._developers(entries)
        request = {"agents": [spec for spec, _ in developers], **origin(self._wishes.directory)}
        try:
            schema.parse(operations.Spawn, request)
            for entry, (_, prompt) in zip(entries, developers, strict=True):
                atomic_file.write(self._journal.prompt(entry), prompt.encode(errors="replace"))
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

    def _developers(self, entries: list[dict[str, Any]]) -> list[Developer]:
        """Return the developers of some entries; in worktrees they start with the work of completed dependencies."""
        names = [name_of(entry["id"]) for entry in entries]
        if self._wishes.worktree:  # the branch of a name must not exist yet
            used: set[str] = set()
            names = [checks.free_name(name, self._wishes.directory, used) for name in names]
        developers = []
        for entry, name in zip(entries, names, strict=True):
            prompt, result = self._journal.prompt(entry), self._journal.result(entry)
            developers.append(developer(journals.item_of(entry), name, self._wishes, prompt=prompt, result=result))
        if self._wishes.worktree:
            base = checks.head(checks.checkout_of(self._wishes.directory))
            for entry, (spec, _) in zip(entries, developers, strict=True):
                before = self._source.before(journals.item_of(entry))
                agent_ids = [self._agents[item_id] for item_id in before if item_id in self._agents]
                known = pages.known(self._client, agent_ids)
                after = [agent["id"] for agent in known.values() if checks.has_worktree(agent)]
                spec.update(base=base, **({"after": after} if after else {}))
        return developers

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
            runner = agent["runner"] or self._wishes.runner or os.environ.get(environment.ENV_DEFAULT_RUNNER)
            runner = runner or runner_config.read(self._client.home.config).default  # a team has none of its own
            outcome = judged(agent, is_pretending=runner == runner_config.MOCK)
            self._end(entry, row_of(entry, outcome, self._journal.result(entry)), outcome)

    def _end(self, entry: dict[str, Any], row: Row, agent: dict[str, Any]) -> None:
        """Record the end of a developer. An update that its list refuses is tried again by the next pm."""
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
