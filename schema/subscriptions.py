"""Everything that can be followed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.keys import parse_conversation_id
from resolvers import following
from schema.context import Context, Info
from schema.events import ConversationEvent
from schema.pages import given


@strawberry.type(description="Everything that can be followed.")
class Subscription:
    @strawberry.subscription(
        description="Everything that happens in one conversation. With `after`: first what was missed, in order, then "
        "live, with no gap and no repeat.",
        graphql_type=ConversationEvent,
    )
    async def conversation_events(
        self,
        info: Info,
        conversation_id: Annotated[strawberry.ID, strawberry.argument(description="The conversation.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="An `eventCursor`, or the cursor of the last event that was received."),
        ] = UNSET,
    ) -> AsyncGenerator[rows.Event, None]:
        context = info.context
        events = await following.events(
            context.service, context.viewer, parse_conversation_id(conversation_id), given(after)
        )
        return _with_fresh_loaders(context, events)


async def _with_fresh_loaders(
    context: Context, events: AsyncGenerator[rows.Event, None]
) -> AsyncGenerator[rows.Event, None]:
    """Nothing that was loaded for an earlier event answers for a later one."""
    async with aclosing(events):
        async for event in events:
            context.begin_event()
            yield event
