"""Messages that are sent together are written together, and what most of them do not need is not looked up for each."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")
originals = import_module("db.migrations.versions.2026_11_21_originals")

revision = "2026_11_21_batches"
down_revision = "2026_11_21_floors"
branch_labels = None
depends_on = None

VIEWER, member = foundation.VIEWER, foundation.member

# To begin a statement costs about as much as to write its row, and sub-selects are made ready for whether they are run or
# not. So there is one for the messages and events of all places, and what was refused is looked into afterwards.
#
# Every message is sent in its sender's name, under row level security: whatever is read or written for a place comes after
# its sender was stated. Where several are written at once, the scan that gives the rows does so, and a row is checked
# before the next one is read. What a trigger writes comes after all of them: a message that was flagged is written alone.
# And what looks for a message that is still to be written, a repeat or an answer, has it written first.
#
# The row lock of a conversation is held until COMMIT, which is why seq and revision have no holes and their order is the
# commit order. What waited for the lock computes the SET clause again on the row as it is then (PostgreSQL manual, 13.2.1
# Read Committed), so `at` never runs backwards. Permits are taken before, in the order of senders: who locks both locks
# them in one order, and never waits in a circle.
#
# Plans are kept as long as a session lives, and some are made while the tables are empty: no plan may scan a table.
SEND = f"""
    CREATE OR REPLACE FUNCTION parley.send_messages({breadth.ARGUMENTS})
    RETURNS TABLE (seq integer, revision bigint, at timestamptz, same boolean, retry_after integer)
    LANGUAGE plpgsql SECURITY INVOKER SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        size CONSTANT integer := cardinality(senders);
        stated text;
        conversation uuid;
        sender uuid;
        key text;
        files uuid[];
        n integer;
        place integer;
        is_open boolean;
        places integer[] := '{{}}';
        waits integer[];
        restricted uuid[];
        unwritten integer := 1;
        seqs integer[];
        revisions bigint[];
        moments timestamptz[];
        sames boolean[];
        attachments integer;
    BEGIN
        IF patience IS NOT NULL THEN
            stated := set_config('lock_timeout', patience::text, true);
        END IF;
        IF size > 1 THEN
            places := ARRAY(SELECT i FROM generate_subscripts(senders, 1) i WHERE rates[i] IS NOT NULL ORDER BY senders[i]);
        ELSIF rates[1] IS NOT NULL THEN
            places := '{{1}}';
        END IF;
        FOREACH n IN ARRAY places LOOP
            stated := set_config('parley.viewer', senders[n]::text, true);
            waits[n] := parley.take_permit(senders[n], 'sendMessage', rates[n]);
        END LOOP;
        stated := set_config('parley.viewer', senders[1]::text, true);
        restricted := ARRAY(
            SELECT u.id FROM parley.users u WHERE u.id = ANY (senders) AND u.restricted_until > clock_timestamp());

        FOR n IN 1 .. size + 1 LOOP
            key := client_message_ids[n];
            IF n > size OR key = ANY (client_message_ids[unwritten : n - 1])
                OR num_nonnulls(warnings[n - 1], warnings[n]) > 0
                OR (reply_to_seqs[n] IS NOT NULL AND conversations[n] = ANY (conversations[unwritten : n - 1]))
            THEN
                WITH message AS (
                    INSERT INTO parley.messages (conversation_id, seq, sender_id, client_message_id, kind, format, body,
                        reply_to_seq, created_at, warning)
                    SELECT conversations[i], seqs[i], senders[i], client_message_ids[i], kinds[i], formats[i], bodies[i],
                        reply_to_seqs[i], moments[i], warnings[i]
                    FROM generate_series(unwritten, n - 1) i
                    WHERE moments[i] IS NOT NULL AND set_config('parley.viewer', senders[i]::text, true) <> ''
                )
                INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
                SELECT conversations[i], revisions[i], 'MessageSent', moments[i], senders[i], seqs[i]
                FROM generate_series(unwritten, n - 1) i
                WHERE moments[i] IS NOT NULL AND set_config('parley.viewer', senders[i]::text, true) <> '';
                IF cardinality(attached) + cardinality(mentioned) > 0 THEN
                    FOR place IN
                        SELECT DISTINCT i FROM unnest(attached_to || mentioned_in) i
                        WHERE i BETWEEN unwritten AND n - 1 AND moments[i] IS NOT NULL
                    LOOP
                        stated := set_config('parley.viewer', senders[place]::text, true);
                        files := ARRAY(
                            SELECT attached[i] FROM generate_subscripts(attached, 1) i WHERE attached_to[i] = place ORDER BY i);
                        UPDATE parley.attachments a
                        SET conversation_id = conversations[place], seq = seqs[place], position = array_position(files, a.id)
                        WHERE a.user_id = senders[place] AND a.id = ANY (files) AND a.seq IS NULL;
                        GET DIAGNOSTICS attachments = ROW_COUNT;
                        IF attachments < cardinality(files) THEN
                            -- Another message took one of them while this one waited for it; alone it will be refused.
                            RAISE unique_violation USING MESSAGE = 'an attachment is in another message';
                        END IF;
                        INSERT INTO parley.mentions (conversation_id, seq, user_id)
                        SELECT DISTINCT conversations[place], seqs[place], p.user_id
                        FROM generate_subscripts(mentioned, 1) i
                        JOIN parley.users u ON u.handle = mentioned[i]
                        JOIN parley.participants p ON p.conversation_id = conversations[place] AND p.user_id = u.id
                        WHERE mentioned_in[i] = place;
                    END LOOP;
                END IF;
                unwritten := n;
                EXIT WHEN n > size;
            END IF;

            conversation := conversations[n];
            sender := senders[n];
            stated := set_config('parley.viewer', sender::text, true);
            IF n = ANY (attached_to) THEN
                files := ARRAY(SELECT attached[i] FROM generate_subscripts(attached, 1) i WHERE attached_to[i] = n ORDER BY i);
            ELSE
                files := '{{}}';
            END IF;
            is_open := (waits[n] > 0 OR sender = ANY (restricted)) IS NOT TRUE;
            IF is_open AND reply_to_seqs[n] IS NOT NULL THEN
                PERFORM FROM parley.messages m WHERE m.conversation_id = conversation AND m.seq = reply_to_seqs[n];
                is_open := FOUND;
            END IF;
            IF is_open AND files <> '{{}}' THEN
                is_open := cardinality(files) = (
                    SELECT count(*) FROM parley.attachments a
                    WHERE a.user_id = sender AND a.id = ANY (files) AND a.seq IS NULL AND a.stored_at IS NOT NULL);
            END IF;
            IF is_open THEN
                UPDATE parley.conversations c
                SET last_seq = c.last_seq + 1, revision = c.revision + 1,
                    last_activity_at = greatest(c.last_activity_at, clock_timestamp())
                WHERE c.id = conversation AND NOT c.is_blocked
                AND NOT EXISTS (
                    SELECT FROM parley.messages m
                    WHERE m.conversation_id = conversation AND m.sender_id = sender AND m.client_message_id = key)
                RETURNING c.last_seq, c.revision, c.last_activity_at INTO seq, revision, at;
                is_open := FOUND;
            END IF;
            IF is_open THEN
                seqs[n] := seq;
                revisions[n] := revision;
                moments[n] := at;
                UPDATE parley.participants p
                SET last_read_seq = seqs[n], last_delivered_seq = seqs[n], last_read_at = moments[n]
                WHERE p.conversation_id = conversation AND p.user_id = sender;
            ELSIF key IS NOT NULL THEN
                {originals.AS_IT_WAS.rstrip()}
                    AND m.reply_to_seq IS NOT DISTINCT FROM reply_to_seqs[n]
                    AND files = ARRAY(SELECT a.id FROM parley.attachments a
                        WHERE a.conversation_id = conversation AND a.seq = m.seq ORDER BY a.position)
                INTO seq, same
                FROM parley.messages m
                WHERE m.conversation_id = conversation AND m.sender_id = sender AND m.client_message_id = key;
                IF FOUND THEN
                    seqs[n] := seq;
                    sames[n] := same;
                    SELECT c.revision INTO revision FROM parley.conversations c WHERE c.id = conversation;
                    revisions[n] := revision;
                    IF waits[n] = 0 THEN -- a repeat takes none
                        UPDATE parley.rate_limits r SET at = r.at - interval '1 minute' / rates[n]
                        WHERE r.user_id = sender AND r.kind = 'sendMessage';
                    END IF;
                END IF;
            END IF;
        END LOOP;

        RETURN QUERY SELECT seqs[i], revisions[i], moments[i], sames[i], CASE WHEN seqs[i] IS NULL THEN nullif(waits[i], 0) END
        FROM generate_series(1, size) i;
    END $$
"""


def probe(column: str) -> str:
    """The same as `member`, looked up row by row: what one viewer may see is never kept for the rows of another."""
    return f"{member(column).removesuffix(')')} OFFSET 0)"


INSERTED = {"messages": "sender_id", "events": "actor_id"}
"""Table → whose the row is."""


def upgrade() -> None:
    op.execute(SEND)
    for table, owner in INSERTED.items():
        condition = f"{owner} = {VIEWER} AND {probe(f'{table}.conversation_id')}"
        op.execute(f"ALTER POLICY app_insert ON parley.{table} WITH CHECK ({condition})")
    # The key of a conversation cannot be changed, so what may be changed is the viewer's afterwards too.
    op.execute(f"ALTER POLICY app_update ON parley.conversations USING ({probe('conversations.id')}) WITH CHECK (true)")


def downgrade() -> None:
    condition = member("conversations.id")
    op.execute(f"ALTER POLICY app_update ON parley.conversations USING ({condition}) WITH CHECK ({condition})")
    for table, owner in INSERTED.items():
        condition = f"{owner} = {VIEWER} AND {member(f'{table}.conversation_id')}"
        op.execute(f"ALTER POLICY app_insert ON parley.{table} WITH CHECK ({condition})")
    op.execute(originals.REPLACE.replace(originals.AS_IT_IS, originals.AS_IT_WAS))
