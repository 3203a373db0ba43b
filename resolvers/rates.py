"""How many calls a minute of each mutation one user may make, and how an operator says otherwise."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

ALL: Final = "*"
_UNLIMITED: Final = "unlimited"
_MOST: Final = 1_000_000

DEFAULTS: Final[Mapping[str, int | None]] = {
    "sendMessage": 100,
    "startConversation": 30,
    "scheduleMessage": 60,
    "rescheduleMessage": 60,
    "cancelScheduledMessage": 60,
    # What these write is bounded by what others do, or by themselves: a watermark moves forward only, the same typing is
    # told once in three seconds. To count them would cost more than they do.
    "markRead": None,
    "markDelivered": None,
    "markAllRead": 60,
    "setTyping": None,
    "editMessage": 60,
    "deleteMessage": 60,
    "addReaction": 120,
    "removeReaction": 120,
    "pinMessage": 30,
    "unpinMessage": 30,
    "updateConversation": 30,
    "updateViewerState": 120,
    "addParticipants": 30,
    "removeParticipant": 60,
    "setParticipantRole": 60,
    "createUpload": 60,
    "blockUser": 30,
    "unblockUser": 30,
    "reportMessage": 20,
    "resolveReport": 120,
    "restrictUser": 120,
    "updateProfile": 20,
}
"""Every mutation; None: any number."""


def rates(stated: Iterable[str]) -> Mapping[str, int]:
    """Calls a minute of each mutation that is limited, by the defaults and what is stated: `sendMessage=200`, `*=unlimited`.

    Raises ValueError.
    """
    given = dict(map(_entry, stated))
    everything = dict.fromkeys(DEFAULTS, given[ALL]) if ALL in given else DEFAULTS
    return {name: rate for name, rate in {**everything, **given}.items() if rate is not None and name != ALL}


def _entry(entry: str) -> tuple[str, int | None]:
    name, separator, value = (part.strip() for part in entry.partition("="))
    if not separator:
        raise ValueError(f"{entry[:80]!r} is no limit: write mutation=calls, sendMessage=200 for instance")
    if name != ALL and name not in DEFAULTS:
        near = difflib.get_close_matches(name, DEFAULTS, n=1)
        raise ValueError(f"there is no mutation {name[:80]!r}" + (f": did you mean {near[0]}?" if near else ""))
    if value.lower() == _UNLIMITED or value == "0":
        return name, None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:10]) <= _MOST:
        raise ValueError(
            f"{name} is limited to calls a minute, from 1 to {_MOST}, or {_UNLIMITED}; not to {value[:80]!r}"
        )
    return name, int(value)
