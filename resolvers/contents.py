"""What a message may consist of."""

from typing import NamedTuple

from db.keys import AttachmentKey, MessageKey
from resolvers.blank import is_blank
from resolvers.errors import Invalid, PermissionDenied, UserError

LONGEST_KEY = 128
"""Characters of a clientMessageId."""

SERVICE_ROLE = "service"
"""The role of tokens that may speak as the system."""


class Content(NamedTuple):
    body: str
    client_message_id: str | None = None
    reply_to: MessageKey | None = None
    kind: str = "TEXT"
    format: str = "PLAIN"
    attachments: tuple[AttachmentKey, ...] = ()


def errors(content: Content, roles: tuple[str, ...], longest_body: int, path: tuple[str, ...]) -> list[UserError]:
    """Everything that is wrong with the content that stands at `path` of the input."""
    found: list[UserError] = []
    if is_blank(content.body) and not content.attachments:
        found.append(Invalid("a message needs a body that is not blank, or attachments", (*path, "body")))
    if len(content.body) > longest_body:
        message = f"the body has {len(content.body)} characters; {longest_body} are allowed"
        found.append(Invalid(message, (*path, "body")))
    key = content.client_message_id
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        message = f"clientMessageId must have from 1 to {LONGEST_KEY} characters, not {len(key)}"
        found.append(Invalid(message, (*path, "clientMessageId")))
    if content.kind != "TEXT" and SERVICE_ROLE not in roles:
        message = f"{content.kind} messages are sent with a token that has the role {SERVICE_ROLE!r}"
        found.append(PermissionDenied(message, (*path, "kind")))
    return found
