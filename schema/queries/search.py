"""Searching messages."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id, parse_user_id
from db.search import Wanted
from resolvers import search
from resolvers.search import LONGEST_QUERY, Extras
from schema.asked import asked
from schema.context import Info
from schema.pages import After, First, given, page_arguments
from schema.search import MessageSearchConnection

_COST = 1_000
"""What a search counts as, in rows of an operation."""


@strawberry.enum(description="What comes first of what was found.")
class MessageSearchOrder(Enum):
    RANK = strawberry.enum_value("RANK", description="What fits best.")
    NEWEST = strawberry.enum_value("NEWEST", description="What was sent last.")


@strawberry.input(description="Among which messages is searched; what is left out does not matter.")
class MessageSearchFilter:
    conversation_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Only in this conversation.")
    sender_id: strawberry.ID | None = strawberry.field(default=UNSET, description="Only of this sender.")
    since: datetime | None = strawberry.field(default=UNSET, description="Only sent then or later.")
    until: datetime | None = strawberry.field(default=UNSET, description="Only sent before.")
    has_attachment: bool | None = strawberry.field(
        default=UNSET, description="Only with an attachment, or only without one."
    )


def _wanted(query: str, of: MessageSearchFilter | None) -> Wanted:
    if of is None:
        return Wanted(query)
    conversation, sender = given(of.conversation_id), given(of.sender_id)
    return Wanted(
        query,
        conversation=parse_conversation_id(conversation) if conversation is not None else None,
        sender=parse_user_id(sender) if sender is not None else None,
        since=given(of.since),
        until=given(of.until),
        has_attachment=given(of.has_attachment),
    )


@strawberry.type(description="Searching.")
class SearchQueries:
    @strawberry.field(
        description="Messages with these words that the viewer may see, of all conversations but sensitive ones. What was "
        "sent is found a moment later. 20 by default.",
        graphql_type=MessageSearchConnection,
    )
    async def search_messages(
        self,
        info: Info,
        query: Annotated[
            str,
            strawberry.argument(
                description='Words that have to be there, `"these in this order"`, `this or that`, `-without` this. The last '
                f"word may be the beginning of one. At most {LONGEST_QUERY} characters."
            ),
        ],
        filter: Annotated[  # noqa: A002  (the contract's name)
            MessageSearchFilter | None, strawberry.argument(description="Among which messages.")
        ] = UNSET,
        order_by: Annotated[
            MessageSearchOrder, strawberry.argument(description="What comes first.")
        ] = MessageSearchOrder.RANK,
        first: First = UNSET,
        after: After = UNSET,
    ) -> search.Results:
        info.context.spend(_COST)  # what it looks at, whatever it finds: a document may ask for a hundred searches
        found = asked(info)
        edges = found.beneath("edges")
        return await search.messages_found(
            info.context.service,
            info.context.viewer,
            _wanted(query, given(filter)),
            page_arguments(first, after),
            by_rank=order_by is MessageSearchOrder.RANK,
            extras=Extras(found.nodes.message_parts, snippet="snippet" in edges, rank="rank" in edges),
        )
