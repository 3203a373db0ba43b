"""What can go wrong, of two sorts: what a user can cause and a client can act on is data; all else is an error."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from db.keys import MessageKey


class ParleyError(Exception):
    """The root of every error that is meant to be seen."""


class RequestError(ParleyError):
    """The request as a whole cannot be answered: a top-level GraphQL error with this code."""

    code: ClassVar[str]


class UnauthenticatedError(RequestError):
    code = "UNAUTHENTICATED"


class BadUserInputError(RequestError):
    code = "BAD_USER_INPUT"


class BadCursorError(RequestError):
    code = "BAD_CURSOR"


class ForbiddenError(RequestError):
    code = "FORBIDDEN"


class NotFoundError(RequestError):
    code = "NOT_FOUND"


class QueryTooComplexError(RequestError):
    code = "QUERY_TOO_COMPLEX"


class TooManyRequestsError(RequestError):
    """Too much in too short a time, where there is no payload to say so; `retry_after` is in milliseconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnavailableError(RequestError):
    code = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class UserError:
    """One thing that was wrong with the input of a mutation; `path` leads to it from the field's arguments."""

    message: str
    path: tuple[str, ...]

    code: ClassVar[str]


@dataclass(frozen=True, slots=True)
class NotFound(UserError):
    code = "NOT_FOUND"


@dataclass(frozen=True, slots=True)
class PermissionDenied(UserError):
    code = "PERMISSION_DENIED"


@dataclass(frozen=True, slots=True)
class Invalid(UserError):
    code = "VALIDATION_ERROR"


@dataclass(frozen=True, slots=True)
class ConversationExists(UserError):
    conversation: UUID

    code = "CONVERSATION_EXISTS"


@dataclass(frozen=True, slots=True)
class IdempotencyConflict(UserError):
    original: MessageKey

    code = "IDEMPOTENCY_CONFLICT"


@dataclass(frozen=True, slots=True)
class EditConflict(UserError):
    current: MessageKey

    code = "EDIT_CONFLICT"


@dataclass(frozen=True, slots=True)
class ReportResolved(UserError):
    report: UUID

    code = "EDIT_CONFLICT"


@dataclass(frozen=True, slots=True)
class Blocked(UserError):
    code = "BLOCKED"


@dataclass(frozen=True, slots=True)
class ContentRejected(UserError):
    code = "CONTENT_REJECTED"


@dataclass(frozen=True, slots=True)
class ContextUnavailable(UserError):
    code = "CONTEXT_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class RateLimited(UserError):
    retry_after_ms: int

    code = "RATE_LIMITED"


@dataclass(frozen=True, slots=True)
class ScheduleConflict(UserError):
    original: UUID

    code = "IDEMPOTENCY_CONFLICT"


class RefusedError(ParleyError):
    """A mutation that changed nothing, and every reason why."""

    def __init__(self, *errors: UserError) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors
