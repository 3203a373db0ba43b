"""Editing and deleting messages."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from db.keys import parse_message_id
from resolvers import deleting, editing
from resolvers.editing import Edit
from resolvers.errors import RefusedError
from schema.context import Info
from schema.errors import DeleteMessageError, EditMessageError
from schema.messages import BodyFormat, Message
from schema.mutations.outcomes import ERRORS, INPUT, Outcome, find_message
from schema.pages import given


@strawberry.input(description="What a message is to say.")
class EditMessageInput:
    message_id: strawberry.ID = strawberry.field(description="The message; one's own.")
    body: str = strawberry.field(description="Its text; not blank.")
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; as it was by default.")
    expected_edited_at: datetime | None = strawberry.field(
        default=UNSET,
        description="Its `editedAt` as the client knows it, null where it was never edited. Where that is not so any "
        "more, nothing is changed, and EditConflictError has the message as it is. Left out: whatever it says now.",
    )

    def row(self) -> Edit:
        written, seen = given(self.format), self.expected_edited_at
        return Edit(self.body, written.name if written else None, None if seen is UNSET else (seen,))


@strawberry.type(description="A message after it was edited.")
class EditMessagePayload:
    message: Message | None = strawberry.field(
        description="The message as it stands now; null where there are errors.",
        resolver=find_message,
        graphql_type=Message | None,
    )
    errors: list[EditMessageError] = strawberry.field(description=ERRORS)


@strawberry.input(description="Which message to delete.")
class DeleteMessageInput:
    message_id: strawberry.ID = strawberry.field(description="The message.")


@strawberry.type(description="A message after it was deleted.")
class DeleteMessagePayload:
    message: Message | None = strawberry.field(
        description="The tombstone; null where there are errors, and for moderators who are no participants.",
        resolver=find_message,
        graphql_type=Message | None,
    )
    errors: list[DeleteMessageError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Editing and deleting messages.")
class EditingMutations:
    @strawberry.mutation(
        description="Let a message of one's own say something else. What it said before is kept in `edits`. To say the "
        "same again changes nothing, and nobody is told.",
        graphql_type=EditMessagePayload,
    )
    async def edit_message(
        self,
        info: Info,
        input: Annotated[EditMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_message_id(input.message_id)
        try:
            await editing.edit(context.service, context.caller, key, input.row())
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(key.conversation, key)

    @strawberry.mutation(
        description="Delete a message: one's own, in a group that one leads another's, and as a moderator any. It stays "
        "as a tombstone, and nothing else of it is kept. Again changes nothing, and nobody is told.",
        graphql_type=DeleteMessagePayload,
    )
    async def delete_message(
        self,
        info: Info,
        input: Annotated[DeleteMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_message_id(input.message_id)
        try:
            await deleting.delete(context.service, context.caller, key)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(key.conversation, key)
