"""The type of who is asking."""

from dataclasses import dataclass

import strawberry

from db import rows
from schema.users import User


@dataclass(frozen=True, slots=True)
class ViewerRow:
    user: rows.User
    unread_count: int
    unread_conversation_count: int
    event_cursor: str


@strawberry.type(description="Who is asking, over all conversations.")
class Viewer:
    user: User = strawberry.field(description="Who the token speaks of.")
    unread_count: int = strawberry.field(description="Unread messages over all conversations that are not muted.")
    unread_conversation_count: int = strawberry.field(
        description="Conversations with unread messages, but for muted ones."
    )
    event_cursor: str = strawberry.field(
        description="Start `viewerEvents(after:)` here: nothing between this answer and the stream is missed."
    )
