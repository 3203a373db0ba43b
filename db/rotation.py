"""Encrypting anew: what other keys have sealed, the first one seals; in small transactions, each of which stays done."""

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, Uuid, bindparam, text

from db import encryption_keys
from db.encryption import Keyring
from db.pool import Connection, Database
from db.statements import Statement

_TOGETHER = 500
"""Texts of one transaction."""

_CONVERSATIONS = Statement(text("SELECT id FROM parley.conversations WHERE is_sensitive ORDER BY id"))
_CONVERSATION = bindparam("conversation", type_=Uuid)


def _found(table: str, number: str) -> Statement:
    return Statement(
        text(f"""
        SELECT seq, {number} AS number, body FROM parley.{table}
        WHERE conversation_id = :conversation AND body <> '' AND NOT starts_with(body, :beginning)
        ORDER BY seq, 2 LIMIT :most FOR UPDATE
        """).bindparams(_CONVERSATION, bindparam("beginning", type_=Text), bindparam("most", type_=Integer))
    )


def _sealed(table: str, number: str) -> Statement:
    return Statement(
        text(f"""
        UPDATE parley.{table} t SET body = anew.body
        FROM unnest(:seqs, :numbers, :bodies) AS anew (seq, number, body)
        WHERE t.conversation_id = :conversation AND t.seq = anew.seq AND {number.replace("number", "t.number")} = anew.number
        """).bindparams(
            _CONVERSATION,
            *(bindparam(name, type_=ARRAY(Integer)) for name in ("seqs", "numbers")),
            bindparam("bodies", type_=ARRAY(Text)),
        )
    )


# A message has no number; its place in the conversation is enough.
_TABLES = [
    (_found("messages", "0"), _sealed("messages", "0")),
    (_found("message_edits", "number"), _sealed("message_edits", "number")),
]


# Those that were scheduled belong to their users; there are few.
_SCHEDULED = Statement(
    text("""
    SELECT user_id, id, conversation_id, body FROM parley.scheduled_messages
    WHERE substr(conversation_id::text, 15, 1) = '8' AND body <> '' AND NOT starts_with(body, :beginning)
    ORDER BY user_id, id LIMIT :most FOR UPDATE
    """).bindparams(bindparam("beginning", type_=Text), bindparam("most", type_=Integer))
)
_SCHEDULED_SEALED = Statement(
    text("""
    UPDATE parley.scheduled_messages s SET body = anew.body
    FROM unnest(:users, :keys, :bodies) AS anew (user_id, id, body)
    WHERE s.user_id = anew.user_id AND s.id = anew.id
    """).bindparams(
        *(bindparam(name, type_=ARRAY(Uuid)) for name in ("users", "keys")), bindparam("bodies", type_=ARRAY(Text))
    )
)


async def rotate(url: str, keyring: Keyring, *, told: Callable[[int], None]) -> int:
    """Encrypt everything by the keyring's first key; how many texts. `told` hears the number after each transaction.

    It may be interrupted at any time, and goes on where it was when it is run again. Servers may run meanwhile, as long as
    all of them have that key as their first. Raises UnusableKeysError and SealedError.
    """
    if keyring.first is None:
        raise encryption_keys.UnusableKeysError("there is no key to encrypt by: set PARLEY_ENCRYPTION_KEYS")
    database = await Database.open(url, pool_size=1, keyring=keyring)
    try:
        async with database.system() as connection:
            await encryption_keys.check(connection)
            conversations = [record[0] for record in await _CONVERSATIONS.all(connection)]
            total = 0
            for conversation in conversations:
                for found, sealed in _TABLES:
                    while count := await _rotate(connection, conversation, found, sealed):
                        total += count
                        told(total)
            while count := await _rotate_scheduled(connection):
                total += count
                told(total)
            await encryption_keys.forget_others(connection, keyring.first)
    finally:
        await database.close()
    return total


async def _rotate(connection: Connection, conversation: UUID, found: Statement, sealed: Statement) -> int:
    """Encrypt some of a conversation's texts anew; how many."""
    keyring = connection.keyring
    async with connection.transaction():
        beginning = keyring.sealed_by(str(keyring.first))
        records = await found.all(connection, conversation=conversation, beginning=beginning, most=_TOGETHER)
        if records:
            await sealed.run(
                connection,
                conversation=conversation,
                seqs=[seq for seq, _, _ in records],
                numbers=[number for _, number, _ in records],
                bodies=[keyring.seal(conversation, keyring.unseal(conversation, body)) for _, _, body in records],
            )
    return len(records)


async def _rotate_scheduled(connection: Connection) -> int:
    """The same for messages that were scheduled."""
    keyring = connection.keyring
    async with connection.transaction():
        beginning = keyring.sealed_by(str(keyring.first))
        records = await _SCHEDULED.all(connection, beginning=beginning, most=_TOGETHER)
        if records:
            await _SCHEDULED_SEALED.run(
                connection,
                users=[record[0] for record in records],
                keys=[record[1] for record in records],
                bodies=[keyring.seal(record[2], keyring.unseal(record[2], record[3])) for record in records],
            )
    return len(records)
