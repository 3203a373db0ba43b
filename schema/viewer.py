"""The type of who is asking."""

from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.keys import parse_conversation_id
from db.mentioning import Wanted
from resolvers import blocking, mentioning, scheduling
from resolvers.pages import Page
from schema.asked import asked
from schema.context import Info
from schema.messages import MessageConnection
from schema.pages import After, First, given, page_arguments
from schema.scheduled import ScheduledMessageConnection, ScheduledMessageStatus
from schema.users import User, UserConnection

Statuses = Annotated[
    list[ScheduledMessageStatus] | None, strawberry.argument(description="Only of these; left out: all of them.")
]

InConversation = Annotated[strawberry.ID | None, strawberry.argument(description="Only in this conversation.")]
UnreadOnly = Annotated[bool | None, strawberry.argument(description="Only those that the viewer has not read.")]


@dataclass(frozen=True, slots=True)
class ViewerRow:
    user: rows.User
    unread_count: int
    unread_conversation_count: int
    event_cursor: str


@strawberry.type(description="Who is asking, over all conversations.")
class Viewer:
    user: User = strawberry.field(description="Who the token speaks of.")
    unread_count: int = strawberry.field(description="Unread messages over all conversations that are not muted.")
    unread_conversation_count: int = strawberry.field(
        description="Conversations with unread messages, but for muted ones."
    )
    event_cursor: str = strawberry.field(
        description="Start `viewerEvents(after:)` here: nothing between this answer and the stream is missed."
    )

    @strawberry.field(
        description="What the viewer has scheduled: what is to be sent, soonest first, then what became of the rest. "
        "What is settled is kept for 30 days. 20 by default.",
        graphql_type=ScheduledMessageConnection,
    )
    async def scheduled_messages(
        root: strawberry.Parent[ViewerRow],
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        status: Statuses = UNSET,
    ) -> Page[rows.ScheduledMessage]:
        wanted = given(status)
        return await scheduling.page(
            info.context.service,
            root.user,
            page_arguments(first, after),
            [each.name for each in wanted] if wanted is not None else None,
        )

    @strawberry.field(
        description="Messages that mention the viewer, in all conversations, newest first. 20 by default.",
        graphql_type=MessageConnection,
    )
    async def mentions(
        root: strawberry.Parent[ViewerRow],
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        conversation_id: InConversation = UNSET,
        unread_only: UnreadOnly = UNSET,
    ) -> Page[rows.Message]:
        wanted, conversation = asked(info), given(conversation_id)
        return await mentioning.page(
            info.context.service,
            root.user,
            page_arguments(first, after),
            Wanted(
                parse_conversation_id(conversation) if conversation is not None else None,
                unread_only=bool(given(unread_only)),
            ),
            wanted.nodes.message_parts,
            counted="totalCount" in wanted,
        )

    @strawberry.field(
        description="Whom the viewer blocks, in the order of handles. 20 by default.", graphql_type=UserConnection
    )
    async def blocked_users(
        root: strawberry.Parent[ViewerRow], info: Info, first: First = UNSET, after: After = UNSET
    ) -> Page[rows.User]:
        return await blocking.page(
            info.context.service, root.user, page_arguments(first, after), counted="totalCount" in asked(info)
        )
