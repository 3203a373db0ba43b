"""Groups: who is in them, what they may do, and what they are called."""

from collections.abc import Awaitable
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

from db.keys import parse_conversation_id, parse_user_id
from resolvers import groups
from resolvers.errors import RefusedError
from schema.context import Info
from schema.conversations import Conversation, ConversationHistory
from schema.errors import ParticipantsError, UpdateConversationError
from schema.mutations.outcomes import CONVERSATION, ERRORS, INPUT, Outcome, find_conversation
from schema.pages import given
from schema.participants import ParticipantRole

_WHERE = "Which one; a GROUP."


@strawberry.input(description="What is to be different about a group; what is left out stays as it is.")
class UpdateConversationInput:
    conversation_id: strawberry.ID = strawberry.field(description=_WHERE)
    title: str | None = strawberry.field(default=UNSET, description="What to call it; null: nothing.")
    history: ConversationHistory | None = strawberry.field(
        default=UNSET, description="What those see who are added from now on."
    )


@strawberry.input(description="Who comes to a group.")
class AddParticipantsInput:
    conversation_id: strawberry.ID = strawberry.field(description=_WHERE)
    participant_ids: list[strawberry.ID] = strawberry.field(
        description="Users. Those who are in it already stay as they are."
    )


@strawberry.input(description="Who goes from a group.")
class RemoveParticipantInput:
    conversation_id: strawberry.ID = strawberry.field(description=_WHERE)
    user_id: strawberry.ID = strawberry.field(description="Who it is; the viewer: to leave.")


@strawberry.input(description="What somebody may do in a group.")
class SetParticipantRoleInput:
    conversation_id: strawberry.ID = strawberry.field(description=_WHERE)
    user_id: strawberry.ID = strawberry.field(description="Who it is.")
    role: ParticipantRole = strawberry.field(description="What they are from now on.")


@strawberry.type(description="A conversation after it was changed.")
class UpdateConversationPayload:
    conversation: Conversation | None = strawberry.field(
        description=CONVERSATION, resolver=find_conversation, graphql_type=Conversation | None
    )
    errors: list[UpdateConversationError] = strawberry.field(description=ERRORS)


@strawberry.type(description="A conversation after people came, went, or were given another role.")
class ParticipantsPayload:
    conversation: Conversation | None = strawberry.field(
        description="The conversation as it stands now; null where there are errors, and for who left it.",
        resolver=find_conversation,
        graphql_type=Conversation | None,
    )
    errors: list[ParticipantsError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Changing groups.")
class GroupMutations:
    @strawberry.mutation(
        description="Give a group another title, or another rule of what newcomers see. For its owners and admins.",
        graphql_type=UpdateConversationPayload,
    )
    async def update_conversation(
        self,
        info: Info,
        input: Annotated[UpdateConversationInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        history, key = given(input.history), parse_conversation_id(input.conversation_id)
        changing = groups.update(
            info.context.service,
            info.context.viewer,
            key,
            title=given(input.title),
            sets_title=input.title is not UNSET,
            history=history.name if history else None,
        )
        return await _outcome(changing, key)

    @strawberry.mutation(
        description="Add people to a group. For its owners and admins. What they see of the messages before says its "
        "`history`; none of those are unread for them.",
        graphql_type=ParticipantsPayload,
    )
    async def add_participants(
        self,
        info: Info,
        input: Annotated[AddParticipantsInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        key = parse_conversation_id(input.conversation_id)
        people = [parse_user_id(each) for each in input.participant_ids]
        return await _outcome(groups.add(info.context.service, info.context.viewer, key, people), key)

    @strawberry.mutation(
        description="Remove somebody from a group, or leave it. Owners remove everybody, admins those who are members. "
        "When the last owner goes, the admin who has been there longest is the next, or else the member.",
        graphql_type=ParticipantsPayload,
    )
    async def remove_participant(
        self,
        info: Info,
        input: Annotated[RemoveParticipantInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        key, user = parse_conversation_id(input.conversation_id), parse_user_id(input.user_id)
        return await _outcome(groups.remove(info.context.service, info.context.viewer, key, user), key)

    @strawberry.mutation(
        description="Give somebody in a group another role. For its owners, of whom there may be several and is always one.",
        graphql_type=ParticipantsPayload,
    )
    async def set_participant_role(
        self,
        info: Info,
        input: Annotated[SetParticipantRoleInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        key, user = parse_conversation_id(input.conversation_id), parse_user_id(input.user_id)
        changing = groups.set_role(info.context.service, info.context.viewer, key, user, input.role.name)
        return await _outcome(changing, key)


async def _outcome(changing: Awaitable[Any], conversation: UUID) -> Outcome:
    try:
        await changing
    except RefusedError as refusal:
        return Outcome(errors=refusal.errors)
    return Outcome(conversation)
