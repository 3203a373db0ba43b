"""Whether a message may be sent: the content checks, our own and the host application's.

A check is asked before anything is written, outside any transaction, whenever somebody sends, edits, starts a
conversation with a message, or a scheduled message is due. What it says is not known to the database; it is asked again
whenever a client repeats itself.
"""

import asyncio
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

import structlog

from db.rows import User
from resolvers.contents import Content
from resolvers.errors import ContentRejected, RefusedError

_log = structlog.get_logger(__name__)

LONGEST_SAID = 200
"""Characters of a warning or a reason."""

FAILED = "It could not be checked."
"""The warning of a message whose check failed, where such messages are flagged."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """It is sent, everybody is shown the warning with it, and moderators are asked to look at it."""

    warning: str


@dataclass(frozen=True, slots=True)
class Reject:
    """It is not sent, and the sender is told why."""

    reason: str


Verdict = Allow | Flag | Reject
Failure = Literal["allow", "flag", "reject"]
"""What becomes of a message that a check could not be asked about."""


class Check(Protocol):
    """What looks at messages."""

    async def check(self, content: Content, sender: User, conversation: UUID | None) -> Verdict:
        """What is to become of what the sender is about to say; no conversation: it is only being started."""


class CheckError(Exception):
    """There is no content check by this name, or it is none."""


def load(path: str) -> Check:
    """What the import path `package.module:name` names, called without arguments; raises CheckError."""
    module, _, name = path.partition(":")
    try:
        check: Check = getattr(importlib.import_module(module), name)()
    except Exception as error:  # whatever the host application's module does when it is imported
        raise CheckError(f"{path}: {type(error).__name__}: {error}") from error
    if not callable(getattr(check, "check", None)):
        raise CheckError(f"{path}: what it returns has no method `check`")
    return check


class Guarded:
    """A check of somebody else's, which may be slow or fail: then one and the same thing is said of the message."""

    def __init__(self, check: Check, *, seconds: float, failure: Failure) -> None:
        self._check = check
        self._seconds = seconds
        self._failure = failure

    async def check(self, content: Content, sender: User, conversation: UUID | None) -> Verdict:
        try:
            async with asyncio.timeout(self._seconds):
                verdict = await self._check.check(content, sender, conversation)
            if not isinstance(verdict, Verdict):
                raise TypeError(f"a content check says Allow, Flag or Reject, not {type(verdict).__name__}")  # noqa: TRY301  (its fault like any other)
        except Exception as error:  # noqa: BLE001  (it is not ours; a message is never an unhandled error)
            _log.warning("content_check_failed", reason=str(error) or type(error).__name__, then=self._failure)
            return self._failed()
        return verdict

    def _failed(self) -> Verdict:
        match self._failure:
            case "allow":
                return Allow()
            case "flag":
                return Flag(FAILED)
            case "reject":
                return Reject("messages cannot be checked at the moment; try again later")


class Checks:
    """All checks, one after the other: the first that rejects decides."""

    def __init__(self, checks: Iterable[Check] = ()) -> None:
        self._checks = tuple(checks)

    async def examine(
        self, content: Content, sender: User, conversation: UUID | None, path: tuple[str, ...]
    ) -> str | None:
        """The warning that a message is to carry. Raises RefusedError, whose path is that of the content at `path`.

        What the host application says with a service token is its own.
        """
        if content.kind != "TEXT":
            return None
        warnings: list[str] = []
        for check in self._checks:
            verdict = await check.check(content, sender, conversation)
            if isinstance(verdict, Reject):
                raise RefusedError(ContentRejected(verdict.reason[:LONGEST_SAID], (*path, "body")))
            if isinstance(verdict, Flag):
                warnings.append(verdict.warning)
        return " ".join(warnings)[:LONGEST_SAID] or None
