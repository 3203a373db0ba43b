"""The types of messages."""

from collections.abc import Awaitable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

from db import rows
from db.reactions import MOST_REACTORS
from resolvers import deleting, editing, participants, threads
from resolvers.pages import Page
from resolvers.reactions import reactor_count
from schema import loading
from schema.asked import asked, conversation_parts
from schema.attachments import Attachment
from schema.context import Info
from schema.nodes import Node, describes
from schema.pages import CURSOR, EDGES, NODES, PAGE_INFO, After, First, PageInfo, given, page_arguments
from schema.participants import ParticipantConnection
from schema.users import User
from schema.visibility import PER_VIEWER

if TYPE_CHECKING:
    from schema.conversations import Conversation


@strawberry.enum(description="Who speaks in a message.")
class MessageKind(Enum):
    TEXT = strawberry.enum_value("TEXT", description="A person.")
    SYSTEM = strawberry.enum_value("SYSTEM", description="The conversation itself: somebody joined, a title changed.")
    NOTIFICATION = strawberry.enum_value("NOTIFICATION", description="The host application.")


@strawberry.enum(description="How far a message came, for every participant other than its sender.")
class MessageStatus(Enum):
    SENT = strawberry.enum_value("SENT", description="Committed; somebody has not received it yet.")
    DELIVERED = strawberry.enum_value("DELIVERED", description="Everybody has received it; somebody has not read it.")
    READ = strawberry.enum_value("READ", description="Everybody has read it.")


@strawberry.enum(description="How a body is written.")
class BodyFormat(Enum):
    PLAIN = strawberry.enum_value("PLAIN", description="Text to show as it is.")
    MARKDOWN = strawberry.enum_value(
        "MARKDOWN", description="CommonMark, with tables and ~~strikethrough~~; a line break is one."
    )


FirstReactors = Annotated[int | None, strawberry.argument(description="At most so many.")]


@strawberry.type(description="Everybody who reacted to a message with the same emoji.")
class ReactionGroup:
    emoji: str = strawberry.field(description="The emoji, in its one full form.")
    count: int = strawberry.field(description="How many people used it.")
    viewer_has_reacted: bool = strawberry.field(description="Whether the viewer is among them.")

    @strawberry.field(
        description=f"Those who used it first, in that order: 10 by default, up to {MOST_REACTORS}.",
        graphql_type=list[User],
    )
    def users(root: strawberry.Parent[rows.ReactionGroup], first: FirstReactors = UNSET) -> list[rows.User]:
        return root.reactors[: reactor_count(given(first))]


@strawberry.type(description="What a message said before it was edited.")
class MessageEdit:
    body: str = strawberry.field(description="What it said.")
    format: BodyFormat = strawberry.field(description="How that was written.")
    edited_at: datetime = strawberry.field(description="When it was edited, and said so no longer.")


@strawberry.enum(description="What the conversation says of itself.")
class NoticeKind(Enum):
    PARTICIPANTS_ADDED = strawberry.enum_value("PARTICIPANTS_ADDED", description="`actor` added `users`.")
    PARTICIPANT_REMOVED = strawberry.enum_value("PARTICIPANT_REMOVED", description="`actor` removed `users`.")
    PARTICIPANT_LEFT = strawberry.enum_value("PARTICIPANT_LEFT", description="`actor` left.")
    TITLE_CHANGED = strawberry.enum_value("TITLE_CHANGED", description="`actor` changed the title to `title`.")


@strawberry.type(
    description="What a SYSTEM message says, in parts: for clients that say it in another language than its body does."
)
class Notice:
    is_type_of = describes(rows.Notice)

    kind: NoticeKind = strawberry.field(description="What happened.")
    actor: User | None = strawberry.field(description="Who did it; null where they were erased.")
    users: list[User] = strawberry.field(description="Whom it is about, all of them.")
    title: str | None = strawberry.field(description="The new title of TITLE_CHANGED; null: none.")


LazyConversation = Annotated["Conversation", strawberry.lazy("schema.conversations")]


@strawberry.type(description="A message in a conversation.")
class Message(Node):
    is_type_of = describes(rows.Message)

    seq: int = strawberry.field(
        description="1, 2, 3 … without a hole, in commit order: the one total order of a conversation."
    )
    client_message_id: str | None = strawberry.field(
        description="The sender's own key of it: sending again with the same key is the same message."
    )
    kind: MessageKind = strawberry.field(description="Who speaks.")
    sender: User | None = strawberry.field(description="Null for SYSTEM messages, and where the sender was erased.")
    body: str = strawberry.field(description="What it says; empty once deleted.")
    format: BodyFormat = strawberry.field(description="How the body is written.")
    created_at: datetime = strawberry.field(description="When it was sent.")
    edited_at: datetime | None = strawberry.field(description="When it was last edited.")
    deleted_at: datetime | None = strawberry.field(description="When it was deleted; the message stays as a tombstone.")
    warning: str | None = strawberry.field(
        description="What a content check found, to be shown with it: it may be offensive, or could not be checked."
    )
    status: MessageStatus = strawberry.field(description="How far it came. Derived from the participants' watermarks.")
    reply_to: "Message | None" = strawberry.field(
        description="The message it answers; a deleted one stays, as a tombstone."
    )

    notice: Notice | None = strawberry.field(
        description="What a SYSTEM message says, in parts; null for all others, and where a program sent it."
    )
    reactions: list[ReactionGroup] = strawberry.field(
        description="What people reacted with, in the order in which each emoji was first used."
    )

    mentions: list[User] = strawberry.field(
        description="Participants whom the body names by `@handle`, or `@{handle}` with any characters, in the order of handles."
    )
    reply_count: int = strawberry.field(description="How many messages answer it, deleted ones included.")

    @strawberry.field(
        description="The body as HTML that may be put into a page as it is: sanitised, with links that say nothing of "
        "where they were clicked. Markdown is rendered; PLAIN is escaped, with its line breaks, and addresses are links. "
        "Empty once deleted.",
        graphql_type=str,
    )
    def body_html(root: strawberry.Parent[rows.Message], info: Info) -> str | Awaitable[str]:
        return info.context.service.bodies.html(root.body, root.format)

    attachments: list[Attachment] = strawberry.field(description="The files that belong to it, in their order.")

    @strawberry.field(
        description="What answers it, oldest first. 20 by default.",
        graphql_type=Annotated["MessageConnection", strawberry.lazy("schema.messages")],
    )
    async def replies(
        root: strawberry.Parent[rows.Message], info: Info, first: First = UNSET, after: After = UNSET
    ) -> Page[rows.Message]:
        wanted = asked(info)
        cut = threads.cut(root.key, page_arguments(first, after), counted="totalCount" in wanted)
        return await loading.reply_page(info, root.key, cut, wanted.nodes.message_parts)

    @strawberry.field(
        description="Who has read it, other than its sender, in the order of joining. 20 by default.",
        graphql_type=ParticipantConnection,
    )
    async def read_by(
        root: strawberry.Parent[rows.Message], info: Info, first: First = UNSET, after: After = UNSET
    ) -> Page[rows.Participant]:
        cut = participants.readers_cut(root.key, page_arguments(first, after), counted="totalCount" in asked(info))
        return await loading.reader_page(info, root, cut)

    @strawberry.field(
        description="What it said before, oldest first: for its sender, for who leads the group, and for moderators. "
        "Empty for everybody else, and once deleted.",
        graphql_type=list[MessageEdit],
        metadata=PER_VIEWER,
    )
    def edits(
        root: strawberry.Parent[rows.Message], info: Info
    ) -> list[rows.MessageEdit] | Awaitable[list[rows.MessageEdit]]:
        if root.edited_at is None or root.deleted_at is not None:
            return []
        return loading.edits(info, root.key) if editing.can_view_edits(info.context.caller, root) else []

    @strawberry.field(
        description="Whether the viewer may edit it: their own, as long as `PARLEY_EDIT_WINDOW` says, if not deleted."
    )
    def viewer_can_edit(root: strawberry.Parent[rows.Message], info: Info) -> bool:
        return editing.can_edit(info.context.service, info.context.caller, root)

    @strawberry.field(
        description="Whether the viewer may delete it: their own, another's in a group that they lead, any as a moderator."
    )
    def viewer_can_delete(root: strawberry.Parent[rows.Message], info: Info) -> bool:
        return deleting.can_delete(info.context.caller, root)

    @strawberry.field(
        description="Whether to fold it away: the viewer blocks its sender, and the server's setting says to hide what "
        "such people say, wherever they still meet."
    )
    async def viewer_has_hidden(root: strawberry.Parent[rows.Message], info: Info) -> bool:
        if root.sender_key is None or not info.context.service.policy.hide_blocked:
            return False
        return await loading.is_blocked(info, root.sender_key)

    @strawberry.field(description="Where it was sent.", graphql_type=LazyConversation)
    async def conversation(root: strawberry.Parent[rows.Message], info: Info) -> rows.Conversation:
        return await loading.conversation(info, root.conversation_key, conversation_parts(info))


@strawberry.type(description="A message in a connection.")
class MessageEdge:
    cursor: str = strawberry.field(description=CURSOR)
    node: Message = strawberry.field(description="The message.")


@strawberry.type(description="A page of messages, oldest first.")
class MessageConnection:
    edges: list[MessageEdge] = strawberry.field(description=EDGES)
    nodes: list[Message] = strawberry.field(description=NODES)
    page_info: PageInfo = strawberry.field(description=PAGE_INFO)
    total_count: int = strawberry.field(description="All messages that the connection leads to, deleted ones included.")
