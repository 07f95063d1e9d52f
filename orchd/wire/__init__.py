"""What daemon and client share: frames, error codes, places on disk, durations. Nothing here decides anything."""

from orchd.wire.durations import duration
from orchd.wire.errors import WireError
from orchd.wire.frames import (
    MAX_FRAME,
    MOST,
    VERSION,
    pack_error,
    pack_hint,
    pack_request,
    pack_result,
    unpack_hint,
    unpack_reply,
    unpack_request,
)
from orchd.wire.homes import Home, HomeError, default_home
from orchd.wire.services import Service, log_of, served_by
from orchd.wire.sizes import share, size
from orchd.wire.variables import ENV_AGENT, ENV_ATTEMPT, ENV_HOME

__all__ = [
    "ENV_AGENT",
    "ENV_ATTEMPT",
    "ENV_HOME",
    "MAX_FRAME",
    "MOST",
    "VERSION",
    "Home",
    "HomeError",
    "Service",
    "WireError",
    "default_home",
    "duration",
    "log_of",
    "pack_error",
    "pack_hint",
    "pack_request",
    "pack_result",
    "served_by",
    "share",
    "size",
    "unpack_hint",
    "unpack_reply",
    "unpack_request",
]
