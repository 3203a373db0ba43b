"""Where a client puts its token: the HTTP header `Authorization`, or the payload of `connection_init`."""

import re
from collections.abc import Mapping
from typing import Final

from resolvers.tokens.errors import InvalidTokenError, MissingTokenError

_HOW: Final = "Send: Authorization: Bearer <token>"
_BEARER: Final = re.compile(r"bearer +(\S+)", re.IGNORECASE)
# Named in a message only when it is one of these: an unknown first word may be the secret itself.
_OTHER_SCHEMES: Final = ("basic", "digest", "dpop", "jwt", "negotiate", "token")


def bearer(header: str | None) -> str:
    """The token in the value of an `Authorization` header.

    Raises MissingTokenError for None, InvalidTokenError for anything but `Bearer <token>` (in any case).
    """
    if header is None:
        raise MissingTokenError(f"There is no Authorization header. {_HOW}")
    match = _BEARER.fullmatch(header.strip(" \t"))
    if match is None:
        raise InvalidTokenError(f"{_complaint(header)} {_HOW}")
    return match[1]


def token_from_params(params: Mapping[str, object]) -> str | None:
    """The token in the payload of `connection_init`, from `Authorization`, `authorization` or `token`, in this order.

    `token` may hold it with or without `Bearer`. None where all are absent or null. Raises InvalidTokenError.
    """
    for name in ("Authorization", "authorization", "token"):
        value = params.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidTokenError(f"{name} in the connection's parameters must be a string.")
        return _bare(value) if name == "token" else bearer(value)
    return None


def _bare(value: str) -> str:
    text = value.strip(" \t")
    if not text:
        raise InvalidTokenError("token in the connection's parameters is empty.")
    return text if re.fullmatch(r"\S+", text) else bearer(text)


def _complaint(header: str) -> str:
    words = header.split()
    if not words:
        return "The Authorization header is empty."
    scheme = words[0].lower()
    if scheme == "bearer":
        return "The Authorization header has no token." if len(words) == 1 else "The bearer token contains white space."
    if scheme in _OTHER_SCHEMES:
        return f"The Authorization header uses the scheme {scheme}, not Bearer."
    return "The Authorization header does not begin with Bearer."
