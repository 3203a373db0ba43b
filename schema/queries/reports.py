"""What moderators look after."""

from typing import Annotated

import strawberry
from strawberry import UNSET

from db import rows
from resolvers import moderation, reports
from resolvers.pages import Page
from schema.asked import asked
from schema.context import Info
from schema.pages import After, First, given, page_arguments
from schema.reports import AuditEntryConnection, ReportConnection, ReportStatus


@strawberry.type(description="What moderators look after.")
class ReportQueries:
    @strawberry.field(
        description="Reports, oldest first, for moderators: tokens with the role `moderator`. 20 by default.",
        graphql_type=ReportConnection,
    )
    async def reports(
        self,
        info: Info,
        status: Annotated[ReportStatus | None, strawberry.argument(description="Only those that stand so.")] = UNSET,
        first: First = UNSET,
        after: After = UNSET,
    ) -> Page[rows.Report]:
        wanted, context = given(status), info.context
        return await reports.page(
            context.service,
            context.caller,
            wanted.name if wanted else None,
            page_arguments(first, after),
            counted="totalCount" in asked(info),
        )

    @strawberry.field(
        description="Who did what with what is another's, newest first, for moderators. 20 by default.",
        graphql_type=AuditEntryConnection,
    )
    async def audit_trail(self, info: Info, first: First = UNSET, after: After = UNSET) -> Page[rows.AuditEntry]:
        return await moderation.trail(info.context.service, info.context.caller, page_arguments(first, after))
