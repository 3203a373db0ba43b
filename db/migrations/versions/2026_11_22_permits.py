"""Permits of a batch are taken together, and less is asked twice of each message."""

from importlib import import_module

from alembic import op

foundation = import_module("db.migrations.versions.2026_11_20_foundation")
batches = import_module("db.migrations.versions.2026_11_21_batches")
rounds = import_module("db.migrations.versions.2026_11_22_rounds")

revision = "2026_11_22_permits"
down_revision = "2026_11_22_entries"
branch_labels = None
depends_on = None


def _changed(function: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        if function.count(old) != 1:
            raise ValueError(f"the function has not once: {old}")
        function = function.replace(old, new)
    return function


# The planner had put the condition by which each sender is stated below the sort by senders: when the first permit was
# looked for the last sender was stated, nobody else's was visible, and each was taken by a call of its own after all.
# Nothing is put into a subquery with an OFFSET.
#
# Who is restricted is found where the conversation is updated, a statement less. A user is looked up by the place, as all
# else is.
#
# The driver looks at each element of an array for longer than at all else, so there is none where all messages are as most.
SEND = _changed(
    rounds.SEND,
    (
        "rates[i] IS NOT NULL ORDER BY senders[i]\n            ) rated",
        "rates[i] IS NOT NULL ORDER BY senders[i] OFFSET 0\n            ) rated",
    ),
    (
        "    BEGIN\n        IF patience",
        """    BEGIN
        kinds := coalesce(kinds, array_fill('TEXT'::text, ARRAY[size]));
        formats := coalesce(formats, array_fill('PLAIN'::text, ARRAY[size]));
        IF patience""",
    ),
    ("        restricted uuid[];\n", ""),
    (
        """        stated := set_config('parley.viewer', senders[1]::text, true);
        restricted := ARRAY(
            SELECT u.id FROM parley.users u WHERE u.id = ANY (senders) AND u.restricted_until > clock_timestamp());
""",
        "",
    ),
    (
        """FROM generate_series(start, n - 1) i
                    WHERE open[i] AND set_config('parley.viewer', senders[i]::text, true) <> ''
                    AND c.id""",
        """FROM generate_series(start, n - 1) i, parley.users u
                    WHERE open[i] AND set_config('parley.viewer', senders[i]::text, true) <> ''
                    AND u.id = ANY (ARRAY[senders[i]]) AND (u.restricted_until > clock_timestamp()) IS NOT TRUE
                    AND c.id""",
    ),
    ("(waits[n] > 0 OR senders[n] = ANY (restricted)) IS NOT TRUE", "(waits[n] > 0) IS NOT TRUE"),
)
_MEMBER = batches.probe("conversations.id")
_EVENT_OF = "fk_events_conversation_id"


def _say_of_update(condition: str) -> None:
    op.execute(f"ALTER POLICY app_update ON parley.conversations USING ({condition})")


def upgrade() -> None:
    op.execute(SEND)
    # An update asks both policies, and where they say the same only once. Beyond members these are those who have made the
    # conversation in this very transaction.
    _say_of_update(f"{_MEMBER} OR {foundation.FRESH}")
    # An event's revision is taken from the row of its conversation, which is never removed: there is nothing to check.
    op.execute(f"ALTER TABLE parley.events DROP CONSTRAINT {_EVENT_OF}")


def downgrade() -> None:
    op.execute(
        f"ALTER TABLE parley.events ADD CONSTRAINT {_EVENT_OF} "
        "FOREIGN KEY (conversation_id) REFERENCES parley.conversations (id)"
    )
    _say_of_update(_MEMBER)
    op.execute(rounds.SEND)
