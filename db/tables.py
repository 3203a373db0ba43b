"""What is kept: every table of Parley, in the PostgreSQL schema `parley`.

Keys are UUIDv7 made by the application, times are timestamptz. Every key begins with a conversation or a user, and no
statement needs more than one conversation's or one user's rows. Row level security is on and forced for all of them;
its policies stand in the migrations.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

SCHEMA = "parley"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

_timestamp = DateTime(timezone=True)
_xact = text("parley.xact()")  # db/clock.py


def _of_message() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["conversation_id", "seq"], ["parley.messages.conversation_id", "parley.messages.seq"])


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("handle", Text, nullable=False, comment="the host application's own key: the token's `sub`"),
    Column("name", Text, comment="null: the handle is shown"),
    Column("avatar_url", Text),
    Column("roles", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_at", _timestamp, nullable=False),
    Column("restricted_until", _timestamp, comment="may read, and do nothing else, until then"),
    Column(
        "shares_presence",
        Boolean,
        nullable=False,
        server_default=text("true"),
        comment="false: others see them offline",
    ),
    Column(
        "has_own_name",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the user chose the name: a token does not change it",
    ),
    Column(
        "has_own_avatar",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="the user chose the avatar: a token does not change it",
    ),
    Column("words", TSVECTOR, comment="what the directory finds them by: parley.directory_words"),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="the transaction that last changed who they are, by parley.xact(); 0: none did",
    ),
    # Who changed lately, for what was read of them before (db/cache.py).
    Index("ix_users_xact", "xact", postgresql_where=text("xact > 0")),
    # Finds who a token speaks of, and pages the directory in the order of handles.
    Index("uq_users_handle", "handle", unique=True),
    # Who is called something like it.
    Index("ix_users_words", "words", postgresql_using="gin"),
    comment="A person the host application has told us about, by token or import.",
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("title", Text),
    Column("context_type", Text),
    Column("context_id", Text),
    Column("context_title", Text),
    Column("context_url", Text),
    Column("created_by", Uuid, ForeignKey(users.c.id)),
    Column("created_at", _timestamp, nullable=False),
    Column("last_activity_at", _timestamp, nullable=False),
    Column("last_seq", Integer, nullable=False, server_default=text("0"), comment="seq of the newest message"),
    Column("revision", BigInteger, nullable=False, server_default=text("0"), comment="of the newest event"),
    Column(
        "edition",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="counts changes of messages that were there, and of who takes part",
    ),
    Column(
        "is_blocked",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="direct, and one of the two blocked the other: nothing is sent",
    ),
    Column("history", Text, nullable=False, server_default=text("'ALL'"), comment="what those see who are added later"),
    Column(
        "is_sensitive",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="bodies are encrypted and not searched; never changes",
    ),
    CheckConstraint("kind IN ('DIRECT', 'GROUP')", name="kind"),
    CheckConstraint("kind = 'GROUP' OR title IS NULL", name="direct_has_no_title"),
    CheckConstraint("(context_type IS NULL) = (context_id IS NULL)", name="context"),
    CheckConstraint("history IN ('ALL', 'FROM_JOINING')", name="history"),
    # The version of the UUID: who has the key knows it, without a look at the row.
    CheckConstraint("is_sensitive = (substr(id::text, 15, 1) = '8')", name="sensitive_key"),
    # Whether there are any, and all of them, for keys that change.
    Index("ix_conversations_sensitive", "id", postgresql_where=text("is_sensitive")),
    comment="A conversation; its row lock orders everything that happens in it.",
    # Every send updates the row in place: room on the page keeps that a heap-only update.
    postgresql_with={"fillfactor": 80},
)

direct_conversations = Table(
    "direct_conversations",
    metadata,
    Column("low_user_id", Uuid, ForeignKey(users.c.id), primary_key=True, comment="the lesser of the two ids"),
    Column("high_user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("context_type", Text, primary_key=True, server_default=text("''"), comment="'' where there is none"),
    Column("context_id", Text, primary_key=True, server_default=text("''")),
    Column(
        "conversation_id",
        Uuid,
        ForeignKey(conversations.c.id, deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    CheckConstraint("low_user_id < high_user_id", name="order"),
    comment="The one direct conversation of a pair and context: where racing callers meet.",
)

memberships = Table(
    "memberships",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id)),
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id)),
    Column("is_pinned", Boolean, nullable=False, server_default=text("false")),
    Column("muted_until", _timestamp),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=_xact,
        comment="the transaction that made it, by parley.xact()",
    ),
    Column(
        "history_from_seq",
        Integer,
        nullable=False,
        server_default=text("1"),
        comment="the first message that the user may see",
    ),
    Column("archived_seq", Integer, comment="put away when this was the newest message"),
    Column("unread_from_seq", Integer, comment="counts as unread from here on, whatever was read"),
    Column(
        "joined_revision",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="of the event by which they came; 0: there from the start",
    ),
    Column(
        "state_xact",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="the transaction that last changed the user's own side, by parley.xact(); 0: none did",
    ),
    # With what the policies of messages and events look up for every statement.
    PrimaryKeyConstraint("user_id", "conversation_id", postgresql_include=["history_from_seq"]),
    # The conversations a user has joined since a horizon. Its condition keeps it from what policies look up.
    Index("ix_memberships_user_id_xact", "user_id", "xact", postgresql_where=text("xact > 0")),
    comment="A user's own side of a conversation, seen by that user alone; every right to a conversation rests on it.",
)

departures = Table(
    "departures",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id), primary_key=True),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=_xact,
        comment="the transaction that wrote it, by parley.xact()",
    ),
    # The conversations a user has left since a horizon.
    Index("ix_departures_user_id_xact", "user_id", "xact"),
    comment="A conversation that a user was in and is not, for those of their streams that are away.",
)

participants = Table(
    "participants",
    metadata,
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id), primary_key=True),
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("role", Text, nullable=False, server_default=text("'MEMBER'")),
    Column("joined_at", _timestamp, nullable=False),
    Column("last_read_seq", Integer, nullable=False, server_default=text("0")),
    Column("last_read_at", _timestamp),
    Column("last_delivered_seq", Integer, nullable=False, server_default=text("0")),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        comment="the transaction of the last receipt, by parley.xact(); 0: there was none",
    ),
    CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER')", name="role"),
    CheckConstraint("last_read_seq <= last_delivered_seq", name="read_is_delivered"),
    comment="A user in a conversation, as all its members see them; two watermarks stand for every receipt.",
    postgresql_with={"fillfactor": 80},
)

messages = Table(
    "messages",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),  # no foreign key: seq is taken from that row
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("sender_id", Uuid, ForeignKey(users.c.id)),
    Column("client_message_id", Text, comment="the sender's own key: a repeat is the same message"),
    Column("kind", Text, nullable=False, server_default=text("'TEXT'")),
    Column("format", Text, nullable=False, server_default=text("'PLAIN'")),
    Column("body", Text, nullable=False),
    Column("reply_to_seq", Integer),
    Column("created_at", _timestamp, nullable=False),
    Column("edited_at", _timestamp),
    Column("deleted_at", _timestamp),
    Column("warning", Text, comment="what a check of its content found"),
    ForeignKeyConstraint(
        ["conversation_id", "reply_to_seq"],
        ["parley.messages.conversation_id", "parley.messages.seq"],
    ),
    CheckConstraint("kind IN ('TEXT', 'SYSTEM', 'NOTIFICATION')", name="kind"),
    CheckConstraint("format IN ('PLAIN', 'MARKDOWN')", name="format"),
    CheckConstraint("seq > 0 AND reply_to_seq < seq", name="seq"),
    # Makes a repeated send meet the original.
    Index(
        "uq_messages_client_message_id",
        "conversation_id",
        "sender_id",
        "client_message_id",
        unique=True,
        postgresql_where=text("client_message_id IS NOT NULL"),
    ),
    # The replies to a message, oldest first.
    Index(
        "ix_messages_reply_to_seq",
        "conversation_id",
        "reply_to_seq",
        "seq",
        postgresql_where=text("reply_to_seq IS NOT NULL"),
    ),
    comment="A message; seq is 1, 2, 3 … within its conversation, without a hole, in commit order.",
)

reactions = Table(
    "reactions",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("emoji", Text, primary_key=True),
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("created_at", _timestamp, nullable=False),
    _of_message(),
    comment="One person's one emoji on one message.",
)

notices = Table(
    "notices",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("actor_id", Uuid, ForeignKey(users.c.id)),
    Column("user_ids", ARRAY(Uuid), nullable=False, comment="whom it is about"),
    Column("title", Text, comment="the new one"),
    _of_message(),
    comment="What a message of the system says, for programs.",
)

message_edits = Table(
    "message_edits",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="1, 2, 3 … of the message"),
    Column("body", Text, nullable=False, comment="what it said before this edit"),
    Column("format", Text, nullable=False),
    Column("edited_at", _timestamp, nullable=False, comment="when it said so no longer"),
    _of_message(),
    comment="What an edited message said before, oldest first.",
)

mentions = Table(
    "mentions",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    _of_message(),
    # The messages that mention a user.
    Index("ix_mentions_user_id_conversation_id_seq", "user_id", "conversation_id", "seq"),
    comment="A participant whom a message mentions.",
)

pins = Table(
    "pins",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("pinned_by", Uuid, ForeignKey(users.c.id)),
    Column("pinned_at", _timestamp, nullable=False),
    _of_message(),
    comment="A message that is pinned in its conversation, for all its members.",
)

attachments = Table(
    "attachments",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True, comment="who uploads it"),
    Column("id", Uuid, primary_key=True),
    Column("conversation_id", Uuid),
    Column("seq", Integer, comment="the message it belongs to; null: not sent yet"),
    Column("position", Integer, comment="1, 2, 3 … in its message"),
    Column("filename", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False, comment="bytes"),
    Column("checksum", LargeBinary, nullable=False, comment="SHA-256"),
    Column("width", Integer, comment="pixels of an image"),
    Column("height", Integer),
    Column("created_at", _timestamp, nullable=False),
    Column("stored_at", _timestamp, comment="when all of it was there; null: not yet"),
    CheckConstraint("(conversation_id IS NULL) = (seq IS NULL) AND (seq IS NULL) = (position IS NULL)", name="message"),
    _of_message(),
    # The attachments of a message, in their order.
    Index(
        "uq_attachments_position",
        "conversation_id",
        "seq",
        "position",
        unique=True,
        postgresql_where=text("seq IS NOT NULL"),
    ),
    # Uploads that nobody has sent, oldest first.
    Index("ix_attachments_created_at", "created_at", postgresql_where=text("seq IS NULL")),
    comment="A file, from the moment its upload is announced; its bytes are kept elsewhere.",
)

discarded_files = Table(
    "discarded_files",
    metadata,
    Column("user_id", Uuid, primary_key=True, comment="who uploaded it"),
    Column("id", Uuid, primary_key=True, comment="the attachment's"),
    Column("discarded_at", _timestamp, nullable=False),
    # Those to remove, oldest first.
    Index("ix_discarded_files_discarded_at", "discarded_at"),
    comment="A file whose attachment is gone, until it is gone itself.",
)

encryption_keys = Table(
    "encryption_keys",
    metadata,
    Column("id", Text, primary_key=True, comment="what settings call it"),
    Column("proof", Text, nullable=False, comment="a known text, encrypted by it"),
    Column("created_at", _timestamp, nullable=False),
    comment="A key by which sensitive conversations are encrypted, and by which another under its name is found out.",
)

blocks = Table(
    "blocks",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True, comment="who blocks"),
    Column("blocked_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("created_at", _timestamp, nullable=False),
    CheckConstraint("user_id <> blocked_id", name="two"),
    # Those who block a user.
    Index("ix_blocks_blocked_id", "blocked_id"),
    comment="Somebody blocks somebody; only who blocks sees it.",
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True, comment="the mutation"),
    Column("at", _timestamp, nullable=False, comment="the theoretical arrival time"),
    comment="How often somebody did something of late. Not logged: a crash forgives everybody.",
    prefixes=["UNLOGGED"],
    postgresql_with={"fillfactor": 50},
)

reports = Table(
    "reports",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("seq", Integer, nullable=False, comment="the message it is about"),
    Column(
        "reporter_id",
        Uuid,
        ForeignKey(users.c.id, ondelete="SET NULL"),
        comment="null: a content check, or an erased user",
    ),
    Column("category", Text, nullable=False),
    Column("note", Text, comment="the reporter's, or what the check found"),
    Column("status", Text, nullable=False, server_default=text("'OPEN'")),
    Column("created_at", _timestamp, nullable=False),
    Column("resolution", Text),
    Column("resolved_at", _timestamp),
    Column("resolved_by", Uuid, ForeignKey(users.c.id, ondelete="SET NULL")),
    Column("resolution_note", Text),
    CheckConstraint("status IN ('OPEN', 'DISMISSED', 'ACTIONED')", name="status"),
    CheckConstraint(
        "(status = 'OPEN') = (resolution IS NULL) AND (resolution IS NULL) = (resolved_at IS NULL)", name="resolution"
    ),
    ForeignKeyConstraint(
        ["conversation_id", "seq"],
        ["parley.messages.conversation_id", "parley.messages.seq"],
        ondelete="CASCADE",
    ),
    # One by its id alone.
    Index("ix_reports_id", "id"),
    # All of them, and the queue, oldest first.
    Index("ix_reports_created_at_id", "created_at", "id"),
    Index("ix_reports_status_created_at_id", "status", "created_at", "id"),
    # Makes a repeated report meet the first one.
    Index("uq_reports_reporter_id", "conversation_id", "seq", "reporter_id", unique=True),
    # A message that is flagged again is in the queue once.
    Index(
        "uq_reports_content_check",
        "conversation_id",
        "seq",
        unique=True,
        postgresql_where=text("category = 'CONTENT_CHECK' AND status = 'OPEN'"),
    ),
    comment="A message that somebody, or a content check, asks moderators to look at.",
)

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("at", _timestamp, nullable=False),
    Column("actor_id", Uuid, ForeignKey(users.c.id, ondelete="SET NULL"), comment="who did it; null: an erased user"),
    Column("action", Text, nullable=False),
    Column("user_id", Uuid, ForeignKey(users.c.id, ondelete="SET NULL"), comment="to whom"),
    Column("conversation_id", Uuid),
    Column("seq", Integer, comment="the message it was about"),
    Column("report_id", Uuid),
    Column("until", _timestamp, comment="of a restriction"),
    Column("note", Text),
    # The trail, newest first.
    Index("ix_audit_entries_at_id", "at", "id"),
    comment="What somebody did with what is another's. Rows are added, and neither changed nor removed.",
)

events = Table(
    "events",
    metadata,
    Column("conversation_id", Uuid, primary_key=True),  # no foreign key: the revision is taken from that row
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="the GraphQL type of the event"),
    Column("at", _timestamp, nullable=False),
    Column("actor_id", Uuid),  # no foreign key: see db/erasures.py
    Column("seq", Integer, comment="the message it is about"),
    Column("data", JSONB, comment="what cannot be derived from the rows it names"),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=_xact,
        comment="the transaction that wrote it, by parley.xact()",
    ),
    # What is new in all conversations since a horizon.
    Index("ix_events_xact", "xact"),
    comment="The log that subscriptions are fed from; revision is 1, 2, 3 … within its conversation, in commit order.",
)

conversation_starts = Table(
    "conversation_starts",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("client_message_id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False, comment="digest of the whole input: other content is a conflict"),
    Column("conversation_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("was_created", Boolean, nullable=False),
    comment="A keyed startConversation and what it answered, for the caller who has to ask again.",
)

imported_conversations = Table(
    "imported_conversations",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column(
        "conversation_id",
        Uuid,
        ForeignKey(conversations.c.id, deferrable=True, initially="DEFERRED"),
        nullable=False,
    ),
    comment="A conversation's key in the history it was imported from. (A user's is the handle, a message's its "
    "client_message_id.)",
)

scheduled_messages = Table(
    "scheduled_messages",
    metadata,
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True, comment="who sends it, and alone sees it"),
    Column("id", Uuid, primary_key=True),
    Column(
        "conversation_id",
        Uuid,
        ForeignKey(conversations.c.id),
        comment="null: the direct one with the recipient, once there is one",
    ),
    Column("recipient_id", Uuid, ForeignKey(users.c.id), comment="to whom it was addressed, where it was to a user"),
    Column("client_message_id", Text, comment="the sender's own key, the message's too"),
    Column("fingerprint", Text, nullable=False, comment="digest of the whole input: other content is a conflict"),
    Column("format", Text, nullable=False, server_default=text("'PLAIN'")),
    Column("body", Text, nullable=False),
    Column("reply_to_seq", Integer),
    Column(
        "attachment_ids",
        ARRAY(Uuid),
        nullable=False,
        server_default=text("'{}'"),
        comment="uploads of the sender's, kept for it",
    ),
    Column("send_at", _timestamp, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'PENDING'")),
    Column("due_at", _timestamp, comment="when it is tried; null: it is settled"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="that failed by a fault"),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("seq", Integer, comment="the message that it became"),
    Column("created_at", _timestamp, nullable=False, server_default=text("now()")),
    CheckConstraint("conversation_id IS NOT NULL OR recipient_id IS NOT NULL", name="target"),
    CheckConstraint("status IN ('PENDING', 'SENT', 'FAILED', 'CANCELLED')", name="status"),
    CheckConstraint("(status = 'PENDING') = (due_at IS NOT NULL)", name="due"),
    CheckConstraint("(status = 'SENT') = (seq IS NOT NULL)", name="sent"),
    CheckConstraint("(status = 'FAILED') = (failure_code IS NOT NULL)", name="failed"),
    CheckConstraint("format IN ('PLAIN', 'MARKDOWN')", name="format"),
    # Makes a repeated scheduleMessage meet the first.
    Index(
        "uq_scheduled_messages_client_message_id",
        "user_id",
        "client_message_id",
        unique=True,
        postgresql_where=text("client_message_id IS NOT NULL"),
    ),
    # What is due, and what is due next.
    Index("ix_scheduled_messages_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    comment="A message that is to be sent at a time, and what became of it.",
)

log_readers = Table(
    "log_readers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xact", BigInteger, nullable=False, comment="by parley.xact()"),
    comment="Who follows the log of all conversations, and how far: everything below xact has been dealt with.",
)

search_state = Table(
    "search_state",
    metadata,
    Column("configuration", Text, primary_key=True, comment="text search configuration of all entries"),
    Column("conversation_id", Uuid, comment="up to here older messages were taken in"),
    Column("seq", Integer),
    comment="The one row of the search: how words are made of messages, and how far, in the order of keys, those "
    "messages are taken in that were there before; null: all of them.",
)

search_entries = Table(
    "search_entries",
    metadata,
    Column("conversation_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("sender_id", Uuid),
    Column("at", _timestamp, nullable=False, comment="when the message was sent"),
    Column("has_attachment", Boolean, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    # A conversation's messages by their time, newest first. Their own key is no foreign key, which would be checked for
    # each: a trigger on messages takes an entry away, and what makes one locks its message.
    PrimaryKeyConstraint("conversation_id", "at", "seq"),
    # Which messages have a word. New ones are put in order together, which takes a third of the CPU; what waits for that
    # (kB) every search has to read.
    Index("ix_search_entries_words", "words", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 256}),
    comment="The words of a message that can be searched for: not of deleted ones, not of sensitive conversations, "
    "not of what the system says.",
)

statistics_buckets = Table(
    "statistics_buckets",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("start", _timestamp, primary_key=True, comment="of the hour or the day, in UTC"),
    Column("messages", BigInteger, nullable=False),
    Column("active_users", BigInteger, nullable=False),
    Column("conversations_started", BigInteger, nullable=False),
    CheckConstraint("bucket IN ('HOUR', 'DAY')", name="bucket"),
    comment="What happened in an hour or a day, as far as the log was counted; where nothing did there is no row.",
)

statistics_users = Table(
    "statistics_users",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("start", _timestamp, primary_key=True),
    Column("user_id", Uuid, ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True),
    comment="Who did something in an hour or a day, so that each is counted once.",
)

presence_servers = Table(
    "presence_servers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("expires_at", _timestamp, nullable=False, comment="is renewed as long as the process lives"),
    comment="A server process that keeps sockets. Not logged: after a crash each says again who is there.",
    prefixes=["UNLOGGED"],
    postgresql_with={"fillfactor": 50},
)

presences = Table(
    "presences",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("server_id", Uuid, primary_key=True),
    # What a process leaves behind.
    Index("ix_presences_server_id", "server_id"),
    comment="A user with a socket on a server process; counts as long as that has not expired.",
    prefixes=["UNLOGGED"],
)

last_seen = Table(
    "last_seen",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("at", _timestamp, nullable=False),
    comment="When a user's last socket was gone.",
    postgresql_with={"fillfactor": 80},
)

erasures = Table(
    "erasures",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("handle", Text, nullable=False, comment="which they had, and which is looked for"),
    Column("name", Text, comment="the same"),
    Column("keeps_messages", Boolean, nullable=False, comment="without their sender; false: as tombstones"),
    Column("begun_at", _timestamp, nullable=False),
    comment="Somebody who is being erased, from when it begins until nothing is left of them.",
)
