"""Scalars beyond GraphQL's own."""

from datetime import UTC, datetime

import strawberry


def _serialize(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


DateTime = strawberry.scalar(
    name="DateTime",
    description="An instant as RFC 3339, in UTC, with microseconds: `2026-11-20T19:22:01.123456Z`.",
    specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
    serialize=_serialize,
)
