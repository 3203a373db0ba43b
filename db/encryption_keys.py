"""Which keys are in use: a proof of each, by which a key that is wrong or missing is found out before anything is read."""

from uuid import UUID

from sqlalchemy import Text, bindparam, text

from db.encryption import Keyring, SealedError
from db.pool import Connection, Database
from db.statements import Statement

_NOWHERE = UUID(int=0)
_PROOF = "parley"


class UnusableKeysError(Exception):
    """The keys are not those by which sensitive conversations are encrypted; the message says which, and never a key."""


# Where nothing is encrypted yet, another key may take the place of one.
_PROVE = Statement(
    text("""
    INSERT INTO parley.encryption_keys AS k (id, proof, created_at) VALUES (:key, :proof, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET proof = excluded.proof
    WHERE NOT EXISTS (SELECT FROM parley.conversations c WHERE c.is_sensitive)
    """).bindparams(bindparam("key", type_=Text), bindparam("proof", type_=Text))
)
_KNOWN = Statement(
    text("""
    SELECT id, proof FROM parley.encryption_keys
    WHERE EXISTS (SELECT FROM parley.conversations c WHERE c.is_sensitive) ORDER BY created_at
    """)
)
_FORGET = Statement(
    text("DELETE FROM parley.encryption_keys WHERE id <> :key").bindparams(bindparam("key", type_=Text))
)


async def check(connection: Connection) -> None:
    """See whether the connection's keys are all that are needed. In nobody's name. Raises UnusableKeysError."""
    keyring = connection.keyring
    if keyring.first is not None:
        await _PROVE.run(connection, key=keyring.first, proof=keyring.seal(_NOWHERE, _PROOF))
    for name, proof in await _KNOWN.all(connection):
        if name not in keyring:
            raise UnusableKeysError(
                f"PARLEY_ENCRYPTION_KEYS has no key {name!r}, and sensitive conversations are encrypted by it: put it "
                "behind the first one, and take it out after `rotate-keys`"
            )
        try:
            keyring.unseal(_NOWHERE, proof)
        except SealedError as error:
            raise UnusableKeysError(
                f"the key {name!r} in PARLEY_ENCRYPTION_KEYS is another one than sensitive conversations are encrypted by"
            ) from error


async def try_on(url: str, keyring: Keyring) -> None:
    """The same, on the database at `url`."""
    database = await Database.open(url, pool_size=1, keyring=keyring)
    try:
        async with database.system() as connection:
            await check(connection)
    finally:
        await database.close()


async def forget_others(connection: Connection, name: str) -> None:
    """Note that nothing is encrypted by any other key than this one. In nobody's name."""
    await _FORGET.run(connection, key=name)
