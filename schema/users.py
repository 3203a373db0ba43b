"""The types of people."""

import strawberry

from db import rows
from schema import loading
from schema.context import Info
from schema.nodes import Node, describes
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, PageInfo
from schema.presence import Presence
from schema.visibility import PER_VIEWER


@strawberry.type(description="A person, as the host application told us of them.")
class User(Node):
    is_type_of = describes(rows.User)

    handle: str = strawberry.field(description="The host application's own key of this user: the token's `sub`.")
    name: str = strawberry.field(description="What to call them; the handle where no name is known. Never empty.")
    avatar_url: str | None = strawberry.field(description="The address of a picture.")

    @strawberry.field(description="Whether they are there.", graphql_type=Presence, metadata=PER_VIEWER)
    async def presence(root: strawberry.Parent[rows.User], info: Info) -> rows.Presence:
        return await loading.user_presence(info, root.key)

    @strawberry.field(description="Whether the viewer blocks them.")
    async def viewer_has_blocked(root: strawberry.Parent[rows.User], info: Info) -> bool:
        return await loading.is_blocked(info, root.key)


@strawberry.type(description="A user in a connection.")
class UserEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: User = strawberry.field(description="The user.")


@strawberry.type(description="A page of users.")
class UserConnection:
    edges: list[UserEdge] = strawberry.field(description=EDGES)
    nodes: list[User] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
    total_count: int = strawberry.field(description="All users in the connection, on this page or not.")


@strawberry.type(description="Somebody came or went, or how it stood when the subscription began.")
class PresenceChanged:
    is_type_of = describes(rows.PresenceChange)

    user: User = strawberry.field(description="Who.")
    presence: Presence = strawberry.field(description="Whether they are there now.")
