"""Relay's Node, and what a type says about the rows it describes."""

from collections.abc import Callable
from typing import Any

import strawberry


@strawberry.interface(description="Anything that can be refetched by its id.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Opaque, globally unique and stable. Keep it as it is; nothing can be read from it."
    )


def describes(row: type, **marks: object) -> Callable[[Any, Any], bool]:
    """The `is_type_of` of a GraphQL type over rows of this class (whose attributes have these values)."""

    def is_type_of(value: Any, _info: Any) -> bool:  # noqa: ANN401  (graphql-core's signature)
        return isinstance(value, row) and all(getattr(value, name) == mark for name, mark in marks.items())

    is_type_of.described = row  # type: ignore[attr-defined]
    is_type_of.is_by_class = not marks  # type: ignore[attr-defined]  # then all rows of a class are, or none (compiled.py)
    return is_type_of
