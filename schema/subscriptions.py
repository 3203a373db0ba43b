"""Everything that can be followed."""

from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id, parse_user_id
from resolvers import following, presence
from schema.context import Info
from schema.events import ConversationEvent
from schema.following import Following
from schema.pages import given
from schema.users import PresenceChanged
from schema.watching import Watching

After = Annotated[
    str | None,
    strawberry.argument(
        description="An `eventCursor`, or the cursor of the last event that was received: first what was missed."
    ),
]


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
        after: After = UNSET,
    ) -> Any:  # noqa: ANN401  (strawberry knows async generators only)
        context = info.context
        key = parse_conversation_id(conversation_id)
        return Following(context, await following.conversation(context.service, context.viewer, key, given(after)))

    @strawberry.subscription(
        description="Everything that happens in any of the viewer's conversations, those joined later included: one "
        "subscription for a whole application. With `after`: first what was missed, in order per conversation.",
        graphql_type=ConversationEvent,
    )
    async def viewer_events(self, info: Info, after: After = UNSET) -> Any:  # noqa: ANN401
        context = info.context
        return Following(context, await following.viewer_events(context.service, context.viewer, given(after)))

    @strawberry.subscription(
        description="Whether these users, at most 100, are there: first how it stands, then each change. Of several changes "
        "in quick succession the last one is told.",
        graphql_type=PresenceChanged,
    )
    async def presence(
        self,
        info: Info,
        user_ids: Annotated[list[strawberry.ID], strawberry.argument(description="Who is followed.")],
    ) -> Any:  # noqa: ANN401
        context = info.context
        keys = [parse_user_id(each) for each in user_ids]
        return Watching(context, await presence.follow(context.service, context.viewer, keys))
