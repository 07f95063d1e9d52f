"""Operations on keys for remote access, and on hints to remote clients."""

from __future__ import annotations

from orchd.protocol import remote_operations
from orchd.server.calls import Call, Reply
from orchd.server.context import Context


def listen(context: Context, call: Call, _: remote_operations.Listen) -> Reply:
    """Send hints to this connection from now on."""
    context.subscribers.listen(call.caller, call.peer.route)
    return Reply({"last": context.store.last_seq()})


def keys(context: Context, _: Call, __: remote_operations.Keys) -> Reply:
    """Return the authorized keys, and the daemon's own."""
    return Reply(context.subscribers.keys())


def authorize(context: Context, call: Call, args: remote_operations.KeyAuthorize) -> Reply:
    """Authorize a key."""
    return Reply(context.subscribers.change(call.id, call.caller, args))


def revoke(context: Context, call: Call, args: remote_operations.KeyRevoke) -> Reply:
    """Revoke a key; nothing more is sent to its clients, also when the disk did not take the change."""
    try:
        return Reply(context.subscribers.change(call.id, call.caller, args))
    finally:
        context.waits.drop_all_of(args.key)
