"""The types of who is in a conversation."""

from datetime import datetime
from enum import Enum

import strawberry

from schema.fields import SHARED
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, PageInfo
from schema.users import User


@strawberry.enum(description="What somebody may do in a conversation.")
class ParticipantRole(Enum):
    OWNER = strawberry.enum_value("OWNER", description="Started it, or was handed it.")
    ADMIN = strawberry.enum_value("ADMIN", description="Helps the owner to run it.")
    MEMBER = strawberry.enum_value("MEMBER", description="Reads and writes.")


@strawberry.type(description="A user in a conversation, as every other participant sees them.")
class Participant:
    user: User = strawberry.field(description="Who it is.")
    role: ParticipantRole = strawberry.field(description="What they may do here.")
    joined_at: datetime = strawberry.field(description="When they became a participant.")
    last_read_seq: int = strawberry.field(description="They have read every message up to this seq; 0: none.")
    last_read_at: datetime | None = strawberry.field(description="When that watermark last moved.")
    last_delivered_seq: int = strawberry.field(description="They have received every message up to this seq; 0: none.")


@strawberry.type(description="A participant in a connection.")
class ParticipantEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Participant = strawberry.field(description="The participant.")


@strawberry.type(description="A page of participants, in the order of their joining.")
class ParticipantConnection:
    edges: list[ParticipantEdge] = strawberry.field(description=EDGES)
    nodes: list[Participant] = strawberry.field(description=NODES, metadata=SHARED)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
    total_count: int = strawberry.field(description="All participants that the connection leads to.")
