"""Everything that can be asked."""

import asyncio
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.inbox import Filter
from db.keys import MessageKey, parse_conversation_id, parse_id, parse_user_id
from resolvers import conversations, users
from resolvers.errors import BadUserInputError
from resolvers.pages import LARGEST, Page
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.conversations import Conversation, ConversationConnection, ConversationKind
from schema.inputs import ContextInput
from schema.nodes import Node
from schema.pages import After, Before, First, Last, given, page_arguments
from schema.users import UserConnection
from schema.viewer import Viewer, ViewerRow


@strawberry.input(description="Which conversations are wanted; what is left out does not matter, but for `archived`.")
class ConversationFilter:
    kind: ConversationKind | None = strawberry.field(default=UNSET, description="Only of this kind.")
    unread_only: bool | None = strawberry.field(default=UNSET, description="Only with unread messages.")
    archived: bool | None = strawberry.field(
        default=UNSET, description="Only archived ones, or else only those that are not, which is the default."
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
            with_user=parse_user_id(with_user) if with_user is not None else None,
            context=(context.type, context.id) if context else None,
            query=(given(self.query) or "").strip() or None,
        )


Id = Annotated[strawberry.ID, strawberry.argument(description="An id that this server gave out.")]


@strawberry.type(description="Everything that can be asked.")
class Query:
    @strawberry.field(description="Who is asking.", graphql_type=Viewer)
    async def viewer(self, info: Info) -> ViewerRow:
        viewer = info.context.viewer
        unread = (0, 0)
        if asked(info).has_any("unreadCount", "unreadConversationCount"):
            unread = await conversations.unread(info.context.service, viewer)
        return ViewerRow(viewer, *unread, event_cursor=info.context.event_cursor or "")

    @strawberry.field(
        description="Anything by its id; null where there is none or the viewer may not see it.",
        graphql_type=Node | None,
    )
    async def node(self, info: Info, id: Id) -> object:  # noqa: A002  (Relay's name)
        return await _node(info, id)

    @strawberry.field(description=f"The same for up to {LARGEST} ids, in their order.", graphql_type=list[Node | None])
    async def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="Ids that this server gave out.")],
    ) -> list[object]:
        if len(ids) > LARGEST:
            raise BadUserInputError(f"ids: at most {LARGEST} at a time, not {len(ids)}")
        return await asyncio.gather(*(_node(info, each) for each in ids))

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

    @strawberry.field(
        description="Everybody the host application told of, in the order of handles. 20 by default.",
        graphql_type=UserConnection,
    )
    async def users(
        self,
        info: Info,
        query: Annotated[
            str | None, strawberry.argument(description="Only with this in the handle or name, in any case.")
        ] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
    ) -> Page[rows.User]:
        return await users.directory(
            info.context.service,
            info.context.viewer,
            given(query),
            page_arguments(first, after),
            counted="totalCount" in asked(info),
        )


async def _node(info: Info, text: str) -> object:
    name, key = parse_id(text)
    if isinstance(key, MessageKey):
        return await loading.find_message(info, key, asked(info).message_parts)
    if name == "Conversation":
        return await loading.find_conversation(info, key, conversation_parts(info))
    return await loading.find_user(info, key)
