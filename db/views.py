"""The views: what a viewer shares in, found through the viewer's memberships, which are looked up once and not for each row.

They are for statements in a viewer's name. In nobody's there is nothing in them.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, TableClause, column, table

from db.tables import SCHEMA, conversations, memberships, participants


def _view(name: str, columns: Iterable[Column[Any]]) -> TableClause:
    return table(name, *(column(each.name, each.type) for each in columns), schema=SCHEMA)


_conversation, _membership = conversations.c, memberships.c

inbox = _view(
    "inbox",
    [
        _conversation.id,
        _conversation.kind,
        _conversation.title,
        _conversation.history,
        _conversation.edition,
        _conversation.created_at,
        _conversation.last_activity_at,
        _conversation.last_seq,
        _conversation.revision,
        _conversation.is_blocked,
        _conversation.context_type,
        _conversation.context_id,
        _conversation.context_title,
        _conversation.context_url,
        _membership.history_from_seq,
        _membership.archived_seq,
        _membership.is_pinned,
        _membership.muted_until,
        _membership.unread_from_seq,
        participants.c.last_read_seq,
    ],
)
"""The viewer's conversations, each with the viewer's own side of it."""

fellows = _view("fellows", participants.c)
"""The participants of the viewer's conversations."""
