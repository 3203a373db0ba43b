"""The keys that tokens are checked with. A key is bound to one algorithm, so a token cannot choose how it is checked."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import jwt
from jwt.algorithms import HMACAlgorithm

from resolvers.tokens.errors import KeyConfigurationError

SECRET_ALGORITHMS: Final = ("HS256",)
PUBLIC_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
MINIMUM_SECRET_BYTES: Final = 32  # RFC 7518, 3.2: a key of the size of the hash output or larger


@dataclass(frozen=True, slots=True)
class Key:
    """One key for one algorithm. Two keys are equal when id, algorithm and material are."""

    kid: str | None
    algorithm: str
    thumbprint: str
    material: jwt.PyJWK = field(repr=False, compare=False)


class Keys(Protocol):
    """Where a verifier finds keys."""

    algorithms: tuple[str, ...]

    @property
    def are_due(self) -> bool:
        """Whether they are to be brought up to date."""

    async def load(self) -> None:
        """Make keys ready now. Raises KeySetError where there are none."""

    async def freshen(self) -> None:
        """Bring the keys up to date where they are due; returns without waiting where they are not."""

    async def find(self, kid: str | None, algorithm: str) -> Key:
        """The key a token names. Raises InvalidTokenError."""

    def holds(self, key: Key) -> bool:
        """Whether the key is still one of these."""

    async def aclose(self) -> None:
        """Stop work in the background."""


class SecretKey:
    """The one key shared with the application that issues the tokens. It never changes while the process lives."""

    algorithms: tuple[str, ...] = SECRET_ALGORITHMS
    are_due = False

    def __init__(self, secret: str) -> None:
        self._key = secret_key(secret)

    async def load(self) -> None:
        """Nothing to do: the key is here."""

    async def freshen(self) -> None:
        """Nothing to do: the key cannot change."""

    async def find(self, kid: str | None, algorithm: str) -> Key:  # noqa: ARG002 - one key serves every id
        """The key; a key id says nothing where there is only one."""
        return self._key

    def holds(self, key: Key) -> bool:
        return key is self._key or key == self._key

    async def aclose(self) -> None:
        """Nothing to do: no work in the background."""


def secret_key(secret: str) -> Key:
    """The HS256 key made of a secret's UTF-8 bytes. Raises KeyConfigurationError, which never holds the secret."""
    try:
        octets = secret.encode()
    except UnicodeEncodeError:
        raise KeyConfigurationError("The token secret is not valid UTF-8.") from None
    if len(octets) < MINIMUM_SECRET_BYTES:
        raise KeyConfigurationError(
            f"The token secret has {len(octets)} bytes; HS256 needs at least {MINIMUM_SECRET_BYTES}. "
            "A good one comes from: openssl rand -base64 48"
        )
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(octets)
    except jwt.InvalidKeyError:
        raise KeyConfigurationError(
            "The token secret is a public or private key (PEM, DER, SSH or JWK), not a secret. "
            "Public keys belong in a JWK set."
        ) from None
    k = base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
    return Key(None, "HS256", "", jwt.PyJWK({"kty": "oct", "k": k}, "HS256"))


def checked_algorithms(wanted: Sequence[str] | None, possible: tuple[str, ...], key: str) -> tuple[str, ...]:
    """The pinned algorithms: the wanted ones, or all that the kind of key can do.

    Raises KeyConfigurationError for one that does not fit: a list with both kinds is how a public key becomes a secret.
    """
    if wanted is None:
        return possible
    unfit = [name for name in wanted if name not in possible]
    if unfit or not wanted:
        named = ", ".join(unfit) or "an empty list"
        raise KeyConfigurationError(
            f"Token algorithms: {named} cannot be used with {key}; possible are {', '.join(possible)}."
        )
    return tuple(dict.fromkeys(wanted))
