"""The directory."""

from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from resolvers import users
from resolvers.pages import Page
from schema.asked import asked
from schema.context import Info
from schema.pages import After, First, given, page_arguments
from schema.users import UserConnection


@strawberry.type(description="People.")
class UserQueries:
    @strawberry.field(
        description="Everybody the host application told of, in the order of handles. 20 by default.",
        graphql_type=UserConnection,
    )
    async def users(
        self,
        info: Info,
        query: Annotated[
            str | None,
            strawberry.argument(
                description="Only those with each of these words within the handle, or at the beginning of a word of the "
                "name, in any case."
            ),
        ] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
    ) -> Page[rows.User]:
        return await users.directory(
            info.context.service,
            info.context.viewer,
            given(query),
            page_arguments(first, after),
            counted="totalCount" in asked(info),
        )
