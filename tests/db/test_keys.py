"""Opaque ids."""

from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.keys import (
    AttachmentKey,
    MalformedIdError,
    MessageKey,
    attachment_id,
    conversation_id,
    message_id,
    new_key,
    parse_attachment_id,
    parse_conversation_id,
    parse_id,
    parse_message_id,
    parse_scheduled_message_id,
    parse_user_id,
    scheduled_message_id,
    user_id,
)

seqs = st.integers(1, 2**31 - 1)


@given(st.uuids(), seqs)
def test_an_id_leads_back_to_its_key(key: UUID, seq: int) -> None:
    """Of each type, and by either way to read it."""
    assert parse_id(user_id(key)) == ("User", key)
    assert parse_id(conversation_id(key)) == ("Conversation", key)
    assert parse_id(message_id(key, seq)) == ("Message", MessageKey(key, seq))
    assert parse_id(scheduled_message_id(key)) == ("ScheduledMessage", key)
    assert parse_user_id(user_id(key)) == parse_conversation_id(conversation_id(key)) == key
    assert parse_scheduled_message_id(scheduled_message_id(key)) == key
    assert parse_message_id(message_id(key, seq)) == MessageKey(key, seq)


@given(st.uuids(), st.uuids())
def test_the_id_of_an_attachment_holds_two(user: UUID, key: UUID) -> None:
    """Whose it is, and which."""
    found = AttachmentKey(user, key)
    assert parse_id(attachment_id(user, key)) == ("Attachment", found)
    assert parse_attachment_id(attachment_id(user, key)) == found


@given(st.text() | st.from_regex(r"[UCMAS]_[A-Za-z0-9_-]{20,44}", fullmatch=True))
def test_a_text_is_one_id_or_none(text: str) -> None:
    """Whatever is read is written the same again; everything else is one clear error."""
    with suppress(MalformedIdError):
        name, key = parse_id(text)
        if isinstance(key, MessageKey):
            assert message_id(key.conversation, key.seq) == text
        elif isinstance(key, AttachmentKey):
            assert attachment_id(key.user, key.key) == text
        else:
            written = {"User": user_id, "Conversation": conversation_id, "ScheduledMessage": scheduled_message_id}
            assert written[name](key) == text


def test_an_id_of_another_type_is_named() -> None:
    """The error says which type it is and which is needed."""
    with pytest.raises(MalformedIdError, match="is the id of a User; that of a Conversation is needed"):
        parse_conversation_id(user_id(new_key()))


def test_later_keys_sort_later() -> None:
    """UUIDv7: in the order of their making."""
    keys = [new_key() for _ in range(100)]
    assert keys == sorted(keys)
    assert {key.version for key in keys} == {7}
