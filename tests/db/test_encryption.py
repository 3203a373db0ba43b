"""Sealed texts: read where they were written, by who has the key, and nowhere else."""

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.encryption import NO_KEYS, Keyring, SealedError
from db.keys import is_sensitive, new_key, new_sensitive_key

ONE, TWO = bytes(32), bytes(range(32))
RING = Keyring({"one": ONE, "two": TWO})


@given(st.uuids(), st.text())
def test_what_is_sealed_is_read_again(conversation: UUID, text: str) -> None:
    """By any ring that has its key, whichever is first there; never the same twice, and nothing of it shows."""
    stored = RING.seal(conversation, text)
    assert Keyring({"two": TWO, "one": ONE}).unseal(conversation, stored) == text
    assert bool(stored) == bool(text)
    if text:
        assert stored.startswith(RING.sealed_by("one"))
        assert stored != RING.seal(conversation, text)
        assert text not in stored or len(text) < 4


@given(st.data())
def test_what_was_changed_is_not(data: st.DataObject) -> None:
    """A byte anywhere, the place it stands in, the name of the key, or a text that was never sealed."""
    conversation = new_sensitive_key()
    head, name, payload = RING.seal(conversation, "hello").split(".")
    raw = bytearray(base64.urlsafe_b64decode(payload))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    changed = f"{head}.{name}.{base64.urlsafe_b64encode(raw).decode()}"
    plain = data.draw(st.text(min_size=1))
    for text in (changed, f"{head}.two.{payload}", f"{head}.three.{payload}", f"{head}.{name}.{payload[:-8]}", plain):
        with pytest.raises(SealedError):
            RING.unseal(conversation, text)
    with pytest.raises(SealedError):
        RING.unseal(new_sensitive_key(), f"{head}.{name}.{payload}")


def test_without_keys_nothing_is_sealed() -> None:
    """But for nothing, which stays that."""
    assert NO_KEYS.seal(new_sensitive_key(), "") == ""
    with pytest.raises(SealedError, match="PARLEY_ENCRYPTION_KEYS"):
        NO_KEYS.seal(new_sensitive_key(), "x")


def test_a_key_says_what_it_is_of() -> None:
    """Sensitive ones are in the order of their making too, among the others."""
    keys = [new_sensitive_key() if number % 2 else new_key() for number in range(100)]
    assert [is_sensitive(key) for key in keys] == [bool(number % 2) for number in range(100)]
    assert [key.bytes[:6] for key in keys] == sorted(key.bytes[:6] for key in keys)
    assert {key.variant for key in keys} == {keys[0].variant}
