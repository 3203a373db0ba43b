"""Reporting messages, and what moderators do about it."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from db.keys import parse_message_id, parse_report_id, parse_user_id
from resolvers import moderation, reports
from resolvers.errors import RefusedError
from resolvers.moderation import Resolution
from schema import loading
from schema.context import Info
from schema.errors import ReportMessageError, ResolveReportError, RestrictUserError
from schema.mutations.outcomes import ERRORS, INPUT, Outcome
from schema.pages import given
from schema.reports import Report, ReportCategory, ReportResolution
from schema.users import User


@strawberry.input(description="What is wrong with a message.")
class ReportMessageInput:
    message_id: strawberry.ID = strawberry.field(description="The message: somebody else's, and not deleted.")
    category: ReportCategory = strawberry.field(description="What is wrong with it.")
    note: str | None = strawberry.field(default=UNSET, description="In your own words; up to 1,000 characters.")


@strawberry.input(description="What to do about a report.")
class ResolveReportInput:
    report_id: strawberry.ID = strawberry.field(description="The report; an open one.")
    resolution: ReportResolution = strawberry.field(description="What to do.")
    restrict_until: datetime | None = strawberry.field(
        default=UNSET, description="With RESTRICT_USER: until when the sender may read and do nothing else."
    )
    note: str | None = strawberry.field(default=UNSET, description="For the audit trail; up to 1,000 characters.")


@strawberry.input(description="Whom to restrict, and until when.")
class RestrictUserInput:
    user_id: strawberry.ID = strawberry.field(description="The user.")
    until: datetime | None = strawberry.field(
        description="Until when they may read and do nothing else; null ends a restriction."
    )
    note: str | None = strawberry.field(default=UNSET, description="For the audit trail; up to 1,000 characters.")


async def _report(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (a row; the field's annotation is its GraphQL type)
    return await loading.find_report(info, root.report_key) if root.report_key else None


async def _user(root: strawberry.Parent[Outcome], info: Info) -> Any:  # noqa: ANN401  (as above)
    return await loading.find_user(info, root.user_key) if root.user_key else None


@strawberry.type(description="A report that was made, now or before.")
class ReportMessagePayload:
    report: Report | None = strawberry.field(
        description="The viewer's report of this message; null where there are errors.",
        resolver=_report,
        graphql_type=Report | None,
    )
    errors: list[ReportMessageError] = strawberry.field(description=ERRORS)


@strawberry.type(description="A report that was resolved.")
class ResolveReportPayload:
    report: Report | None = strawberry.field(
        description="The report as it stands now; null where there are errors.",
        resolver=_report,
        graphql_type=Report | None,
    )
    errors: list[ResolveReportError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Somebody who was restricted, or is no longer.")
class RestrictUserPayload:
    user: User | None = strawberry.field(
        description="The user; null where there are errors.", resolver=_user, graphql_type=User | None
    )
    errors: list[RestrictUserError] = strawberry.field(description=ERRORS)


@strawberry.type(description="Reporting messages, and what moderators do about it.")
class ReportingMutations:
    @strawberry.mutation(
        description="Ask moderators to look at a message. Again for the same message changes nothing.",
        graphql_type=ReportMessagePayload,
    )
    async def report_message(
        self,
        info: Info,
        input: Annotated[ReportMessageInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_message_id(input.message_id)
        try:
            report = await reports.report(context.service, context.caller, key, input.category.name, given(input.note))
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(report_key=report)

    @strawberry.mutation(
        description="Resolve a report, as a moderator. Of several who do so at once one is the first, and the others "
        "are told what was done.",
        graphql_type=ResolveReportPayload,
    )
    async def resolve_report(
        self,
        info: Info,
        input: Annotated[ResolveReportInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_report_id(input.report_id)
        wanted = Resolution(input.resolution.name, given(input.restrict_until), given(input.note))
        try:
            await moderation.resolve(context.service, context.caller, key, wanted)
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(report_key=key)

    @strawberry.mutation(
        description="Restrict a user, or end that, as a moderator and without a report.",
        graphql_type=RestrictUserPayload,
    )
    async def restrict_user(
        self,
        info: Info,
        input: Annotated[RestrictUserInput, INPUT],  # noqa: A002  (the contract's name)
    ) -> Outcome:
        context, key = info.context, parse_user_id(input.user_id)
        try:
            await moderation.restrict(context.service, context.caller, key, input.until, given(input.note))
        except RefusedError as refusal:
            return Outcome(errors=refusal.errors)
        return Outcome(user_key=key)
