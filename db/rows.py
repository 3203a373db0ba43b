"""What statements return and GraphQL types describe: plain rows, whose properties are what follows from them alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from db.keys import (
    AttachmentKey,
    MessageKey,
    attachment_id,
    conversation_id,
    is_sensitive,
    message_id,
    report_id,
    scheduled_message_id,
    user_id,
)

T = TypeVar("T")

NAMES_SHOWN = 3
"""Other participants that an untitled conversation is called by."""


@dataclass(slots=True)
class User:
    key: UUID
    handle: str
    given_name: str | None
    avatar_url: str | None

    @property
    def id(self) -> str:
        return user_id(self.key)

    @property
    def name(self) -> str:
        return self.given_name or self.handle


@dataclass(slots=True)
class Watermarks:
    """How far the others are in a conversation, as the two lowest watermarks of each kind.

    Two, because a message's status leaves its sender out: where the lowest is the sender's, the second counts. Null
    where there are not so many participants.
    """

    last_reader: UUID | None
    read: int | None
    read_next: int | None
    last_receiver: UUID | None
    delivered: int | None
    delivered_next: int | None

    def status(self, sender: UUID | None, seq: int) -> str:
        read = self.read_next if self.last_reader == sender else self.read
        delivered = self.delivered_next if self.last_receiver == sender else self.delivered
        if read is not None and seq <= read:
            return "READ"
        if delivered is not None and seq <= delivered:
            return "DELIVERED"
        return "SENT"


@dataclass(slots=True)
class ReactionGroup:
    """Everybody's one emoji on a message."""

    emoji: str
    count: int
    viewer_has_reacted: bool | None = None
    """Null where it was read in nobody's name."""
    reactor_keys: frozenset[UUID] = frozenset()
    """Everybody, where it was read in nobody's name."""
    reactors: list[User] = field(default_factory=list)
    """The first of them, where they are asked for."""


@dataclass(slots=True)
class Attachment:
    """A file, from the moment its upload is announced."""

    user_key: UUID
    """Who uploads it."""
    own_key: UUID
    filename: str
    content_type: str
    size: int
    checksum: bytes
    width: int | None
    height: int | None
    seq: int | None
    """The message it belongs to; None: not sent yet."""
    stored_at: datetime | None
    """None: not uploaded yet, or nobody has looked."""

    @property
    def id(self) -> str:
        return attachment_id(self.user_key, self.own_key)

    @property
    def key(self) -> AttachmentKey:
        return AttachmentKey(self.user_key, self.own_key)


@dataclass(slots=True)
class MessageEdit:
    """What a message said before an edit."""

    body: str
    format: str
    edited_at: datetime
    """When it said so no longer."""


@dataclass(slots=True)
class Notice:
    """What a message of the system says, for programs."""

    kind: str
    actor: User | None
    users: list[User]
    """Whom it is about."""
    title: str | None


@dataclass(slots=True)
class Message:
    conversation_key: UUID
    seq: int
    sender_key: UUID | None
    client_message_id: str | None
    kind: str
    format: str
    body: str
    reply_to_seq: int | None
    created_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    warning: str | None = None
    # Read only where they are asked for:
    user: User | None = None
    reply_to: "Message | None" = None
    watermarks: Watermarks | None = None
    reactions: list[ReactionGroup] | None = None
    attachments: list[Attachment] | None = None
    mentions: list[User] | None = None
    reply_count: int | None = None
    leaders: Mapping[UUID, str] | None = None
    """The roles of the conversation's owners and admins."""
    notice: Notice | None = None

    @property
    def id(self) -> str:
        return message_id(self.conversation_key, self.seq)

    @property
    def key(self) -> MessageKey:
        return MessageKey(self.conversation_key, self.seq)

    @property
    def sender(self) -> User | None:
        """Nobody says what the system says."""
        return None if self.kind == "SYSTEM" else self.user

    @property
    def status(self) -> str:
        if self.watermarks is None:
            raise AttributeError("status was not read with this message")
        return self.watermarks.status(self.sender_key, self.seq)


@dataclass(slots=True)
class CachedMessage(Message):
    """One that may be told more than once (db/cache.py)."""

    told: dict[int, Any] = field(default_factory=dict)
    """What was told of it, by what was asked for; until it has another sender."""
    checked: int = -1
    """Who sent it was right when `Users.changes` had this value."""


class CachedList(list[T]):
    """The same of a list."""

    __slots__ = ("checked", "told")

    def __init__(self, rows: Iterable[T], checked: int = -1) -> None:
        super().__init__(rows)
        self.told: dict[int, Any] = {}
        self.checked = checked


@dataclass(slots=True)
class ConversationContext:
    type: str
    id: str
    title: str | None
    url: str | None


@dataclass(slots=True)
class ViewerState:
    role: str
    last_seq: int
    last_read_seq: int
    last_delivered_seq: int
    archived_seq: int | None = None
    """The newest seq when it was put away."""
    is_pinned: bool = False
    muted_until: datetime | None = None
    unread_from_seq: int | None = None
    """It counts as unread from here on, whatever was read."""
    can_send: bool = True
    """Every role may, unless it is blocked or they are restricted; who is no member has no viewer state."""
    seat: tuple[UUID, UUID] | None = None
    """Of which conversation and user it is; None where all that is told is that it is no more."""

    @property
    def is_archived(self) -> bool:
        """Until something is new in it."""
        return self.archived_seq is not None and self.archived_seq >= self.last_seq

    @property
    def read_seq(self) -> int:
        """Everything up to it counts as read."""
        if self.unread_from_seq is None:
            return self.last_read_seq
        return min(self.last_read_seq, self.unread_from_seq - 1)

    @property
    def unread_count(self) -> int:
        return self.last_seq - self.read_seq


@dataclass(slots=True)
class Conversation:
    key: UUID
    kind: str
    title: str | None
    context: ConversationContext | None
    created_at: datetime
    last_activity_at: datetime
    last_seq: int
    revision: int
    history: str
    """What those see who are added later."""
    edition: int | None = None
    """Counts its changes, for what is remembered of it; None: who reads it may see nothing of that."""
    # Read only where they are asked for:
    viewer_state: ViewerState | None = None
    others: tuple[str, ...] = ()
    others_count: int = 0
    first_seq: int = 1
    """Of the first message that the viewer may see."""
    last_message: Message | None = None
    # Pages of its lists that were read along with it, each with what was asked for: ConversationParts have it.
    along_messages: "tuple[Any, Sequence[Message]] | None" = None
    along_participants: tuple[Any, Any] | None = None

    @property
    def id(self) -> str:
        return conversation_id(self.key)

    @property
    def is_sensitive(self) -> bool:
        """Bodies are encrypted where they are stored."""
        return is_sensitive(self.key)

    @property
    def message_count(self) -> int:
        """Those that the viewer may see, deleted ones included: they keep their seq."""
        return self.last_seq - self.first_seq + 1

    @property
    def display_title(self) -> str:
        if self.title:
            return self.title
        shown = ", ".join(self.others[:NAMES_SHOWN])
        more = self.others_count - NAMES_SHOWN
        if not shown:
            return "Just you"
        return f"{shown} and {more} more" if more > 0 else shown


@dataclass(slots=True)
class Participant:
    conversation_key: UUID
    user: User
    role: str
    joined_at: datetime
    last_read_seq: int
    last_read_at: datetime | None
    last_delivered_seq: int

    @classmethod
    def of(cls, user: User) -> Self:
        """Who it is, of any conversation: whatever else is asked of it raises AttributeError."""
        participant = cls.__new__(cls)
        participant.user = user
        return participant

    @classmethod
    def several(cls, conversation: UUID, users: Iterable[User], columns: Mapping[str, Sequence[Any]]) -> list[Self]:
        """Those of a conversation, with these columns of theirs: whatever else is asked of them raises AttributeError."""
        found = list(map(cls.of, users))
        for participant in found:
            participant.conversation_key = conversation
        for name, values in columns.items():
            for participant, value in zip(found, values, strict=False):
                setattr(participant, name, value)
        return found


@dataclass(slots=True)
class OwnState:
    """A user's own side of a conversation, by itself."""

    conversation_key: UUID
    user: User
    state: ViewerState


_OF_MESSAGES = {"MessageSent", "MessageEdited", "MessageDeleted", "ReactionsChanged"}


@dataclass(slots=True)
class Report:
    """A message that somebody, or a content check, asks moderators to look at."""

    key: UUID
    conversation_key: UUID
    seq: int
    category: str
    note: str | None
    status: str
    created_at: datetime
    resolution: str | None
    resolved_at: datetime | None
    resolution_note: str | None
    reporter: User | None = None
    resolved_by: User | None = None

    @property
    def id(self) -> str:
        return report_id(self.key)

    @property
    def message_key(self) -> MessageKey:
        return MessageKey(self.conversation_key, self.seq)


@dataclass(slots=True)
class AuditEntry:
    """What somebody did with what is another's."""

    key: UUID
    at: datetime
    action: str
    actor: User | None
    user: User | None
    message_key: MessageKey | None
    report_key: UUID | None
    until: datetime | None
    note: str | None

    @property
    def message_id(self) -> str | None:
        return message_id(self.message_key.conversation, self.message_key.seq) if self.message_key else None

    @property
    def report_id(self) -> str | None:
        return report_id(self.report_key) if self.report_key else None


@dataclass(slots=True)
class Event:
    """Something that happened in a conversation, with what it is about as that stands now.

    Most are entries of the conversation's log. Those that are not (receipts, typing, and what a stream says of itself)
    have no revision, and so no place in it.
    """

    conversation_key: UUID
    kind: str
    """The name of its GraphQL type."""
    at: datetime
    actor: User | None = None
    revision: int = 0
    xact: int = 0
    """The transaction that wrote it, by the log's clock."""
    message: Message | None = None
    added_keys: tuple[UUID, ...] = ()
    removed_keys: tuple[UUID, ...] = ()
    participant: Participant | None = None
    is_typing: bool = False
    reason: str = ""
    state: ViewerState | None = None
    """Of the one user to whom it is told."""
    variant: str = ""
    """Names what is told of it otherwise than to everybody; empty where nothing is."""
    conversation: Conversation | None = None
    """Where the viewer can no longer read it."""
    cursor: str = ""
    """Where a stream stands after it."""

    @property
    def is_hidden(self) -> bool:
        """Whether it is about a message that whoever read it may not see."""
        return self.kind in _OF_MESSAGES and self.message is None

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for what is the same event, however often it is read."""
        if self.revision:
            return self.conversation_key, self.revision, self.variant
        of = self.participant
        marks = (of.last_read_seq, of.last_delivered_seq) if of else (self.is_typing, self.at)
        return self.conversation_key, self.kind, self.actor and self.actor.key, marks


@dataclass(slots=True)
class Failure:
    """Why something was not done: the code of a UserError, and its message."""

    code: str
    message: str


@dataclass(slots=True)
class ScheduledMessage:
    """A message that is to be sent later, and what became of it."""

    key: UUID
    conversation_key: UUID | None
    """None: the direct conversation with the recipient, as long as there is none."""
    recipient_key: UUID | None
    """None: it was addressed to a conversation."""
    client_message_id: str | None
    format: str
    body: str
    reply_to_seq: int | None
    attachment_keys: list[UUID]
    """Of uploads of the sender's, each its own key."""
    send_at: datetime
    status: str
    failure: Failure | None
    seq: int | None
    created_at: datetime

    @property
    def id(self) -> str:
        return scheduled_message_id(self.key)

    @property
    def is_settled(self) -> bool:
        return self.status != "PENDING"

    @property
    def reply_to_key(self) -> MessageKey | None:
        return self._message(self.reply_to_seq)

    @property
    def message_key(self) -> MessageKey | None:
        """The message that it became."""
        return self._message(self.seq)

    def _message(self, seq: int | None) -> MessageKey | None:
        return MessageKey(self.conversation_key, seq) if self.conversation_key and seq else None


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether somebody is there, as a viewer may know it."""

    status: str
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class PresenceChange:
    user: User
    presence: Presence
