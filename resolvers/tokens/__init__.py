"""JSON Web Tokens: who is asking, verified; and minted, for development, tests and the command line."""

import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import jwt

from resolvers.tokens.claims import Claims, Expectations, read_claims
from resolvers.tokens.errors import (
    ExpiredTokenError,
    InvalidTokenError,
    KeyConfigurationError,
    KeySetError,
    KeysUnavailableError,
    MissingTokenError,
    shown,
)
from resolvers.tokens.jwks import KeySet
from resolvers.tokens.jwks_source import FileSource, UrlSource
from resolvers.tokens.keys import (
    PUBLIC_ALGORITHMS,
    SECRET_ALGORITHMS,
    Key,
    Keys,
    SecretKey,
    checked_algorithms,
    secret_key,
)

__all__ = [
    "Claims",
    "ExpiredTokenError",
    "InvalidTokenError",
    "KeyConfigurationError",
    "KeySetError",
    "KeysUnavailableError",
    "MissingTokenError",
    "Verifier",
    "mint",
]

MAXIMUM_TOKEN: Final = 8 * 1024
"""Characters; checked before anything of the token is parsed."""

# Stricter than PyJWT, which also takes base64 padding: one token has one spelling.
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_JWS: Final = jwt.PyJWS(
    algorithms=[*SECRET_ALGORITHMS, *PUBLIC_ALGORITHMS],
    options={"verify_signature": True, "enforce_minimum_key_length": True},
)


class _Header(NamedTuple):
    algorithm: object
    kid: str | None


class _Verified(NamedTuple):
    claims: Claims
    key: Key
    until: float  # Unix seconds


class Verifier:
    """Says who a token speaks for.

    A verified token is remembered (by its BLAKE2 digest, never itself) until it expires or its key is withdrawn, so a repeat
    costs one look-up. The least recently used are forgotten beyond `remembered`.
    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        jwks_url: str | None = None,
        jwks_file: Path | None = None,
        algorithms: Sequence[str] | None = None,
        audience: str | None = None,
        issuer: str | None = None,
        leeway: float = 5.0,
        remembered: int = 4096,
        refresh_interval: float = 300.0,
        retry_interval: float = 10.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Exactly one of `secret`, `jwks_url` and `jwks_file`; no `algorithms` means all that fit it.

        Durations are seconds: `leeway` forgives differing clocks; a key removed from the JWK set is out of use within
        `refresh_interval`; the set is asked for at most every `retry_interval` and for at most `timeout`. `clock` gives
        Unix time, `monotonic` a time that never jumps. Raises KeyConfigurationError.
        """
        if sum(source is not None for source in (secret, jwks_url, jwks_file)) != 1:
            raise KeyConfigurationError("Tokens need exactly one of: a secret, the URL of a JWK set, a JWK set file.")
        self._keys: Keys
        if secret is not None:
            checked_algorithms(algorithms, SECRET_ALGORITHMS, "a secret")
            self._keys = SecretKey(secret)
        else:
            self._keys = KeySet(
                FileSource(jwks_file) if jwks_file is not None else UrlSource(jwks_url or "", timeout),
                checked_algorithms(algorithms, PUBLIC_ALGORITHMS, "a JWK set"),
                refresh_interval=refresh_interval,
                retry_interval=retry_interval,
                monotonic=monotonic,
            )
        self._expected = Expectations(audience, issuer, leeway)
        self._clock = clock
        self._remembered = remembered
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    async def load(self) -> None:
        """Fetch the keys before the first token comes. Raises KeySetError; a later `verify` tries again by itself."""
        await self._keys.load()

    async def verify(self, token: str) -> Claims:
        """Who the token speaks for. Raises InvalidTokenError or one of its kinds, nothing else.

        Waits for the network only where a JWK set was never read, is older than the refresh interval, or lacks the key.
        """
        _check_shape(token)
        await self._keys.freshen()
        digest = _digest(token.encode())
        claims = self._recall(digest)
        if claims is not None:
            return claims
        header = _header(token)
        key = await self._keys.find(header.kid, self._allowed(header.algorithm))
        claims = read_claims(_signed_payload(token, key), self._expected, self._clock())
        self._remember(digest, _Verified(claims, key, claims.expires_at.timestamp() + self._expected.leeway))
        return claims

    def recall(self, token: bytes) -> Claims | None:
        """What `verify` would return without waiting for anything; None where it has to look closer."""
        if len(token) > MAXIMUM_TOKEN or self._keys.are_due:
            return None
        return self._recall(_digest(token))

    async def aclose(self) -> None:
        """End a running refresh of the keys."""
        await self._keys.aclose()

    def _allowed(self, algorithm: object) -> str:
        if isinstance(algorithm, str) and algorithm in self._keys.algorithms:
            return algorithm
        allowed = ", ".join(self._keys.algorithms)
        raise InvalidTokenError(f"The token's algorithm {shown(algorithm)} (alg) is not allowed; allowed: {allowed}.")

    def _recall(self, digest: bytes) -> Claims | None:
        verified = self._verified.get(digest)
        if verified is None:
            return None
        if self._clock() < verified.until and self._keys.holds(verified.key):
            self._verified.move_to_end(digest)
            return verified.claims
        # Verified anew, it meets the error that says what is wrong with it now.
        del self._verified[digest]
        return None

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        self._verified[digest] = verified
        self._verified.move_to_end(digest)
        while len(self._verified) > self._remembered:
            self._verified.popitem(last=False)


def mint(
    secret: str,
    handle: str,
    *,
    name: str | None = None,
    picture: str | None = None,
    roles: Sequence[str] = (),
    lifetime: timedelta,
    audience: str | None = None,
    issuer: str | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """An HS256 token that a Verifier with the same secret accepts for `lifetime`.

    Raises KeyConfigurationError for a bad secret, InvalidTokenError for claims that no Verifier would accept.
    """
    key = secret_key(secret)
    now = clock()
    claims = {
        "sub": handle,
        "name": name,
        "picture": picture,
        "roles": list(roles) or None,
        "aud": audience,
        "iss": issuer,
    }
    payload: dict[str, object] = {claim: value for claim, value in claims.items() if value is not None}
    payload |= {"iat": int(now), "exp": int(now + lifetime.total_seconds())}
    read_claims(payload, Expectations(audience, issuer, leeway=0), now)
    token = _JWS.encode(json.dumps(payload, separators=(",", ":")).encode(), key.material)
    _check_shape(token)
    return token


def _digest(token: bytes) -> bytes:
    return hashlib.blake2b(token, digest_size=32).digest()


def _check_shape(token: str) -> None:
    if len(token) > MAXIMUM_TOKEN:
        raise InvalidTokenError(f"The token has {len(token)} characters; at most {MAXIMUM_TOKEN} are allowed.")
    if _COMPACT.fullmatch(token):
        return
    if token in ("undefined", "null", ""):
        raise InvalidTokenError(f"The token is {token or 'empty'}: the client had none when it asked.")
    hint = " This looks like an encrypted token (JWE)." if token.count(".") == 4 else ""  # noqa: PLR2004 - RFC 7516, 3.1
    raise InvalidTokenError(f"The token is no signed JWT: three parts in base64url, joined by dots.{hint}")


def _header(token: str) -> _Header:
    try:
        header = _JWS.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise _malformed(error) from error
    return _Header(header.get("alg"), header.get("kid"))  # PyJWT refuses a kid that is no string


def _signed_payload(token: str, key: Key) -> dict[str, object]:
    try:
        # The key, not the token, says which algorithm runs.
        octets = _JWS.decode(token, key.material, algorithms=[key.algorithm])
        payload = json.loads(octets)
    except jwt.InvalidSignatureError as error:
        raise InvalidTokenError(
            "The token's signature is wrong: it was signed with another key, or changed afterwards."
        ) from error
    except jwt.PyJWTError as error:
        raise _malformed(error) from error
    except (ValueError, RecursionError):
        # Without its cause, which carries the whole payload.
        raise InvalidTokenError("The token is malformed: its payload is not JSON.") from None
    if not isinstance(payload, dict):
        raise InvalidTokenError(f"The token is malformed: its payload must be an object, not {shown(payload)}.")
    return payload


def _malformed(error: jwt.PyJWTError) -> InvalidTokenError:
    return InvalidTokenError(f"The token is malformed: {shown(str(error))}.")
