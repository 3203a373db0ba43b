"""The types of who is there."""

from datetime import datetime
from enum import Enum

import strawberry


@strawberry.enum(description="Whether somebody is there.")
class PresenceStatus(Enum):
    ONLINE = strawberry.enum_value("ONLINE", description="They have a websocket open, on any server.")
    OFFLINE = strawberry.enum_value("OFFLINE", description="They have none, or the viewer may not know.")


@strawberry.type(description="Whether somebody is there.")
class Presence:
    status: PresenceStatus = strawberry.field(
        description="OFFLINE too where they do not share it, or block the viewer."
    )
    last_seen_at: datetime | None = strawberry.field(
        description="When they were there last; null while they are, where it is not known, and where they do not share it."
    )
