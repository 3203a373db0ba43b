"""How often the viewer may do something."""

from dataclasses import dataclass
from datetime import datetime

import strawberry

from resolvers import limits
from resolvers.rates import DEFAULTS
from schema.context import Info


@strawberry.type(description="How often the viewer may call one mutation.")
class MutationRateLimit:
    kind: str = strawberry.field(description="The mutation's name.")
    limit: int | None = strawberry.field(description="Calls a minute; null: any number.")
    remaining: int | None = strawberry.field(description="Calls that may come at once; null: any number.")
    reset_at: datetime = strawberry.field(description="When all of the limit is there again, if nothing more comes.")


@strawberry.type(
    description="How often the viewer may do something. So many calls as a minute allows may come at once; what was used "
    "comes back evenly over the minute."
)
class RateLimit:
    limit: int | None = strawberry.field(description="Messages a minute that may be sent; null: any number.")
    remaining: int | None = strawberry.field(description="Messages that may be sent at once; null: any number.")
    reset_at: datetime = strawberry.field(description="When all of the limit is there again, if nothing more is sent.")
    mutations: list[MutationRateLimit] = strawberry.field(
        description="The same of every mutation, sendMessage included."
    )


@dataclass(frozen=True, slots=True)
class RateLimitRow:
    limit: int | None
    remaining: int | None
    reset_at: datetime
    mutations: list[limits.RateLimit]


@strawberry.type(description="How often the viewer may do something.")
class RateLimitQueries:
    @strawberry.field(
        description="How often the viewer may do something; asking costs nothing.", graphql_type=RateLimit
    )
    async def rate_limit(self, info: Info) -> RateLimitRow:
        found = await limits.state(info.context.service, info.context.caller, DEFAULTS)
        messages = next(each for each in found if each.kind == limits.MESSAGES)
        return RateLimitRow(messages.limit, messages.remaining, messages.reset_at, found)
