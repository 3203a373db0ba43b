"""Statements about whom messages mention."""

from collections.abc import Sequence

from sqlalchemy import ARRAY, Integer, Uuid, and_, bindparam, column, func, select

from db import tables, users
from db.keys import MessageKey
from db.pool import Connection
from db.rows import User
from db.statements import Statement

_mentions = tables.mentions


def _of() -> Statement:
    asked = (
        func.unnest(bindparam("conversations", type_=ARRAY(Uuid)), bindparam("seqs", type_=ARRAY(Integer)))
        .table_valued(column("conversation_id", Uuid), column("seq", Integer), name="asked")
        .render_derived(name="asked")
    )
    is_asked = and_(_mentions.c.conversation_id == asked.c.conversation_id, _mentions.c.seq == asked.c.seq)
    user = tables.users.alias("mentioned")
    return Statement(
        select(_mentions.c.conversation_id, _mentions.c.seq, *users.columns(user))
        .select_from(asked.join(_mentions, is_asked).join(user, user.c.id == _mentions.c.user_id))
        .order_by(user.c.handle)
    )


_OF = _of()


async def of(connection: Connection, messages: Sequence[MessageKey]) -> dict[MessageKey, list[User]]:
    """Whom each of the messages mentions, in the order of handles; those that mention nobody are left out."""
    records = await _OF.all(
        connection, conversations=[key.conversation for key in messages], seqs=[key.seq for key in messages]
    )
    found: dict[MessageKey, list[User]] = {}
    for conversation, seq, *user in records:
        found.setdefault(MessageKey(conversation, seq), []).append(User(*user))
    return found
