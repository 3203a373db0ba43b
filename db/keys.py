"""Keys of rows, and the opaque ids that clients hold in their place."""

from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from uuid import UUID

import uuid_utils.compat
from asyncpg.pgproto import pgproto


class MalformedIdError(ValueError):
    """The text is no id of the wanted type; the message says what is wrong with it."""


class MessageKey(NamedTuple):
    """A message's key: its conversation's, and its place in it."""

    conversation: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class AttachmentKey:
    """An attachment's key: that of who uploaded it, and its own."""

    user: UUID
    key: UUID


Key = UUID | MessageKey | AttachmentKey
KeyT = TypeVar("KeyT", UUID, MessageKey, AttachmentKey)

_TAGS = {
    "U": ("User", 16),
    "C": ("Conversation", 16),
    "M": ("Message", 20),
    "A": ("Attachment", 32),
    "S": ("ScheduledMessage", 16),
    "R": ("Report", 16),
}
"""What an id begins with → the type's name, and the bytes of its key."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
"""Back to base64; what stands for itself there is in no id."""
_SHOWN = 60  # characters of a bad id that an error message repeats


def new_key() -> UUID:
    """A fresh UUIDv7: keys made later sort later."""
    return uuid_utils.compat.uuid7()


def key_of_hex(text: str) -> UUID:
    """The key with these hexadecimal digits; raises ValueError."""
    key: UUID = pgproto.UUID(text)
    return key


_VERSION_AT = 76  # bits below the version of a UUID
_SENSITIVE = 8  # RFC 9562, 5.8: a version for whatever one needs


def new_sensitive_key() -> UUID:
    """The same, for a conversation that is sensitive: its version says so, wherever the key is."""
    key = new_key().int
    return UUID(int=key & ~(0xF << _VERSION_AT) | _SENSITIVE << _VERSION_AT)


def is_sensitive(conversation: UUID) -> bool:
    """Whether what is said in the conversation is encrypted where it is stored."""
    return conversation.int >> _VERSION_AT & 0xF == _SENSITIVE


# Written out each time, for a page has hundreds of ids: base64 without its padding, which comes last.


def user_id(key: UUID) -> str:
    return "U_" + b2a_base64(key.bytes)[:22].translate(_URL_SAFE).decode()


def conversation_id(key: UUID) -> str:
    return "C_" + b2a_base64(key.bytes)[:22].translate(_URL_SAFE).decode()


def message_id(conversation: UUID, seq: int) -> str:
    return "M_" + b2a_base64(conversation.bytes + seq.to_bytes(4))[:27].translate(_URL_SAFE).decode()


def scheduled_message_id(key: UUID) -> str:
    return "S_" + b2a_base64(key.bytes)[:22].translate(_URL_SAFE).decode()


def report_id(key: UUID) -> str:
    return "R_" + b2a_base64(key.bytes)[:22].translate(_URL_SAFE).decode()


def attachment_id(user: UUID, key: UUID) -> str:
    return "A_" + b2a_base64(user.bytes + key.bytes)[:43].translate(_URL_SAFE).decode()


def parse_id(text: str) -> tuple[str, Key]:
    """The type's name and the key that an id stands for; raises MalformedIdError."""
    tag, _, payload = text.partition("_")
    name, size = _TAGS.get(tag, ("", 0))
    raw = _decode(payload)
    if not name or raw is None or len(raw) != size:
        raise MalformedIdError(f"{text[:_SHOWN]!r} is not an id of this server")
    # The driver's, as in rows: equal to the others, and made in a sixth of the time.
    key: UUID = pgproto.UUID(raw[:16])
    if name == "Message":
        return name, MessageKey(key, int.from_bytes(raw[16:]))
    return name, AttachmentKey(key, pgproto.UUID(raw[16:])) if name == "Attachment" else key


def parse_user_id(text: str) -> UUID:
    return _of_type("User", text, UUID)


def parse_conversation_id(text: str) -> UUID:
    return _of_type("Conversation", text, UUID)


def parse_message_id(text: str) -> MessageKey:
    return _of_type("Message", text, MessageKey)


def parse_scheduled_message_id(text: str) -> UUID:
    return _of_type("ScheduledMessage", text, UUID)


def parse_report_id(text: str) -> UUID:
    return _of_type("Report", text, UUID)


def parse_attachment_id(text: str) -> AttachmentKey:
    return _of_type("Attachment", text, AttachmentKey)


def _of_type(wanted: str, text: str, kind: type[KeyT]) -> KeyT:
    name, key = parse_id(text)
    if name != wanted or not isinstance(key, kind):
        raise MalformedIdError(f"{text[:_SHOWN]!r} is the id of a {name}; that of a {wanted} is needed")
    return key


def _decode(payload: str) -> bytes | None:
    try:
        text = payload.encode().translate(_STANDARD)
        raw = a2b_base64(text + b"==")
    except ValueError:
        return None
    # One key has one id: no other characters, and the last one's spare bits are zero.
    return raw if b2a_base64(raw, newline=False).rstrip(b"=") == text else None
