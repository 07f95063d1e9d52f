"""Operations on sessions and budgets."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.core.state.agents import number_of
from orchd.core.state.sessions import Session, number_of_session
from orchd.core.state.spending import Budget
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, Reply
from orchd.server.context import Context
from orchd.server.operations.agents import PAGE, page_of
from orchd.server.operations.specs import scope_of
from orchd.views import agents as views

SESSIONS_PAGE = 50


def sessions(context: Context, call: Call, args: operations.Sessions) -> Reply:
    """Return one page of sessions, newest first; to an agent, its own."""
    if (own := context.resolver.session_of(call.caller)) is not None:
        return Reply({"sessions": [_map(context, context.records.session(own))], "more": None})
    page = context.store.sessions(args.before, SESSIONS_PAGE + 1, args.project)
    more = number_of_session(page[SESSIONS_PAGE - 1].id) if len(page) > SESSIONS_PAGE else None
    return Reply({"sessions": [_map(context, session) for session in page[:SESSIONS_PAGE]], "more": more})


def session_status(context: Context, call: Call, args: operations.SessionStatus) -> Reply:
    """Return a session with one page of its agents, newest first."""
    session = context.resolver.requested_session(call.caller, args)
    root = context.resolver.root_of(call.caller)
    tree = None if root is None else number_of(root)
    maps, more = page_of(context, context.store.in_session(session.id, args.before, PAGE + 1, tree), usage=False)
    return Reply({"session": _map(context, session), "agents": maps[::-1], "more": more})


def _map(context: Context, session: Session) -> dict[str, object]:
    """Return a session in its current state."""
    now = context.state.sessions.get(session.id, session)
    return views.session_map(now, context.state.in_sessions.get(session.id, 0))


def session_new(context: Context, call: Call, args: operations.SessionNew) -> inputs.OpenSession:
    """Return the input that opens a session."""
    budget = Budget(args.max_tokens, args.max_cost)
    return inputs.OpenSession(call.id, scope_of(context, args.project), args.name, budget)


def session_close(context: Context, call: Call, args: operations.SessionClose) -> inputs.CloseSession:
    """Return the input that closes a session."""
    session = context.records.session(args.id)
    context.records.keep(session)
    return inputs.CloseSession(call.id, session.id)


def session(context: Context, _: Call, answer: Answer) -> dict[str, object]:
    """Return the session that was opened or closed."""
    return {"session": _map(context, context.records.session(answer.subject or ""))}


def sets_budget(args: operations.Budget) -> bool:
    """Return whether a request changes the budget."""
    return args != operations.Budget(args.id)


def show_budget(context: Context, _: Call, args: operations.Budget) -> Reply:
    """Return the budget of a session or run."""
    return Reply(_budget(context, args.id))


def set_budget(context: Context, call: Call, args: operations.Budget) -> inputs.SetBudget:
    """Return the input that sets the budget of a session or run. Raises WireError for `unlimited` beside a number."""
    if args.unlimited and (args.max_tokens is not None or args.max_cost is not None):
        raise WireError("bad-request", "`unlimited` removes both numbers; omit `max_tokens` and `max_cost`")
    scope = context.records.scope(args.id)
    context.records.keep(scope)
    old = Budget() if args.unlimited else scope.budget
    tokens = args.max_tokens if args.max_tokens is not None else old.tokens
    cost = args.max_cost if args.max_cost is not None else old.cost_usd
    return inputs.SetBudget(call.id, scope.id, Budget(tokens, cost))


def budget(context: Context, _: Call, answer: Answer) -> dict[str, object]:
    """Return the budget that was set."""
    return _budget(context, answer.subject or "")


def _budget(context: Context, scope_id: str) -> dict[str, object]:
    scope = context.records.scope(scope_id)
    return {"id": scope.id, **views.budget_map(scope)}
