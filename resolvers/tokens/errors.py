"""What can be wrong with a token or with the keys it is checked with.

A message is read by a developer of the client: it says what is wrong, with which value, and what to do. It never holds
a token, a part of one, or a secret.
"""

from datetime import datetime

SHOWN_LENGTH = 80
"""Characters of a foreign value that a message repeats."""


class InvalidTokenError(Exception):
    """The token does not say who is asking; the text says why."""


class MissingTokenError(InvalidTokenError):
    """There is no token at all."""


class ExpiredTokenError(InvalidTokenError):
    """The token was good until `expired_at`: a client gets a new one and tries again."""

    def __init__(self, message: str, expired_at: datetime) -> None:
        super().__init__(message)
        self.expired_at = expired_at


class KeysUnavailableError(InvalidTokenError):
    """No token can be checked now, for lack of keys: not the token's fault, and worth another try shortly."""


class KeyConfigurationError(ValueError):
    """The operator configured keys or algorithms that cannot work."""


class KeySetError(Exception):
    """A JWK set cannot be read; for the log and the operator, not for clients."""


def shown(value: object) -> str:
    """A foreign value, escaped and short enough for a message; a list or an object is only named.

    Never descends into a value: a deeply nested one would exhaust the stack.
    """
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    text = repr(value)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"
