"""How errors reach clients: what we mean to say is said, everything else is masked, and in the log under its requestId."""

from collections.abc import Sequence

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError

from db.keys import MalformedIdError
from db.pool import DatabaseUnavailableError
from resolvers.errors import BadUserInputError, QueryTooComplexError, RequestError, TooManyRequestsError

_log = structlog.get_logger(__name__)

MASKED = "Something went wrong on our side. The requestId finds it in the server's log."
"""All that a client is told of a fault."""

_UNAVAILABLE = "The database does not answer. Nothing is wrong with the request; try again."
_ABORTED = "Parsing aborted."
"""How graphql-core 3.3 says that a limit ended its parser, which is all it says: too many tokens, or nested too deep."""


def present(errors: Sequence[GraphQLError], request_id: str) -> list[GraphQLError]:
    """The errors as clients may see them, each with its code and the request's id."""
    return [_present(error, request_id) for error in errors]


def _present(error: GraphQLError, request_id: str) -> GraphQLError:
    message, code = _told(error, request_id)
    more = {"retryAfterMs": wait} if (wait := _retry_after(error)) is not None else {}
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), **more, "code": code, "requestId": request_id},
    )


def _cause(error: GraphQLError) -> Exception | None:
    cause = error.original_error
    while isinstance(cause, GraphQLError):  # graphql-core wraps what a variable's scalar raised
        cause = cause.original_error
    return cause


def _retry_after(error: GraphQLError) -> int | None:
    """Milliseconds after which the request may be repeated, where it came too soon."""
    cause = _cause(error)
    return cause.retry_after if isinstance(cause, TooManyRequestsError) else None


def _told(error: GraphQLError, request_id: str) -> tuple[str, str]:
    """Message and code."""
    cause = _cause(error)
    match cause:
        case RequestError():
            return str(cause), cause.code
        case MalformedIdError():
            return str(cause), "BAD_USER_INPUT"
        case DatabaseUnavailableError():
            _log.warning("request_failed", request_id=request_id, path=error.path, reason=cause.reason)
            return _UNAVAILABLE, "UNAVAILABLE"
        case None | MissingQueryError() | CannotGetOperationTypeError():
            return error.message, _code(error)
        case ValueError() if error.path is None:  # a scalar refused a value, and its message says why
            return error.message, "BAD_USER_INPUT"
        case _:
            _log.error("request_failed", request_id=request_id, path=error.path, exc_info=cause)
            return MASKED, "INTERNAL"


def _code(error: GraphQLError) -> str:
    """Of an error that graphql-core or a rule of ours found in the request."""
    if isinstance(error, GraphQLSyntaxError) and error.message.endswith(_ABORTED):
        return QueryTooComplexError.code
    return str((error.extensions or {}).get("code", BadUserInputError.code))
