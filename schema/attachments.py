"""The type of attachments."""

import strawberry

from db import rows
from schema.context import Info
from schema.nodes import Node, describes


@strawberry.type(description="A file that belongs to a message, or is about to.")
class Attachment(Node):
    is_type_of = describes(rows.Attachment)

    filename: str = strawberry.field(description="What it is called; never a path.")
    content_type: str = strawberry.field(description="What it is, without parameters: `image/png`. It was looked into.")
    size: int = strawberry.field(description="Bytes.")
    width: int | None = strawberry.field(description="Pixels, of an image.")
    height: int | None = strawberry.field(description="Pixels, of an image.")

    @strawberry.field(
        description="Where it can be loaded, by whoever has this address, and for a while: ask again for a fresh one. "
        "It may begin with the path, and counts then from the address of this API."
    )
    def url(root: strawberry.Parent[rows.Attachment], info: Info) -> str:
        return info.context.service.files.url(root)
