"""What messaging takes beyond messages: edits, mentions, pins, attachments, blocks, restrictions and rates; and a send that knows of them."""

from importlib import import_module
from typing import Any

import sqlalchemy as sa
from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
sending = import_module("db.migrations.versions.2026_11_21_sending")

revision = "2026_11_21_breadth"
down_revision = "2026_11_21_sending"
branch_labels = None
depends_on = None

APP, VIEWER, member = foundation.APP, foundation.VIEWER, foundation.member

_timestamp = sa.DateTime(timezone=True)


def columns() -> dict[str, list[sa.Column[Any]]]:
    """A column can be added to a table once."""
    return {
        "users": [
            sa.Column("restricted_until", _timestamp, comment="may read, and do nothing else, until then"),
            sa.Column(
                "shares_presence",
                sa.Boolean,
                server_default=sa.text("true"),
                nullable=False,
                comment="false: others see them offline",
            ),
        ],
        "conversations": [
            sa.Column(
                "is_blocked",
                sa.Boolean,
                server_default=sa.text("false"),
                nullable=False,
                comment="direct, and one of the two blocked the other: nothing is sent",
            ),
            sa.Column(
                "history",
                sa.Text,
                server_default=sa.text("'ALL'"),
                nullable=False,
                comment="what those see who are added later",
            ),
            sa.Column(
                "is_sensitive",
                sa.Boolean,
                server_default=sa.text("false"),
                nullable=False,
                comment="bodies are encrypted and not searched; never changes",
            ),
        ],
        "memberships": [
            sa.Column(
                "history_from_seq",
                sa.Integer,
                server_default=sa.text("1"),
                nullable=False,
                comment="the first message that the user may see",
            ),
        ],
        "messages": [sa.Column("warning", sa.Text, comment="what a check of its content found")],
    }


def may_change(table: str) -> str:
    """True for who sent the message that the row belongs to, and for who may remove it."""
    return (
        f"EXISTS (SELECT FROM parley.messages m WHERE m.conversation_id = {table}.conversation_id "
        f"AND m.seq = {table}.seq AND (m.sender_id = {VIEWER} OR {leads('m.conversation_id')}))"
    )


def leads(column: str) -> str:
    """True where the viewer is an owner or an admin."""
    return (
        f"EXISTS (SELECT FROM parley.participants p WHERE p.conversation_id = {column} AND p.user_id = {VIEWER} "
        "AND p.role IN ('OWNER', 'ADMIN'))"
    )


def is_senders(table: str) -> str:
    return (
        f"EXISTS (SELECT FROM parley.messages m WHERE m.conversation_id = {table}.conversation_id "
        f"AND m.seq = {table}.seq AND m.sender_id = {VIEWER})"
    )


TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "message_edits": {
        "SELECT": ("", may_change("message_edits")),
        "INSERT": ("", is_senders("message_edits")),
        "DELETE": ("", may_change("message_edits")),
    },
    "mentions": {
        "SELECT": ("", member("mentions.conversation_id")),
        "INSERT": ("", is_senders("mentions")),
        "DELETE": ("", may_change("mentions")),
    },
    "pins": {
        "SELECT": ("", member("pins.conversation_id")),
        "INSERT": ("", f"pinned_by = {VIEWER} AND {member('pins.conversation_id')}"),
        "DELETE": ("", member("pins.conversation_id")),
    },
    "attachments": {
        "SELECT": ("", f"user_id = {VIEWER} OR {member('attachments.conversation_id')}"),
        "INSERT": ("", f"user_id = {VIEWER}"),
        "UPDATE": ("(conversation_id, seq, position, stored_at, width, height)", f"user_id = {VIEWER}"),
        "DELETE": ("", may_change("attachments")),
    },
    "blocks": {
        "SELECT": ("", f"user_id = {VIEWER}"),
        "INSERT": ("", f"user_id = {VIEWER}"),
        "DELETE": ("", f"user_id = {VIEWER}"),
    },
    "rate_limits": {
        "SELECT": ("", f"user_id = {VIEWER}"),
        "INSERT": ("", f"user_id = {VIEWER}"),
        "UPDATE": ("(at)", f"user_id = {VIEWER}"),
    },
}

# What existing tables are opened for: table → command → (columns, condition).
OPENED: dict[str, dict[str, tuple[str, str]]] = {
    "messages": {
        "UPDATE": (
            "(body, format, edited_at, deleted_at, warning)",
            f"sender_id = {VIEWER} OR {leads('messages.conversation_id')}",
        ),
    },
    "reactions": {
        "INSERT": ("", f"user_id = {VIEWER} AND {member('reactions.conversation_id')}"),
        "DELETE": ("", f"user_id = {VIEWER} OR {may_change('reactions')}"),
    },
}

# The generic cell rate algorithm (ITU-T I.371, annex A): a row holds the theoretical arrival time. Each call moves it by
# a minute's share, and it may lie a minute ahead at most.
TAKE_PERMIT = """
CREATE FUNCTION parley.take_permit(who uuid, what text, per_minute integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    share interval := interval '1 minute' / per_minute;
    due timestamptz;
BEGIN
    UPDATE parley.rate_limits r SET at = greatest(r.at, moment) + share
    WHERE r.user_id = who AND r.kind = what AND r.at <= moment + interval '1 minute' - share;
    IF FOUND THEN
        RETURN 0;
    END IF;
    INSERT INTO parley.rate_limits AS r (user_id, kind, at) VALUES (who, what, moment + share)
    ON CONFLICT (user_id, kind) DO UPDATE SET at = greatest(r.at, moment) + share
    WHERE r.at <= moment + interval '1 minute' - share;
    IF FOUND THEN
        RETURN 0;
    END IF;
    SELECT r.at INTO due FROM parley.rate_limits r WHERE r.user_id = who AND r.kind = what;
    RETURN greatest(1, ceil(extract(epoch FROM due + share - interval '1 minute' - moment) * 1000));
END $$
"""

ARGUMENTS = (
    "senders uuid[], conversations uuid[], client_message_ids text[], kinds text[], formats text[], bodies text[], "
    "reply_to_seqs integer[], warnings text[], rates integer[], attached uuid[], attached_to integer[], "
    "mentioned text[], mentioned_in integer[], patience integer"
)

# Every message is sent in its sender's name, under row level security. The row lock of a conversation is held until
# COMMIT, which is why seq and revision have no holes and their order is the commit order. What waited for the lock
# computes the SET clause again on the row as it is then (PostgreSQL manual, 13.2.1 Read Committed), so `at` never runs
# backwards. Permits are taken before, in the order of senders: who locks both locks them in one order, and never waits
# in a circle.
# Plans are kept as long as a session lives, and some are made while the tables are empty: no plan may scan a table.
SEND = f"""
    CREATE FUNCTION parley.send_messages({ARGUMENTS})
    RETURNS TABLE (seq integer, revision bigint, at timestamptz, same boolean, retry_after integer)
    LANGUAGE plpgsql SECURITY INVOKER SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        stated text;
        conversation uuid;
        sender uuid;
        key text;
        target integer;
        files uuid[];
        n integer;
        places integer[] := '{{}}';
        waits integer[];
    BEGIN
        IF patience IS NOT NULL THEN
            stated := set_config('lock_timeout', patience::text, true);
        END IF;
        IF cardinality(senders) > 1 THEN
            places := ARRAY(SELECT i FROM generate_subscripts(senders, 1) i WHERE rates[i] IS NOT NULL ORDER BY senders[i]);
        ELSIF rates[1] IS NOT NULL THEN
            places := '{{1}}';
        END IF;
        FOREACH n IN ARRAY places LOOP
            stated := set_config('parley.viewer', senders[n]::text, true);
            waits[n] := parley.take_permit(senders[n], 'sendMessage', rates[n]);
        END LOOP;
        FOR n IN 1 .. cardinality(senders) LOOP
            conversation := conversations[n];
            sender := senders[n];
            key := client_message_ids[n];
            target := reply_to_seqs[n];
            files := NULL;
            seq := NULL;
            revision := NULL;
            at := NULL;
            same := NULL;
            retry_after := NULL;
            stated := set_config('parley.viewer', sender::text, true);
            IF cardinality(attached) > 0 THEN
                files := ARRAY(SELECT attached[i] FROM generate_subscripts(attached, 1) i WHERE attached_to[i] = n ORDER BY i);
            END IF;
            IF key IS NOT NULL THEN
                SELECT m.seq, m.kind = kinds[n] AND m.format = formats[n] AND m.body = bodies[n]
                    AND m.reply_to_seq IS NOT DISTINCT FROM target
                    AND coalesce(files, '{{}}') = ARRAY(SELECT a.id FROM parley.attachments a
                        WHERE a.conversation_id = conversation AND a.seq = m.seq ORDER BY a.position)
                INTO seq, same
                FROM parley.messages m
                WHERE m.conversation_id = conversation AND m.sender_id = sender AND m.client_message_id = key;
                IF FOUND THEN
                    IF waits[n] = 0 THEN -- a repeat takes none
                        UPDATE parley.rate_limits r SET at = r.at - interval '1 minute' / rates[n]
                        WHERE r.user_id = sender AND r.kind = 'sendMessage';
                    END IF;
                    SELECT c.revision INTO revision FROM parley.conversations c WHERE c.id = conversation;
                    RETURN NEXT;
                    CONTINUE;
                END IF;
            END IF;
            IF waits[n] > 0 THEN
                retry_after := waits[n];
                RETURN NEXT;
                CONTINUE;
            END IF;
            UPDATE parley.conversations c
            SET last_seq = c.last_seq + 1, revision = c.revision + 1,
                last_activity_at = greatest(c.last_activity_at, clock_timestamp())
            WHERE c.id = conversation AND NOT c.is_blocked
            AND NOT EXISTS (SELECT FROM parley.users u WHERE u.id = sender AND u.restricted_until > clock_timestamp())
            AND (target IS NULL OR EXISTS (
                SELECT FROM parley.messages m WHERE m.conversation_id = conversation AND m.seq = target))
            AND (files IS NULL OR cardinality(files) = (
                SELECT count(*) FROM parley.attachments a
                WHERE a.user_id = sender AND a.id = ANY(files) AND a.seq IS NULL AND a.stored_at IS NOT NULL))
            RETURNING c.last_seq, c.revision, c.last_activity_at INTO seq, revision, at;
            IF FOUND THEN
                WITH message AS (
                    INSERT INTO parley.messages (conversation_id, seq, sender_id, client_message_id, kind, format, body,
                        reply_to_seq, created_at, warning)
                    VALUES (conversation, send_messages.seq, sender, key, kinds[n], formats[n], bodies[n], target,
                        send_messages.at, warnings[n])
                ), event AS (
                    INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
                    VALUES (conversation, send_messages.revision, 'MessageSent', send_messages.at, sender,
                        send_messages.seq)
                )
                UPDATE parley.participants p
                SET last_read_seq = send_messages.seq, last_delivered_seq = send_messages.seq,
                    last_read_at = send_messages.at
                WHERE p.conversation_id = conversation AND p.user_id = sender;
                IF cardinality(files) > 0 THEN
                    UPDATE parley.attachments a
                    SET conversation_id = conversation, seq = send_messages.seq,
                        position = array_position(files, a.id)
                    WHERE a.user_id = sender AND a.id = ANY(files) AND a.seq IS NULL;
                    GET DIAGNOSTICS target = ROW_COUNT;
                    IF target < cardinality(files) THEN
                        -- Another message took one of them while this one waited for it; alone it will be refused.
                        RAISE unique_violation USING MESSAGE = 'an attachment is in another message';
                    END IF;
                END IF;
                IF cardinality(mentioned) > 0 THEN
                    INSERT INTO parley.mentions (conversation_id, seq, user_id)
                    SELECT DISTINCT conversation, send_messages.seq, p.user_id
                    FROM generate_subscripts(mentioned, 1) i
                    JOIN parley.users u ON u.handle = mentioned[i]
                    JOIN parley.participants p ON p.conversation_id = conversation AND p.user_id = u.id
                    WHERE mentioned_in[i] = n;
                END IF;
            END IF;
            RETURN NEXT;
        END LOOP;
    END $$
"""
MEANING = (
    "Sends messages, one for each place in the arrays, which is in the name of its sender, and waits for each lock as "
    "many milliseconds as `patience` says; null: as it is set. `rates`: messages a minute that the sender may send; null: "
    "any number. `attached` and `mentioned`: attachments, and handles of participants, of the message whose place, from 1, "
    "stands beside them. Returns for each where it stands: `at` is set where it is new, `same` where the key was used "
    "before (and the revision is the conversation''s), `retry_after`, in milliseconds, where the rate is exceeded, nothing "
    "where there is no such conversation for the sender, or nothing may be sent to it, or there is no such message to reply "
    "to or no such attachment."
)


def upgrade() -> None:
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column, schema="parley")
    op.create_check_constraint(
        op.f("ck_conversations_history"), "conversations", "history IN ('ALL', 'FROM_JOINING')", schema="parley"
    )
    create_tables()
    for table, commands in TABLES.items():
        foundation.secure(table, commands)
    for table, commands in OPENED.items():
        for command, (opened, condition) in commands.items():
            op.execute(f"GRANT {command} {opened} ON parley.{table} TO {APP}")
            clause = "WITH CHECK" if command == "INSERT" else "USING"
            op.execute(
                f"CREATE POLICY app_{command.lower()} ON parley.{table} FOR {command} TO {APP} {clause} ({condition})"
            )
    op.execute(f"GRANT UPDATE (history) ON parley.conversations TO {APP}")
    op.execute("DROP FUNCTION parley.send_messages")
    op.execute(TAKE_PERMIT)
    op.execute("REVOKE EXECUTE ON FUNCTION parley.take_permit FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION parley.take_permit TO {APP}")
    op.execute(SEND)
    op.execute(f"COMMENT ON FUNCTION parley.send_messages IS '{MEANING}'")
    op.execute("REVOKE EXECUTE ON FUNCTION parley.send_messages FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION parley.send_messages TO {APP}")


def downgrade() -> None:
    op.execute("DROP FUNCTION parley.send_messages")
    op.execute("DROP FUNCTION parley.take_permit")
    op.execute(f"REVOKE UPDATE (history) ON parley.conversations FROM {APP}")
    for table, commands in OPENED.items():
        for command, (opened, _) in commands.items():
            op.execute(f"DROP POLICY app_{command.lower()} ON parley.{table}")
            op.execute(f"REVOKE {command} {opened} ON parley.{table} FROM {APP}")
    for table in TABLES:
        op.drop_table(table, schema="parley")
    for table, added in columns().items():
        for column in added:
            op.drop_column(table, column.name, schema="parley")
    sending.upgrade()


def create_tables() -> None:
    of_message = (
        ["conversation_id", "seq"],
        ["parley.messages.conversation_id", "parley.messages.seq"],
    )
    op.create_table(
        "message_edits",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False, comment="1, 2, 3 … of the message"),
        sa.Column("body", sa.Text, nullable=False, comment="what it said before this edit"),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("edited_at", _timestamp, nullable=False, comment="when it said so no longer"),
        sa.ForeignKeyConstraint(*of_message, name=op.f("fk_message_edits_conversation_id_seq")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", "number", name=op.f("pk_message_edits")),
        schema="parley",
        comment="What an edited message said before, oldest first.",
    )
    op.create_table(
        "mentions",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.ForeignKeyConstraint(*of_message, name=op.f("fk_mentions_conversation_id_seq")),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_mentions_user_id")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", "user_id", name=op.f("pk_mentions")),
        schema="parley",
        comment="A participant whom a message mentions.",
    )
    op.create_index(
        "ix_mentions_user_id_conversation_id_seq", "mentions", ["user_id", "conversation_id", "seq"], schema="parley"
    )
    op.create_table(
        "pins",
        sa.Column("conversation_id", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("pinned_by", sa.Uuid, nullable=True),
        sa.Column("pinned_at", _timestamp, nullable=False),
        sa.ForeignKeyConstraint(*of_message, name=op.f("fk_pins_conversation_id_seq")),
        sa.ForeignKeyConstraint(["pinned_by"], ["parley.users.id"], name=op.f("fk_pins_pinned_by")),
        sa.PrimaryKeyConstraint("conversation_id", "seq", name=op.f("pk_pins")),
        schema="parley",
        comment="A message that is pinned in its conversation, for all its members.",
    )
    op.create_table(
        "attachments",
        sa.Column("user_id", sa.Uuid, nullable=False, comment="who uploads it"),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("conversation_id", sa.Uuid, nullable=True),
        sa.Column("seq", sa.Integer, nullable=True, comment="the message it belongs to; null: not sent yet"),
        sa.Column("position", sa.Integer, nullable=True, comment="1, 2, 3 … in its message"),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("content_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False, comment="bytes"),
        sa.Column("checksum", sa.LargeBinary, nullable=False, comment="SHA-256"),
        sa.Column("width", sa.Integer, nullable=True, comment="pixels of an image"),
        sa.Column("height", sa.Integer, nullable=True),
        sa.Column("created_at", _timestamp, nullable=False),
        sa.Column("stored_at", _timestamp, nullable=True, comment="when all of it was there; null: not yet"),
        sa.CheckConstraint(
            "(conversation_id IS NULL) = (seq IS NULL) AND (seq IS NULL) = (position IS NULL)",
            name=op.f("ck_attachments_message"),
        ),
        sa.ForeignKeyConstraint(*of_message, name=op.f("fk_attachments_conversation_id_seq")),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_attachments_user_id")),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_attachments")),
        schema="parley",
        comment="A file, from the moment its upload is announced; its bytes are kept elsewhere.",
    )
    op.create_index(
        "uq_attachments_position",
        "attachments",
        ["conversation_id", "seq", "position"],
        unique=True,
        schema="parley",
        postgresql_where=sa.text("seq IS NOT NULL"),
    )
    op.create_index(
        "ix_attachments_created_at",
        "attachments",
        ["created_at"],
        schema="parley",
        postgresql_where=sa.text("seq IS NULL"),
    )
    op.create_table(
        "blocks",
        sa.Column("user_id", sa.Uuid, nullable=False, comment="who blocks"),
        sa.Column("blocked_id", sa.Uuid, nullable=False),
        sa.Column("created_at", _timestamp, nullable=False),
        sa.CheckConstraint("user_id <> blocked_id", name=op.f("ck_blocks_two")),
        sa.ForeignKeyConstraint(["user_id"], ["parley.users.id"], name=op.f("fk_blocks_user_id")),
        sa.ForeignKeyConstraint(["blocked_id"], ["parley.users.id"], name=op.f("fk_blocks_blocked_id")),
        sa.PrimaryKeyConstraint("user_id", "blocked_id", name=op.f("pk_blocks")),
        schema="parley",
        comment="Somebody blocks somebody; only who blocks sees it.",
    )
    op.create_index("ix_blocks_blocked_id", "blocks", ["blocked_id"], schema="parley")
    op.create_table(
        "rate_limits",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="the mutation"),
        sa.Column("at", _timestamp, nullable=False, comment="the theoretical arrival time"),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_rate_limits")),
        schema="parley",
        prefixes=["UNLOGGED"],
        comment="How often somebody did something of late. Not logged: a crash forgives everybody.",
        postgresql_with={"fillfactor": 50},
    )
