"""What a user can cause and a client can act on, as data."""

from enum import Enum
from typing import Annotated

import strawberry

from db import rows
from db.keys import MessageKey
from resolvers import errors
from resolvers.errors import NotFoundError as MessageGoneError
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.conversations import Conversation
from schema.messages import Message
from schema.nodes import describes
from schema.reports import Report


@strawberry.enum(description="What went wrong, for a program to decide on.")
class UserErrorCode(Enum):
    NOT_FOUND = strawberry.enum_value("NOT_FOUND", description="There is none, or the viewer may not know of it.")
    PERMISSION_DENIED = strawberry.enum_value("PERMISSION_DENIED", description="The viewer may not do this.")
    VALIDATION_ERROR = strawberry.enum_value("VALIDATION_ERROR", description="The input breaks a rule.")
    CONVERSATION_EXISTS = strawberry.enum_value(
        "CONVERSATION_EXISTS", description="There is one already; navigate there."
    )
    CONTEXT_UNAVAILABLE = strawberry.enum_value(
        "CONTEXT_UNAVAILABLE", description="The host application refused the context."
    )
    IDEMPOTENCY_CONFLICT = strawberry.enum_value(
        "IDEMPOTENCY_CONFLICT", description="The same clientMessageId came before with other content."
    )
    EDIT_CONFLICT = strawberry.enum_value("EDIT_CONFLICT", description="It changed since the client last saw it.")
    BLOCKED = strawberry.enum_value("BLOCKED", description="One of the two blocked the other.")
    CONTENT_REJECTED = strawberry.enum_value("CONTENT_REJECTED", description="The content is not allowed here.")
    RATE_LIMITED = strawberry.enum_value("RATE_LIMITED", description="Too much in too short a time.")


@strawberry.interface(description="One thing that was wrong with the input of a mutation, which changed nothing.")
class UserError:
    code: UserErrorCode = strawberry.field(description="What went wrong, for a program.")
    message: str = strawberry.field(description="What went wrong, for a developer.")
    path: list[str] = strawberry.field(description="Where in the arguments: `[input, body]`.")


async def _message(info: Info, key: MessageKey) -> rows.Message:
    found = await loading.find_message(info, key, asked(info).message_parts)
    if found is None:
        raise MessageGoneError("you are no longer a participant of this conversation")
    return found


@strawberry.type(description="What the input names does not exist, or the viewer may not know of it.")
class NotFoundError(UserError):
    is_type_of = describes(errors.NotFound)


@strawberry.type(description="The viewer may not do this.")
class PermissionDeniedError(UserError):
    is_type_of = describes(errors.PermissionDenied)


@strawberry.type(description="The input breaks a rule.")
class ValidationError(UserError):
    is_type_of = describes(errors.Invalid)


@strawberry.type(description="There is such a conversation already.")
class ConversationExistsError(UserError):
    is_type_of = describes(errors.ConversationExists)

    @strawberry.field(description="The one that exists: navigate there.", graphql_type=Conversation)
    async def conversation(root: strawberry.Parent[errors.ConversationExists], info: Info) -> rows.Conversation:
        return await loading.conversation(info, root.conversation, conversation_parts(info))


@strawberry.type(description="The same clientMessageId was used before, for other content.")
class IdempotencyConflictError(UserError):
    is_type_of = describes(errors.IdempotencyConflict)

    @strawberry.field(description="The message that was sent with that key.", graphql_type=Message)
    async def original(root: strawberry.Parent[errors.IdempotencyConflict], info: Info) -> rows.Message:
        return await _message(info, root.original)


@strawberry.type(description="The message changed since the client last saw it.")
class EditConflictError(UserError):
    is_type_of = describes(errors.EditConflict)

    @strawberry.field(description="The message as it stands now.", graphql_type=Message)
    async def current(root: strawberry.Parent[errors.EditConflict], info: Info) -> rows.Message:
        return await _message(info, root.current)


@strawberry.type(description="Another moderator was first, or did something else before.")
class ReportResolvedError(UserError):
    is_type_of = describes(errors.ReportResolved)

    @strawberry.field(description="The report as it stands now.", graphql_type=Report)
    async def report(root: strawberry.Parent[errors.ReportResolved], info: Info) -> rows.Report:
        found = await loading.find_report(info, root.report)
        if found is None:
            raise MessageGoneError("there is no such report any more")
        return found


@strawberry.type(description="One of the two blocked the other; it is not told which.")
class BlockedError(UserError):
    is_type_of = describes(errors.Blocked)


@strawberry.type(description="The content is not allowed here.")
class ContentRejectedError(UserError):
    is_type_of = describes(errors.ContentRejected)


@strawberry.type(description="The host application refused the context.")
class ContextUnavailableError(UserError):
    is_type_of = describes(errors.ContextUnavailable)


@strawberry.type(description="Too much in too short a time.")
class RateLimitedError(UserError):
    is_type_of = describes(errors.RateLimited)

    retry_after_ms: int = strawberry.field(description="Milliseconds until it may be tried again.")


StartConversationError = Annotated[
    NotFoundError
    | PermissionDeniedError
    | ValidationError
    | ConversationExistsError
    | IdempotencyConflictError
    | BlockedError
    | ContentRejectedError
    | ContextUnavailableError
    | RateLimitedError,
    strawberry.union("StartConversationError", description="Why a conversation was not started."),
]
SendMessageError = Annotated[
    NotFoundError
    | PermissionDeniedError
    | ValidationError
    | IdempotencyConflictError
    | BlockedError
    | ContentRejectedError
    | RateLimitedError,
    strawberry.union("SendMessageError", description="Why a message was not sent."),
]
CreateUploadError = Annotated[
    PermissionDeniedError | ValidationError | RateLimitedError,
    strawberry.union("CreateUploadError", description="Why nothing can be uploaded."),
]
UpdateConversationError = Annotated[
    NotFoundError | PermissionDeniedError | ValidationError | RateLimitedError,
    strawberry.union("UpdateConversationError", description="Why a conversation was not changed."),
]
ParticipantsError = Annotated[
    NotFoundError | PermissionDeniedError | ValidationError | BlockedError | RateLimitedError,
    strawberry.union("ParticipantsError", description="Why nobody was added, removed or given another role."),
]
UpdateViewerStateError = Annotated[
    NotFoundError | ValidationError | RateLimitedError,
    strawberry.union("UpdateViewerStateError", description="Why the viewer's side of a conversation was not changed."),
]
PinMessageError = Annotated[
    NotFoundError | PermissionDeniedError | ValidationError | BlockedError | RateLimitedError,
    strawberry.union("PinMessageError", description="Why a message was not pinned, or not unpinned."),
]
MarkReadError = Annotated[
    NotFoundError | ValidationError,
    strawberry.union("MarkReadError", description="Why nothing was marked read."),
]
MarkDeliveredError = Annotated[
    NotFoundError | ValidationError,
    strawberry.union("MarkDeliveredError", description="Why nothing was marked delivered."),
]
SetTypingError = Annotated[
    NotFoundError | ValidationError,
    strawberry.union("SetTypingError", description="Why nobody was told."),
]
EditMessageError = Annotated[
    NotFoundError
    | PermissionDeniedError
    | ValidationError
    | EditConflictError
    | BlockedError
    | ContentRejectedError
    | RateLimitedError,
    strawberry.union("EditMessageError", description="Why a message was not edited."),
]
DeleteMessageError = Annotated[
    NotFoundError | PermissionDeniedError | RateLimitedError,
    strawberry.union("DeleteMessageError", description="Why a message was not deleted."),
]
ReactionError = Annotated[
    NotFoundError | PermissionDeniedError | ValidationError | BlockedError | RateLimitedError,
    strawberry.union("ReactionError", description="Why nothing changed."),
]
UpdateProfileError = Annotated[
    PermissionDeniedError | ValidationError | RateLimitedError,
    strawberry.union("UpdateProfileError", description="Why a profile was not changed."),
]
BlockUserError = Annotated[
    NotFoundError | ValidationError | RateLimitedError,
    strawberry.union("BlockUserError", description="Why nobody was blocked, or is still."),
]
ReportMessageError = Annotated[
    NotFoundError | ValidationError | RateLimitedError,
    strawberry.union("ReportMessageError", description="Why a message was not reported."),
]
ResolveReportError = Annotated[
    NotFoundError | ValidationError | ReportResolvedError | RateLimitedError,
    strawberry.union("ResolveReportError", description="Why a report was not resolved."),
]
RestrictUserError = Annotated[
    NotFoundError | ValidationError | RateLimitedError,
    strawberry.union("RestrictUserError", description="Why nobody was restricted, or is still."),
]
