"""The types of what was counted."""

from datetime import datetime
from enum import Enum

import strawberry

_MESSAGES = "Messages that were sent, but for those of the system itself."
_ACTIVE = "People who did something: sent, edited, reacted, started. Each is counted once."
_STARTED = "Conversations that were started."


@strawberry.enum(description="How finely it is counted.")
class StatisticsBucket(Enum):
    HOUR = strawberry.enum_value("HOUR", description="By hour.")
    DAY = strawberry.enum_value("DAY", description="By day, in UTC.")


@strawberry.type(description="What happened in an hour or a day.")
class StatisticsEntry:
    start: datetime = strawberry.field(description="When it begins.")
    messages: int = strawberry.field(description=_MESSAGES)
    active_users: int = strawberry.field(description=_ACTIVE)
    conversations_started: int = strawberry.field(description=_STARTED)


@strawberry.type(description="What happened in all of the time that was asked for.")
class StatisticsTotals:
    messages: int = strawberry.field(description=_MESSAGES)
    active_users: int = strawberry.field(description=_ACTIVE)
    conversations_started: int = strawberry.field(description=_STARTED)


@strawberry.type(description="What happened, by hour or by day; complete but for the last seconds.")
class Statistics:
    since: datetime = strawberry.field(description="When the first bucket begins.")
    until: datetime = strawberry.field(description="When the last one ends.")
    buckets: list[StatisticsEntry] = strawberry.field(
        description="Every hour or day, in their order, also those in which nothing happened."
    )
    totals: StatisticsTotals = strawberry.field(description="All of them together.")
