"""What moderators do: people whose token has the role `moderator`, members or not.

What they read and change beyond their memberships is what a report is about, and is done in nobody's name with exactly
that scope. Whatever they do is in the audit trail, in the transaction that does it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from db import audit, reports, users
from db.pool import Connection
from db.reports import Case
from db.rows import AuditEntry
from resolvers import cursors, deleting
from resolvers.errors import ForbiddenError, Invalid, NotFound, RefusedError, ReportResolved
from resolvers.identity import Caller
from resolvers.pages import Page, PageArguments
from resolvers.permissions import MODERATOR_ROLE
from resolvers.service import Service

DEFAULT_SIZE = 20
LONGEST_NOTE = 1_000
"""Characters."""

_REPORT, _UNTIL, _NOTE = ("input", "reportId"), ("input", "restrictUntil"), ("input", "note")


@dataclass(frozen=True, slots=True)
class Resolution:
    kind: str
    """DISMISS, REMOVE_MESSAGE or RESTRICT_USER."""
    restrict_until: datetime | None = None
    note: str | None = None


def require(caller: Caller) -> None:
    """Raises ForbiddenError for who is no moderator."""
    if MODERATOR_ROLE not in caller.roles:
        raise ForbiddenError(f"this takes a token with the role {MODERATOR_ROLE!r}")


async def resolve(service: Service, caller: Caller, key: UUID, wanted: Resolution) -> None:
    """Resolve a report; of several who do so at once one is the first. Raises ForbiddenError and RefusedError."""
    require(caller)
    if wrong := _errors(wanted):
        raise RefusedError(*wrong)
    revision = None
    async with service.database.system() as connection, connection.transaction():
        case = await reports.lock(connection, key)
        if case is None:
            raise RefusedError(NotFound("there is no such report", _REPORT))
        if case.status != "OPEN":
            if (case.resolved_by, case.resolution) == (caller.user.key, wanted.kind):
                return  # a client that got no answer
            raise RefusedError(ReportResolved("the report was resolved before", _REPORT, key))
        if wanted.kind == "REMOVE_MESSAGE":
            revision = await deleting.remove(connection, caller, case.message)
        if wanted.kind == "RESTRICT_USER":
            await _restrict(connection, case, wanted)
        await reports.resolve(connection, key, case.message, caller.user.key, wanted.kind, wanted.note)
        await audit.record(
            connection,
            caller.user.key,
            _ACTIONS[wanted.kind],
            user=case.sender,
            message=case.message,
            report=key,
            until=wanted.restrict_until,
            note=wanted.note,
        )
    if revision is not None:
        service.wakeups.tell(case.message.conversation, revision)


_ACTIONS = {
    "DISMISS": "REPORT_DISMISSED",
    "REMOVE_MESSAGE": "MESSAGE_REMOVED",
    "RESTRICT_USER": "USER_RESTRICTED",
}


async def _restrict(connection: Connection, case: Case, wanted: Resolution) -> None:
    if case.sender is None:
        raise RefusedError(Invalid("nobody sent this message whom one could restrict", ("input", "resolution")))
    await users.restrict(connection, case.sender, wanted.restrict_until)


def _errors(wanted: Resolution) -> list[Invalid]:
    found = []
    if wanted.note is not None and len(wanted.note) > LONGEST_NOTE:
        found.append(Invalid(f"a note has at most {LONGEST_NOTE} characters", _NOTE))
    if (wanted.kind == "RESTRICT_USER") != (wanted.restrict_until is not None):
        found.append(Invalid("restrictUntil goes with RESTRICT_USER, and that with it", _UNTIL))
    if wanted.restrict_until is not None and wanted.restrict_until <= datetime.now(UTC):
        found.append(Invalid("restrictUntil is a time to come", _UNTIL))
    return found


async def restrict(service: Service, caller: Caller, user: UUID, until: datetime | None, note: str | None) -> None:
    """Let a user read and do nothing else until then; None: no longer. Raises ForbiddenError and RefusedError."""
    require(caller)
    path = ("input", "until")
    if note is not None and len(note) > LONGEST_NOTE:
        raise RefusedError(Invalid(f"a note has at most {LONGEST_NOTE} characters", _NOTE))
    if until is not None and until <= datetime.now(UTC):
        raise RefusedError(Invalid("until is a time to come; null ends a restriction", path))
    async with service.database.system() as connection, connection.transaction():
        if not await users.restrict(connection, user, until):
            raise RefusedError(NotFound("there is no such user", ("input", "userId")))
        action = "USER_RESTRICTED" if until is not None else "RESTRICTION_LIFTED"
        await audit.record(connection, caller.user.key, action, user=user, until=until, note=note)


async def trail(service: Service, caller: Caller, arguments: PageArguments) -> Page[AuditEntry]:
    """The audit trail, newest first. Raises ForbiddenError."""
    require(caller)
    cut = arguments.cut(DEFAULT_SIZE, lambda cursor: cursors.to_moment(cursors.AUDIT, cursor), counted=False)
    async with service.database.system() as connection:
        rows = await audit.page(connection, cut)
    return Page.of(rows, lambda entry: cursors.from_moment(cursors.AUDIT, entry.at, entry.key))
