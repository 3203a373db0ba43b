"""What a message says, for every mutation that sends one."""

from collections.abc import Sequence

import strawberry
from strawberry import UNSET

from db.keys import parse_attachment_id, parse_message_id
from resolvers.contents import Content
from schema.messages import BodyFormat, MessageKind
from schema.pages import given

KEY = (
    "The sender's own key, of up to 128 characters, a fresh UUID for instance. Sending again with the same key is the "
    "same message, so a client may retry whenever it got no answer."
)
REPLY = "The message of this conversation that it answers."
BODY = "Its text; not blank, but for a message with attachments."
ATTACHMENTS = "Uploads of the viewer's that are in no message yet, in the order in which they are to be shown."

KIND = (
    "TEXT by default; anything else takes a token with the role `service`, which then may send to any conversation, "
    "whether its user is a participant or not."
)


@strawberry.input(description="What a message says.")
class MessageContentInput:
    body: str = strawberry.field(description=BODY)
    client_message_id: str | None = strawberry.field(default=UNSET, description=KEY)
    reply_to_id: strawberry.ID | None = strawberry.field(default=UNSET, description=REPLY)
    format: BodyFormat | None = strawberry.field(default=UNSET, description="How it is written; PLAIN by default.")
    kind: MessageKind | None = strawberry.field(default=UNSET, description=KIND)

    attachment_ids: list[strawberry.ID] | None = strawberry.field(default=UNSET, description=ATTACHMENTS)

    def row(self) -> Content:
        return content(
            self.body,
            self.client_message_id,
            self.reply_to_id,
            self.format,
            self.kind,
            self.attachment_ids,
        )


def content(
    body: str,
    client_message_id: str | None,
    reply_to_id: str | None,
    body_format: BodyFormat | None,
    kind: MessageKind | None = None,
    attachment_ids: Sequence[str] | None = None,
) -> Content:
    reply_to, written, speaker = given(reply_to_id), given(body_format), given(kind)
    return Content(
        body,
        given(client_message_id),
        parse_message_id(reply_to) if reply_to is not None else None,
        speaker.name if speaker else "TEXT",
        written.name if written else "PLAIN",
        tuple(map(parse_attachment_id, given(attachment_ids) or ())),
    )
