"""The viewer's own side of a conversation."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id
from db.states import StateChange
from resolvers import viewer_states
from resolvers.errors import RefusedError
from schema.context import Info
from schema.conversations import Conversation
from schema.errors import UpdateViewerStateError
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation
from schema.pages import given


@strawberry.input(
    description="What is to be different about the viewer's own side of a conversation; what is left out stays as it is."
)
class UpdateViewerStateInput:
    conversation_id: strawberry.ID = strawberry.field(description="Which one.")
    is_archived: bool | None = strawberry.field(
        default=UNSET, description="Whether it is put away, until something is new in it."
    )
    is_pinned: bool | None = strawberry.field(default=UNSET, description="Whether the viewer keeps it on top.")
    muted_until: datetime | None = strawberry.field(
        default=UNSET,
        description="Until when it makes no noise, and does not count in `viewer.unreadCount`; null: it does.",
    )
    unread_from_seq: int | None = strawberry.field(
        default=UNSET,
        description="Count it as unread from this message on, until the next `markRead`; null: as it was read. Others see "
        "no difference: what was read stays read for them.",
    )

    def row(self) -> StateChange:
        return StateChange(
            is_archived=given(self.is_archived),
            is_pinned=given(self.is_pinned),
            muted_until=given(self.muted_until),
            clears_muted_until=self.muted_until is None,
            unread_from_seq=given(self.unread_from_seq),
            clears_unread_from_seq=self.unread_from_seq is None,
        )


@strawberry.type(description="A conversation after the viewer's own side of it was changed.")
class UpdateViewerStatePayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    errors: list[UpdateViewerStateError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Putting conversations away, pinning, muting and marking them.")
class ViewerStateMutations:
    @strawberry.mutation(
        description="Change the viewer's own side of a conversation, which nobody else sees. The viewer's other windows "
        "are told by `viewerEvents`.",
        graphql_type=UpdateViewerStatePayload,
    )
    async def update_viewer_state(
        self,
        info: Info,
        input: Annotated[UpdateViewerStateInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_conversation_id(input.conversation_id)
        try:
            await viewer_states.update(context.service, context.viewer, key, input.row())
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(key)
