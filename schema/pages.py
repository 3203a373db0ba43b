"""The common parts of Relay connections (https://relay.dev/graphql/connections.htm)."""

from typing import Annotated, TypeVar

import strawberry
from strawberry import UNSET

from resolvers.pages import LARGEST, PageArguments

T = TypeVar("T")

First = Annotated[int | None, strawberry.argument(description=f"At most so many from the start; up to {LARGEST}.")]
After = Annotated[str | None, strawberry.argument(description="Only what follows this cursor of the same connection.")]
Last = Annotated[int | None, strawberry.argument(description=f"At most so many from the end; up to {LARGEST}.")]
Before = Annotated[
    str | None, strawberry.argument(description="Only what precedes this cursor of the same connection.")
]


def given(value: T | None) -> T | None:
    """The argument, None where it was left out."""
    return None if value is UNSET else value


def page_arguments(
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    around_seq: int | None = None,
) -> PageArguments:
    return PageArguments(given(first), given(after), given(last), given(before), given(around_seq))


@strawberry.type(description="Where a page lies in its connection; exact in both directions.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether anything follows this page.")
    has_previous_page: bool = strawberry.field(description="Whether anything precedes this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first edge; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The cursor of the last edge; null on an empty page.")


PAGE_INFO = "Where this page lies in the connection."
CURSOR = "An opaque place in this connection, for `after` and `before`."
EDGES = "The nodes with their cursors."
NODES = "The nodes without their cursors."
