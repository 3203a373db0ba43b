"""Anything by its id."""

import asyncio
from typing import Annotated

import strawberry

from db.keys import AttachmentKey, MessageKey, parse_id
from resolvers.errors import BadUserInputError
from resolvers.pages import LARGEST
from schema import loading
from schema.asked import asked, conversation_parts
from schema.context import Info
from schema.nodes import Node

Id = Annotated[strawberry.ID, strawberry.argument(description="An id that this server gave out.")]


@strawberry.type(description="Anything by its id.")
class NodeQueries:
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


async def _node(info: Info, text: str) -> object:
    name, key = parse_id(text)
    if isinstance(key, MessageKey):
        return await loading.find_message(info, key, asked(info).message_parts)
    if isinstance(key, AttachmentKey):
        return await loading.find_attachment(info, key)
    if name == "Conversation":
        return await loading.find_conversation(info, key, conversation_parts(info))
    if name == "Report":
        return await loading.find_report(info, key)
    if name == "ScheduledMessage":
        return await loading.find_scheduled_message(info, key)
    return await loading.find_user(info, key)
