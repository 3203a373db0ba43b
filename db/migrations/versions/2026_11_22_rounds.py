"""Messages that are sent together take their places together."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
breadth = import_module("db.migrations.versions.2026_11_21_breadth")
originals = import_module("db.migrations.versions.2026_11_21_originals")
batches = import_module("db.migrations.versions.2026_11_21_batches")

revision = "2026_11_22_rounds"
down_revision = "2026_11_21_probes"
branch_labels = None
depends_on = None

# To begin a statement costs more than to write its row: plans are locked, expressions, policies and constraints made
# ready. So a batch is written in rounds, and each has one statement for a table. A round ends where a conversation comes
# again, since a statement updates a row once, and what is looked up before a message takes its place may be what the round
# has written.
#
# Every message is sent in its sender's name, under row level security: whatever is read or written for a place comes after
# its sender was stated. In a round the scan of the places does so, for one row at a time, and what is done with the row is
# done before the next one is read: PostgreSQL's executor asks for rows one by one (src/backend/executor/README). That
# holds as long as a join begins with the places. It has no other way: `= ANY (ARRAY[...])` can be looked up in an index,
# but not be hashed or merged, no other condition can be looked up, and no table may be scanned. What a trigger writes comes
# after all rows: a message that was flagged is a round of its own.
#
# The row lock of a conversation is held until COMMIT, which is why seq and revision have no holes and their order is the
# commit order. What waited for the lock computes the SET clause again on the row as it is then (PostgreSQL manual, 13.2.1
# Read Committed), so `at` never runs backwards. Whether the sender is a member still, and whether the key is unused, is
# what the next statement finds, which sees what was committed until then. Permits are taken before, in the order of
# senders, and conversations in the order of places: who locks both locks them in one order, and never waits in a circle.
#
# Plans are kept as long as a session lives, and some are made while the tables are empty: no plan may scan a table.
AS_IT_WAS = originals.AS_IT_WAS.replace("[n]", "[place]").strip()
SEND = f"""
    CREATE OR REPLACE FUNCTION parley.send_messages({breadth.ARGUMENTS})
    RETURNS TABLE (seq integer, revision bigint, at timestamptz, same boolean, retry_after integer)
    LANGUAGE plpgsql SECURITY INVOKER SET enable_seqscan = off AS $$
    #variable_conflict use_column
    DECLARE
        size CONSTANT integer := cardinality(senders);
        minute CONSTANT interval := '1 minute';
        moment CONSTANT timestamptz := clock_timestamp();
        stated text;
        files uuid[];
        n integer;
        place integer;
        waits integer[];
        restricted uuid[];
        start integer := 1;
        open boolean[];
        seqs integer[];
        revisions bigint[];
        moments timestamptz[];
        sames boolean[];
        attachments integer;
    BEGIN
        IF patience IS NOT NULL THEN
            stated := set_config('lock_timeout', patience::text, true);
        END IF;
        -- As parley.take_permit does, which looks into those who have none yet, none left, or need several.
        FOR place IN
            UPDATE parley.rate_limits r SET at = greatest(r.at, moment) + minute / rates[i]
            FROM (
                SELECT i, 'sendMessage' AS kind FROM generate_subscripts(senders, 1) i
                WHERE rates[i] IS NOT NULL ORDER BY senders[i]
            ) rated
            WHERE set_config('parley.viewer', senders[i]::text, true) <> ''
            AND r.user_id = ANY (ARRAY[senders[i]]) AND r.kind = ANY (ARRAY[rated.kind])
            AND r.at <= moment + minute - minute / rates[i]
            RETURNING i
        LOOP
            waits[place] := 0;
        END LOOP;
        IF cardinality(array_remove(waits, NULL)) IS DISTINCT FROM cardinality(array_remove(rates, NULL)) THEN
            FOR place IN
                SELECT i FROM generate_subscripts(senders, 1) i
                WHERE rates[i] IS NOT NULL AND waits[i] IS NULL ORDER BY senders[i]
            LOOP
                stated := set_config('parley.viewer', senders[place]::text, true);
                waits[place] := parley.take_permit(senders[place], 'sendMessage', rates[place]);
            END LOOP;
        END IF;
        stated := set_config('parley.viewer', senders[1]::text, true);
        restricted := ARRAY(
            SELECT u.id FROM parley.users u WHERE u.id = ANY (senders) AND u.restricted_until > clock_timestamp());

        FOR n IN 1 .. size + 1 LOOP
            IF n > size OR conversations[n] = ANY (conversations[start : n - 1])
                OR num_nonnulls(warnings[n - 1], warnings[n]) > 0
            THEN
                FOR place, seq, revision, at IN
                    UPDATE parley.conversations c
                    SET last_seq = c.last_seq + 1, revision = c.revision + 1,
                        last_activity_at = greatest(c.last_activity_at, clock_timestamp())
                    FROM generate_series(start, n - 1) i
                    WHERE open[i] AND set_config('parley.viewer', senders[i]::text, true) <> ''
                    AND c.id = ANY (ARRAY[conversations[i]]) AND NOT c.is_blocked
                    AND NOT EXISTS (
                        SELECT FROM parley.messages m
                        WHERE m.conversation_id = conversations[i] AND m.sender_id = senders[i]
                        AND m.client_message_id = client_message_ids[i] OFFSET 0)
                    RETURNING i, c.last_seq, c.revision, c.last_activity_at
                LOOP
                    seqs[place] := seq;
                    revisions[place] := revision;
                    moments[place] := at;
                END LOOP;
                WITH participant AS (
                    UPDATE parley.participants p
                    SET last_read_seq = seqs[i], last_delivered_seq = seqs[i], last_read_at = moments[i]
                    FROM generate_series(start, n - 1) i
                    WHERE moments[i] IS NOT NULL AND set_config('parley.viewer', senders[i]::text, true) <> ''
                    AND p.conversation_id = ANY (ARRAY[conversations[i]]) AND p.user_id = ANY (ARRAY[senders[i]])
                ), message AS (
                    INSERT INTO parley.messages (conversation_id, seq, sender_id, client_message_id, kind, format, body,
                        reply_to_seq, created_at, warning)
                    SELECT conversations[i], seqs[i], senders[i], client_message_ids[i], kinds[i], formats[i], bodies[i],
                        reply_to_seqs[i], moments[i], warnings[i]
                    FROM generate_series(start, n - 1) i
                    WHERE moments[i] IS NOT NULL AND set_config('parley.viewer', senders[i]::text, true) <> ''
                )
                INSERT INTO parley.events (conversation_id, revision, kind, at, actor_id, seq)
                SELECT conversations[i], revisions[i], 'MessageSent', moments[i], senders[i], seqs[i]
                FROM generate_series(start, n - 1) i
                WHERE moments[i] IS NOT NULL AND set_config('parley.viewer', senders[i]::text, true) <> '';
                IF cardinality(attached) + cardinality(mentioned) > 0 THEN
                    FOR place IN
                        SELECT DISTINCT i FROM unnest(attached_to || mentioned_in) i
                        WHERE i BETWEEN start AND n - 1 AND moments[i] IS NOT NULL
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
                FOR place IN start .. n - 1 LOOP
                    CONTINUE WHEN moments[place] IS NOT NULL OR client_message_ids[place] IS NULL;
                    stated := set_config('parley.viewer', senders[place]::text, true);
                    {AS_IT_WAS}
                        AND m.reply_to_seq IS NOT DISTINCT FROM reply_to_seqs[place]
                        AND ARRAY(SELECT attached[i] FROM generate_subscripts(attached, 1) i WHERE attached_to[i] = place ORDER BY i)
                            = ARRAY(SELECT a.id FROM parley.attachments a
                            WHERE a.conversation_id = m.conversation_id AND a.seq = m.seq ORDER BY a.position)
                    INTO seq, same
                    FROM parley.messages m
                    WHERE m.conversation_id = conversations[place] AND m.sender_id = senders[place]
                    AND m.client_message_id = client_message_ids[place];
                    IF FOUND THEN
                        seqs[place] := seq;
                        sames[place] := same;
                        SELECT c.revision INTO revision FROM parley.conversations c WHERE c.id = conversations[place];
                        revisions[place] := revision;
                        IF waits[place] = 0 THEN -- a repeat takes none
                            UPDATE parley.rate_limits r SET at = r.at - minute / rates[place]
                            WHERE r.user_id = senders[place] AND r.kind = 'sendMessage';
                        END IF;
                    END IF;
                END LOOP;
                start := n;
                EXIT WHEN n > size;
            END IF;
            open[n] := (waits[n] > 0 OR senders[n] = ANY (restricted)) IS NOT TRUE;
            IF open[n] AND reply_to_seqs[n] IS NOT NULL THEN
                stated := set_config('parley.viewer', senders[n]::text, true);
                open[n] := EXISTS (
                    SELECT FROM parley.messages m WHERE m.conversation_id = conversations[n] AND m.seq = reply_to_seqs[n]);
            END IF;
            IF open[n] AND n = ANY (attached_to) THEN
                stated := set_config('parley.viewer', senders[n]::text, true);
                files := ARRAY(SELECT attached[i] FROM generate_subscripts(attached, 1) i WHERE attached_to[i] = n);
                open[n] := cardinality(files) = (
                    SELECT count(*) FROM parley.attachments a
                    WHERE a.user_id = senders[n] AND a.id = ANY (files) AND a.seq IS NULL AND a.stored_at IS NOT NULL);
            END IF;
        END LOOP;

        RETURN QUERY SELECT seqs[i], revisions[i], moments[i], sames[i], CASE WHEN seqs[i] IS NULL THEN nullif(waits[i], 0) END
        FROM generate_series(1, size) i;
    END $$
"""


OWN = {"participants": ("UPDATE",), "rate_limits": ("SELECT", "UPDATE")}
"""Table whose rows are somebody's, by user_id → commands whose policies say so."""


def _say(condition: str) -> None:
    for table, commands in OWN.items():
        for command in commands:
            op.execute(f"ALTER POLICY app_{command.lower()} ON parley.{table} USING ({condition})")


def upgrade() -> None:
    # No index offers itself by the policy alone.
    _say(f"(user_id = {foundation.VIEWER}) IS TRUE")
    op.execute(SEND)


def downgrade() -> None:
    op.execute(batches.SEND)
    _say(f"user_id = {foundation.VIEWER}")
