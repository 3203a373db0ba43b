"""What is said in sensitive conversations, as it is stored: encrypted, by keys that the database does not know.

Everything in such a conversation is, and nothing elsewhere: which it is, its key says (db/keys.py), so that what is
ordinary costs nothing. What reads messages unseals them (db/messages.py, db/edits.py), what writes them seals them
(db/appends.py, db/edits.py); nobody above knows of it.
"""

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.keys import is_sensitive
from db.rows import Message

_FORM: Final = "aesgcm1"
"""What a sealed text begins with: the way it is made. Behind it, after dots, the key's id, and nonce and ciphertext."""

_NONCE: Final = 12  # bytes, NIST SP 800-38D, 8.2


class SealedError(Exception):
    """A stored text cannot be read; the message says why, and nothing of the text."""


class Keyring:
    """Keys for AES-256-GCM by their ids. The first one seals, all of them unseal."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Of 32 bytes each."""
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self.first = next(iter(keys), None)
        """The id of the key that seals; None: there is none."""

    def __contains__(self, name: object) -> bool:
        return name in self._ciphers

    def stored(self, conversation: UUID, text: str) -> str:
        """What is said in a conversation, as it is stored: sealed where that is sensitive."""
        return self.seal(conversation, text) if is_sensitive(conversation) else text

    def said(self, conversation: UUID, stored: str) -> str:
        """What is stored of a conversation, as it was said."""
        return self.unseal(conversation, stored) if is_sensitive(conversation) else stored

    def seal(self, conversation: UUID, text: str) -> str:
        """The text as it is stored; nothing stays nothing. Raises SealedError where there is no key."""
        if not text:
            return text
        if self.first is None:
            raise SealedError("there is no key to encrypt with: set PARLEY_ENCRYPTION_KEYS")
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self.first].encrypt(nonce, text.encode(), _bound_to(conversation, self.first))
        return f"{_FORM}.{self.first}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def unseal(self, conversation: UUID, stored: str) -> str:
        """What was sealed for this conversation; raises SealedError for anything else, whoever put it there."""
        if not stored:
            return stored
        form, name, payload = (*stored.split(".", 2), "", "")[:3]
        if form != _FORM:
            raise SealedError(f"a text of the sensitive conversation {conversation} is not encrypted")
        if name not in self._ciphers:
            raise SealedError(f"there is no key {name!r} in PARLEY_ENCRYPTION_KEYS")
        try:
            raw = base64.urlsafe_b64decode(payload)
            text = self._ciphers[name].decrypt(raw[:_NONCE], raw[_NONCE:], _bound_to(conversation, name))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealedError(f"a text of the sensitive conversation {conversation} was changed") from error
        return text.decode()

    def sealed_by(self, name: str) -> str:
        """What every text begins with that this key has sealed."""
        return f"{_FORM}.{name}."


def _bound_to(conversation: UUID, name: str) -> bytes:
    """What a text is sealed together with, so that it can be read in no other place."""
    return b"parley body\0" + conversation.bytes + name.encode()


NO_KEYS: Final = Keyring({})


def unseal_messages(keyring: Keyring, messages: Iterable[Message]) -> None:
    """Unseal messages that were read just now, and what they answer, where they are of sensitive conversations."""
    done: dict[int, Message] = {}
    for message in messages:
        if is_sensitive(message.conversation_key):
            _unseal(keyring, message, done)


def _unseal(keyring: Keyring, message: Message | None, done: dict[int, Message]) -> None:
    # Once: several may answer the same one.
    while message is not None and id(message) not in done:
        done[id(message)] = message
        message.body = keyring.unseal(message.conversation_key, message.body)
        message = message.reply_to
