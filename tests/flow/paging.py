"""What an exact Relay connection must answer, worked out from all of its edges.

https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.flow.client import Json

CONNECTION = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"

few = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For properties whose every example is a request. The fixtures are the same for all of them, and only read."""


@dataclass(frozen=True)
class Cut:
    """Arguments of a connection, with edges' places in it instead of cursors."""

    first: int | None = None
    after: int | None = None
    last: int | None = None
    before: int | None = None

    def arguments(self, edges: list[Json]) -> Json:
        """As a request has them."""
        places = {"after": self.after, "before": self.before}
        sizes = {"first": self.first, "last": self.last}
        return {name: size for name, size in sizes.items() if size is not None} | {
            name: edges[place]["cursor"] for name, place in places.items() if place is not None
        }

    def of(self, edges: list[Json]) -> Json:
        """The connection that must be answered, where these are all its edges."""
        start = 0 if self.after is None else self.after + 1
        end = len(edges) if self.before is None else self.before
        if self.first is not None:
            end = min(end, start + self.first)
        if self.last is not None:
            start = max(start, end - self.last)
        return connection(edges, start, end)


def connection(edges: list[Json], start: int, end: int) -> Json:
    """The edges from `start` to `end`, which is not included."""
    shown = edges[start:end]
    return {
        "edges": shown,
        "nodes": [edge["node"] for edge in shown],
        "totalCount": len(edges),
        "pageInfo": {
            "hasNextPage": end < len(edges),
            "hasPreviousPage": start > 0,
            "startCursor": shown[0]["cursor"] if shown else None,
            "endCursor": shown[-1]["cursor"] if shown else None,
        },
    }


@st.composite
def cuts(draw: st.DrawFn, count: int, *, both_ways: bool = True) -> Cut:
    """Every sort of page of a connection with so many edges."""
    after = draw(st.none() | st.integers(0, count - 1))
    size = draw(st.integers(1, count + 2))
    if not both_ways:
        return Cut(first=size, after=after)
    lowest = 0 if after is None else after + 1
    before = draw(st.none() | st.integers(lowest, count - 1)) if lowest < count else None
    return Cut(first=size, after=after, before=before) if draw(st.booleans()) else Cut(None, after, size, before)
