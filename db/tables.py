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
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

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

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("handle", Text, nullable=False, comment="the host application's own key: the token's `sub`"),
    Column("name", Text, comment="null: the handle is shown"),
    Column("avatar_url", Text),
    Column("roles", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("created_at", _timestamp, nullable=False),
    # Finds who a token speaks of, and pages the directory in the order of handles.
    Index("uq_users_handle", "handle", unique=True),
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
    CheckConstraint("kind IN ('DIRECT', 'GROUP')", name="kind"),
    CheckConstraint("kind = 'GROUP' OR title IS NULL", name="direct_has_no_title"),
    CheckConstraint("(context_type IS NULL) = (context_id IS NULL)", name="context"),
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
    Column("user_id", Uuid, ForeignKey(users.c.id), primary_key=True),
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id), primary_key=True),
    Column("is_archived", Boolean, nullable=False, server_default=text("false")),
    Column("is_pinned", Boolean, nullable=False, server_default=text("false")),
    Column("muted_until", _timestamp),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=_xact,
        comment="the transaction that made it, by parley.xact()",
    ),
    # The conversations a user has joined since a horizon.
    Index("ix_memberships_user_id_xact", "user_id", "xact"),
    comment="A user's own side of a conversation, seen by that user alone; every right to a conversation rests on it.",
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
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id), primary_key=True),
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
    ForeignKeyConstraint(["conversation_id", "seq"], ["parley.messages.conversation_id", "parley.messages.seq"]),
    comment="One person's one emoji on one message.",
)

events = Table(
    "events",
    metadata,
    Column("conversation_id", Uuid, ForeignKey(conversations.c.id), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="the GraphQL type of the event"),
    Column("at", _timestamp, nullable=False),
    Column("actor_id", Uuid, ForeignKey(users.c.id)),
    Column("seq", Integer, comment="the message it is about"),
    Column("data", JSONB, comment="what cannot be derived from the rows it names"),
    Column(
        "xact",
        BigInteger,
        nullable=False,
        server_default=_xact,
        comment="the transaction that wrote it, by parley.xact()",
    ),
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
