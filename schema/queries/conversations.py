"""Conversations, one and by page."""

from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.inbox import Filter
from db.keys import parse_conversation_id, parse_user_id
from resolvers import conversations
from resolvers.pages import Page
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.conversations import Conversation, ConversationConnection, ConversationKind
from schema.inputs import ContextInput
from schema.pages import After, Before, First, Last, given, page_arguments
from schema.queries.nodes import Id


@strawberry.input(description="Which conversations are wanted; what is left out does not matter, but for `archived`.")
class ConversationFilter:
    kind: ConversationKind | None = strawberry.field(default=UNSET, description="Only of this kind.")
    unread_only: bool | None = strawberry.field(default=UNSET, description="Only with unread messages.")
    archived: bool | None = strawberry.field(
        default=UNSET, description="Only archived ones, or else only those that are not, which is the default."
    )
    pinned: bool | None = strawberry.field(
        default=UNSET, description="Only those that the viewer pinned, or else only those that are not."
    )
    muted: bool | None = strawberry.field(
        default=UNSET, description="Only those that make no noise now, or else only those that do."
    )
    with_user_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Only with this participant.")
    context: ContextInput | None = strawberry.field(
        default=UNSET, description="Only about this; its type and id count."
    )
    query: str | None = strawberry.field(
        default=UNSET, description="Only with this in the title or another participant's name, in any case."
    )

    def row(self) -> Filter:
        kind, with_user, context = given(self.kind), given(self.with_user_id), given(self.context)
        return Filter(
            archived=bool(given(self.archived)),
            kind=kind.name if kind else None,
            unread_only=bool(given(self.unread_only)),
            pinned=given(self.pinned),
            muted=given(self.muted),
            with_user=parse_user_id(with_user) if with_user is not None else None,
            context=(context.type, context.id) if context else None,
            query=(given(self.query) or "").strip() or None,
        )


@strawberry.type(description="Conversations.")
class ConversationQueries:
    @strawberry.field(
        description="A conversation by its id; null where there is none or the viewer is no participant.",
        graphql_type=Conversation | None,
    )
    async def conversation(self, info: Info, id: Id) -> rows.Conversation | None:  # noqa: A002  (Relay's name)
        key = parse_conversation_id(id)
        parts, context = conversation_parts(info, key=key), info.context
        return (await conversations.by_keys(context.service, context.viewer.key, [key], parts)).get(key)

    @strawberry.field(
        description="The viewer's conversations, newest activity first. 20 by default.",
        graphql_type=ConversationConnection,
    )
    async def conversations(
        self,
        info: Info,
        first: First = UNSET,
        after: After = UNSET,
        last: Last = UNSET,
        before: Before = UNSET,
        filter: Annotated[  # noqa: A002  (the contract's name)
            ConversationFilter | None, strawberry.argument(description="Which ones are wanted.")
        ] = UNSET,
    ) -> Page[rows.Conversation]:
        wanted = asked(info)
        return await conversations.inbox(
            info.context.service,
            info.context.viewer,
            filter.row() if filter else Filter(),
            page_arguments(first, after, last, before),
            conversation_parts(info, wanted.nodes),
            counted="totalCount" in wanted,
        )
