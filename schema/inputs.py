"""Inputs that more than one field takes."""

import strawberry
from strawberry import UNSET

from db.starts import Context
from schema.pages import given


@strawberry.input(description="What a conversation is about in the host application.")
class ContextInput:
    type: str = strawberry.field(description="The sort of thing, in the host application's words.")
    id: str = strawberry.field(description="The host application's key of it.")
    title: str | None = strawberry.field(default=UNSET, description="What to call it.")
    url: str | None = strawberry.field(default=UNSET, description="An http or https address where to see it.")

    def row(self) -> Context:
        return Context(self.type, self.id, given(self.title), given(self.url))
