"""Messages are sent by a function of the database: many in one transaction, and one round trip for all of them."""

from alembic import op

revision = "2026_11_21_sending"
down_revision = "2026_11_21_marks"
branch_labels = None
depends_on = None

ARGUMENTS = (
    "senders uuid[], conversations uuid[], client_message_ids text[], kinds text[], formats text[], bodies text[], "
    "reply_to_seqs integer[], patience integer"
)

# Every message is sent in its sender's name, under row level security. The row lock of a conversation is held until
# COMMIT, which is why seq and revision have no holes and their order is the commit order. What waited for the lock
# computes the SET clause again on the row as it is then (PostgreSQL manual, 13.2.1 Read Committed), so `at` never runs
# backwards.
# Plans are kept as long as a session lives, and some are made while the tables are empty: no plan may scan a table.
SEND = f"""
    CREATE FUNCTION parley.send_messages({ARGUMENTS})
    RETURNS TABLE (seq integer, revision bigint, at timestamptz, same boolean)
    LANGUAGE plpgsql SECURITY INVOKER SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        stated text;
        conversation uuid;
        sender uuid;
        key text;
        target integer;
    BEGIN
        IF patience IS NOT NULL THEN
            stated := set_config('lock_timeout', patience::text, true);
        END IF;
        FOR n IN 1 .. cardinality(senders) LOOP
            conversation := conversations[n];
            sender := senders[n];
            key := client_message_ids[n];
            target := reply_to_seqs[n];
            seq := NULL;
            revision := NULL;
            at := NULL;
            same := NULL;
            stated := set_config('parley.viewer', sender::text, true);
            IF key IS NOT NULL THEN
                SELECT m.seq, m.kind = kinds[n] AND m.format = formats[n] AND m.body = bodies[n]
                    AND m.reply_to_seq IS NOT DISTINCT FROM target
                INTO seq, same
                FROM parley.messages m
                WHERE m.conversation_id = conversation AND m.sender_id = sender AND m.client_message_id = key;
                IF FOUND THEN
                    SELECT c.revision INTO revision FROM parley.conversations c WHERE c.id = conversation;
                    RETURN NEXT;
                    CONTINUE;
                END IF;
            END IF;
            UPDATE parley.conversations c
            SET last_seq = c.last_seq + 1, revision = c.revision + 1,
                last_activity_at = greatest(c.last_activity_at, clock_timestamp())
            WHERE c.id = conversation AND (target IS NULL OR EXISTS (
                SELECT FROM parley.messages m WHERE m.conversation_id = conversation AND m.seq = target))
            RETURNING c.last_seq, c.revision, c.last_activity_at INTO seq, revision, at;
            IF FOUND THEN
                WITH message AS (
                    INSERT INTO parley.messages (conversation_id, seq, sender_id, client_message_id, kind, format, body,
                        reply_to_seq, created_at)
                    VALUES (conversation, send_messages.seq, sender, key, kinds[n], formats[n], bodies[n], target,
                        send_messages.at)
                ), event AS (
                    INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
                    VALUES (conversation, send_messages.revision, 'MessageSent', send_messages.at, sender,
                        send_messages.seq)
                )
                UPDATE parley.participants p
                SET last_read_seq = send_messages.seq, last_delivered_seq = send_messages.seq,
                    last_read_at = send_messages.at
                WHERE p.conversation_id = conversation AND p.user_id = sender;
            END IF;
            RETURN NEXT;
        END LOOP;
    END $$
"""
MEANING = (
    "Sends messages, one for each place in the arrays, which is in the name of its sender, and waits for each lock as "
    "many milliseconds as `patience` says; null: as it is set. Returns for each where it stands: `at` is set where it is "
    "new, `same` where the key was used before (and the revision is the conversation''s), nothing where there is no such "
    "conversation for the sender, or no such message to reply to."
)


def upgrade() -> None:
    op.execute(SEND)
    op.execute(f"COMMENT ON FUNCTION parley.send_messages IS '{MEANING}'")
    op.execute("REVOKE EXECUTE ON FUNCTION parley.send_messages FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION parley.send_messages TO parley_app")


def downgrade() -> None:
    op.execute("DROP FUNCTION parley.send_messages")
