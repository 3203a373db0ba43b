"""The types of what is found."""

import strawberry

from resolvers.search import RANKED
from schema.messages import Message
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, PageInfo


@strawberry.type(description="A message that was found.")
class MessageSearchEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Message = strawberry.field(description="The message.")
    snippet: str = strawberry.field(
        description="What it says around the words that were found, as HTML: `<mark>` is around each of them, everything else is escaped."
    )
    rank: float = strawberry.field(
        description="How well it fits what was searched for; more is better. It says nothing beyond this search."
    )


@strawberry.type(description=f"A page of messages that were found. By rank, the best of the newest {RANKED:,}.")
class MessageSearchConnection:
    edges: list[MessageSearchEdge] = strawberry.field(description=EDGES)
    nodes: list[Message] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
