"""What mutations take and answer alike."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import strawberry

from db import rows
from db.keys import MessageKey
from resolvers import errors as refusals
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info

INPUT = strawberry.argument(description="What to do.")
ERRORS = "Why nothing was done; empty where it was."
CONVERSATION = "The conversation as it stands now; null where there are errors."


@dataclass(slots=True)
class Outcome:
    """What a mutation did, or why it did nothing: the row that all payloads describe."""

    conversation_key: UUID | None = None
    message_key: MessageKey | None = None
    message: rows.Message | None = None
    """As it was sent; what else may be asked for is read by the key."""
    user_key: UUID | None = None
    report_key: UUID | None = None
    was_created: bool = False
    deduplicated: bool = False
    conversation_count: int = 0
    errors: tuple[refusals.UserError, ...] = ()


async def find_conversation(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    if root.conversation_key is None:
        return None
    return await loading.find_conversation(info, root.conversation_key, conversation_parts(info))


async def find_message(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (as above)
    if root.message_key is None:
        return None
    return await loading.find_message(info, root.message_key, asked(info).message_parts)
