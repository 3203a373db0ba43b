"""The claims of a verified token: what they must be, and what they say about a person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import structlog

from resolvers.blank import is_blank
from resolvers.tokens.errors import ExpiredTokenError, InvalidTokenError, shown

MAXIMUM_HANDLE: Final = 255
MAXIMUM_NAME: Final = 200
MAXIMUM_PICTURE: Final = 2048
MAXIMUM_ROLE: Final = 100

_LATEST: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second a datetime can hold
# Control characters and lone surrogates: the database refuses NUL and surrogates, and no text field needs the others.
UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """Who is asking, as the issuer of the token says. `None` and an empty `roles` mean that the token says nothing."""

    handle: str
    name: str | None
    picture: str | None
    roles: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a token must say to be meant for this server. `leeway` in seconds forgives clocks that differ."""

    audience: str | None
    issuer: str | None
    leeway: float


def read_claims(payload: Mapping[str, object], expected: Expectations, now: float) -> Claims:
    """Check the claims at the time `now` (Unix seconds) and read them. Raises InvalidTokenError.

    What decides over access is strict, and so are types. A value that only decorates the profile (a name too long, a
    picture that is no web address) is cut or left out instead: it must not lock its owner out.
    """
    expires_at = _check_times(payload, expected.leeway, now)
    _check_issuer(payload.get("iss"), expected.issuer)
    _check_audience(payload.get("aud"), expected.audience)
    return Claims(
        handle=_handle(payload.get("sub")),
        name=_name(payload.get("name")),
        picture=_picture(payload.get("picture")),
        roles=_roles(payload.get("roles")),
        expires_at=expires_at,
    )


def _check_times(payload: Mapping[str, object], leeway: float, now: float) -> datetime:
    expiry = _instant(payload, "exp")
    if expiry is None:
        raise InvalidTokenError("The token never expires: the claim exp (Unix seconds) is required.")
    if now >= expiry + leeway:
        raise ExpiredTokenError(
            f"The token expired {_duration(now - expiry)} ago, at {_utc(expiry)} (server time {_utc(now)}). Get a new one.",
            datetime.fromtimestamp(expiry, UTC),
        )
    for claim, meaning in (("nbf", "is not valid before"), ("iat", "was issued in the future, at")):
        instant = _instant(payload, claim)
        if instant is not None and instant > now + leeway:
            raise InvalidTokenError(f"The token {meaning} {_utc(instant)} ({claim}); server time is {_utc(now)}.")
    return datetime.fromtimestamp(expiry, UTC)


def _instant(payload: Mapping[str, object], claim: str) -> float | None:
    """A NumericDate of RFC 7519: seconds since 1970, possibly with a fraction. A bool is an int only in Python."""
    value = payload.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTokenError(f"The token's {claim} must be a number of seconds since 1970, not {shown(value)}.")
    if not 0 <= value <= _LATEST:  # false for NaN as well
        hint = " Are these milliseconds?" if value > _LATEST else ""
        raise InvalidTokenError(f"The token's {claim} is no time in seconds since 1970: {shown(value)}.{hint}")
    return float(value)


def _check_issuer(issuer: object, expected: str | None) -> None:
    if expected is None or issuer == expected:
        return
    found = "the token has no issuer (iss)" if issuer is None else f"the token is from {shown(issuer)} (iss)"
    raise InvalidTokenError(f"Wrong issuer: {found}; expected {shown(expected)}.")


def _check_audience(audience: object, expected: str | None) -> None:
    audiences = audience if isinstance(audience, list) else [] if audience is None else [audience]
    if expected is None and not audiences:
        return
    meant_for = ", ".join(shown(one) for one in audiences[:5]) or "nobody in particular"
    if expected is None:
        # RFC 7519, 4.1.3: a token for others is to be refused by whoever is not named in it.
        raise InvalidTokenError(
            f"The token is meant for {meant_for} (aud), but this server was given no audience of its own to compare with."
        )
    if expected not in audiences:
        raise InvalidTokenError(
            f"Wrong audience: the token is meant for {meant_for} (aud); expected {shown(expected)}."
        )


def _handle(subject: object) -> str:
    if not isinstance(subject, str):
        found = "is missing" if subject is None else f"must be a string, not {shown(subject)}"
        raise InvalidTokenError(f"The token's sub, the user's key in your application, {found}.")
    if not subject.strip():
        raise InvalidTokenError("The token's sub, the user's key in your application, is empty.")
    if len(subject) > MAXIMUM_HANDLE:
        raise InvalidTokenError(f"The token's sub has {len(subject)} characters; {MAXIMUM_HANDLE} are allowed.")
    if unfit := UNFIT.search(subject):
        raise InvalidTokenError(
            f"The token's sub has a control character or lone surrogate, U+{ord(unfit[0]):04X}, at position {unfit.start()}."
        )
    return subject


def _name(name: object) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise InvalidTokenError(f"The token's name must be a string, not {shown(name)}.")
    kept = UNFIT.sub("", name).strip()[:MAXIMUM_NAME].rstrip()
    if kept != name:
        log.debug("token claim changed", claim="name", characters=len(name), kept=len(kept))
    return None if is_blank(kept) else kept


def _picture(picture: object) -> str | None:
    if picture is None:
        return None
    if not isinstance(picture, str):
        raise InvalidTokenError(f"The token's picture must be a string, not {shown(picture)}.")
    if is_web_address(picture):
        return picture
    log.debug("token claim ignored", claim="picture", reason=f"no http(s) URL of at most {MAXIMUM_PICTURE} characters")
    return None


def is_web_address(text: str) -> bool:
    """Whether a browser may be given it as the address of a picture."""
    # urlsplit drops line breaks and tabs without a word, so they are looked for first.
    if len(text) > MAXIMUM_PICTURE or UNFIT.search(text) or any(character.isspace() for character in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket, a port that is no number
        return False


def _roles(roles: object) -> tuple[str, ...]:
    if roles is None:
        return ()
    if not isinstance(roles, list):
        raise InvalidTokenError(f"The token's roles must be a list of strings, not {shown(roles)}.")
    for role in roles:
        if not isinstance(role, str):
            raise InvalidTokenError(f"The token's roles must be a list of strings; {shown(role)} is none.")
    fit = [role for role in roles if role.strip() and len(role) <= MAXIMUM_ROLE and not UNFIT.search(role)]
    if len(fit) < len(roles):
        log.debug(
            "token claim ignored", claim="roles", ignored=len(roles) - len(fit), reason="empty, too long or unfit"
        )
    return tuple(dict.fromkeys(fit))


def _utc(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} seconds"
