"""What happens, for those who look after everybody."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from resolvers.statistics import MOST, read
from resolvers.statistics import Statistics as StatisticsRow
from schema.asked import asked
from schema.context import Info
from schema.pages import given
from schema.statistics import Statistics, StatisticsBucket


@strawberry.type(description="Statistics.")
class StatisticsQueries:
    @strawberry.field(
        description="What happened, by hour or by day; for moderators, who have that role in their token, else FORBIDDEN. "
        f"At most {MOST:,} buckets.",
        graphql_type=Statistics,
    )
    async def statistics(
        self,
        info: Info,
        since: Annotated[datetime, strawberry.argument(description="From the bucket on in which this is.")],
        until: Annotated[
            datetime | None, strawberry.argument(description="What begins later is left out; left out itself: now.")
        ] = UNSET,
        bucket: Annotated[
            StatisticsBucket | None, strawberry.argument(description="How finely; by day where it is left out.")
        ] = UNSET,
    ) -> StatisticsRow:
        return await read(
            info.context.service,
            info.context.caller,
            since,
            given(until),
            (given(bucket) or StatisticsBucket.DAY).name,
            with_totals="activeUsers" in asked(info).beneath("totals"),
        )
