"""The types of reports and of the audit trail."""

from datetime import datetime
from enum import Enum

import strawberry

from db import rows
from resolvers.reports import CONTEXT
from schema import loading
from schema.asked import asked
from schema.context import Info
from schema.messages import Message
from schema.nodes import Node, describes
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, PageInfo
from schema.users import User


@strawberry.enum(description="What is wrong with a message.")
class ReportCategory(Enum):
    SPAM = strawberry.enum_value("SPAM", description="Advertising, or the same again and again.")
    ABUSE = strawberry.enum_value("ABUSE", description="Insults, threats, harassment.")
    HATE = strawberry.enum_value("HATE", description="Against people for what they are.")
    SEXUAL = strawberry.enum_value("SEXUAL", description="Sexual, and not wanted here.")
    VIOLENCE = strawberry.enum_value("VIOLENCE", description="Violence, or a call to it.")
    FRAUD = strawberry.enum_value("FRAUD", description="An attempt to deceive or to get at money or passwords.")
    ILLEGAL = strawberry.enum_value("ILLEGAL", description="Against the law in another way.")
    OTHER = strawberry.enum_value("OTHER", description="What the note says.")
    CONTENT_CHECK = strawberry.enum_value(
        "CONTENT_CHECK", description="A content check flagged it; people do not report in this category."
    )


@strawberry.enum(description="Where a report stands.")
class ReportStatus(Enum):
    OPEN = strawberry.enum_value("OPEN", description="Nobody has resolved it yet.")
    DISMISSED = strawberry.enum_value("DISMISSED", description="Nothing was wrong.")
    ACTIONED = strawberry.enum_value("ACTIONED", description="Something was done about it.")


@strawberry.enum(description="What a moderator does about a report.")
class ReportResolution(Enum):
    DISMISS = strawberry.enum_value("DISMISS", description="Nothing.")
    REMOVE_MESSAGE = strawberry.enum_value(
        "REMOVE_MESSAGE", description="The message is deleted, and all open reports of it are resolved."
    )
    RESTRICT_USER = strawberry.enum_value(
        "RESTRICT_USER", description="Its sender may read and do nothing else for some time."
    )


@strawberry.type(
    description="A message that somebody, or a content check, asks moderators to look at. Moderators see all reports, "
    "members or not of where it was said; everybody else sees their own."
)
class Report(Node):
    is_type_of = describes(rows.Report)

    category: ReportCategory = strawberry.field(description="What is said to be wrong.")
    note: str | None = strawberry.field(description="In the reporter's words, or those of the content check.")
    status: ReportStatus = strawberry.field(description="Where it stands.")
    reporter: User | None = strawberry.field(
        description="Who reported it; null where a content check did, or they were erased."
    )
    created_at: datetime = strawberry.field(description="When it was reported.")
    resolution: ReportResolution | None = strawberry.field(description="What was done; null while it is open.")
    resolved_at: datetime | None = strawberry.field(description="When it was resolved.")
    resolved_by: User | None = strawberry.field(description="Who resolved it; moderators alone are told.")
    resolution_note: str | None = strawberry.field(description="What they noted; moderators alone are told.")

    @strawberry.field(
        description="The message as it stands now; null where retention has removed it.", graphql_type=Message | None
    )
    async def message(root: strawberry.Parent[rows.Report], info: Info) -> rows.Message | None:
        found = await loading.reported_messages(info, root.message_key, 0, asked(info).message_parts)
        return found[0] if found else None

    @strawberry.field(
        description=f"The {CONTEXT} messages before it, the message itself and the {CONTEXT} after it, as far as there "
        "are so many.",
        graphql_type=list[Message],
    )
    async def context_messages(root: strawberry.Parent[rows.Report], info: Info) -> list[rows.Message]:
        return await loading.reported_messages(info, root.message_key, CONTEXT, asked(info).message_parts)


@strawberry.type(description="A report in a connection.")
class ReportEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Report = strawberry.field(description="The report.")


@strawberry.type(description="A page of reports, oldest first.")
class ReportConnection:
    edges: list[ReportEdge] = strawberry.field(description=EDGES)
    nodes: list[Report] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
    total_count: int = strawberry.field(description="All reports of this status.")


@strawberry.enum(description="What somebody did with what is another's.")
class AuditAction(Enum):
    REPORT_DISMISSED = strawberry.enum_value("REPORT_DISMISSED", description="A moderator dismissed a report.")
    MESSAGE_REMOVED = strawberry.enum_value("MESSAGE_REMOVED", description="A moderator removed a reported message.")
    MESSAGE_DELETED = strawberry.enum_value(
        "MESSAGE_DELETED", description="A message was deleted by somebody other than its sender."
    )
    USER_RESTRICTED = strawberry.enum_value("USER_RESTRICTED", description="A moderator restricted a user.")
    RESTRICTION_LIFTED = strawberry.enum_value("RESTRICTION_LIFTED", description="A moderator ended a restriction.")


@strawberry.type(description="What somebody did with what is another's. It can neither be changed nor taken away.")
class AuditEntry:
    at: datetime = strawberry.field(description="When they did it.")
    actor: User | None = strawberry.field(description="Who did it; null where they were erased.")
    action: AuditAction = strawberry.field(description="What they did.")
    user: User | None = strawberry.field(description="To whom: who was restricted, or sent the message.")
    message_id: strawberry.ID | None = strawberry.field(description="The message that it was about.")
    report_id: strawberry.ID | None = strawberry.field(description="The report that it resolved.")
    until: datetime | None = strawberry.field(description="When a restriction ends.")
    note: str | None = strawberry.field(description="What the moderator noted.")


@strawberry.type(description="An entry of the audit trail in a connection.")
class AuditEntryEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: AuditEntry = strawberry.field(description="The entry.")


@strawberry.type(description="A page of the audit trail, newest first.")
class AuditEntryConnection:
    edges: list[AuditEntryEdge] = strawberry.field(description=EDGES)
    nodes: list[AuditEntry] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
