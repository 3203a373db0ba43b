"""JSON Web Keys (RFC 7517): a published document into the keys in it that may check tokens."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final, cast

import jwt

from resolvers.tokens.errors import KeySetError, shown
from resolvers.tokens.keys import Key

# (key type, curve) → the one algorithm it is used with, and the members that make the key (RFC 7638, 3.2).
_KINDS: Final[dict[tuple[str, str | None], tuple[str, tuple[str, ...]]]] = {
    ("RSA", None): ("RS256", ("e", "kty", "n")),
    ("EC", "P-256"): ("ES256", ("crv", "kty", "x", "y")),
    ("OKP", "Ed25519"): ("EdDSA", ("crv", "kty", "x")),
}


class UnusableKeyError(Exception):
    """A key of the set that cannot or must not check tokens; the others may."""


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """A parsed JWK set: the usable keys, and for each other one its name and why it is left out."""

    keys: tuple[Key, ...]
    ignored: tuple[str, ...]


def parse_key_set(document: bytes, algorithms: tuple[str, ...]) -> KeyDocument:
    """Read a JWK set. Raises KeySetError where it is not one; a single bad key is left out and named."""
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise KeySetError(f"the JWK set is not JSON: {error}") from error
    members = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(members, list):
        raise KeySetError('the JWK set is not an object with a list of "keys"')
    return _sorted_out(members, algorithms)


def _sorted_out(members: list[object], algorithms: tuple[str, ...]) -> KeyDocument:
    keys: list[Key] = []
    ignored: list[str] = []
    for position, member in enumerate(members):
        try:
            key = _usable(member, algorithms)
            _check_distinct(key, keys)
        except UnusableKeyError as error:
            kid = member.get("kid") if isinstance(member, dict) else None
            ignored.append(f"key {position} (kid {shown(kid)}): {error}")
        else:
            keys.append(key)
    return KeyDocument(tuple(keys), tuple(ignored))


def _check_distinct(key: Key, others: list[Key]) -> None:
    # RFC 7517, 4.5: keys of different kinds may share an id; two of one kind would make the choice between them arbitrary.
    if key.kid is not None and any((key.kid, key.algorithm) == (other.kid, other.algorithm) for other in others):
        raise UnusableKeyError("another key of the set has the same kid")


def _usable(member: object, algorithms: tuple[str, ...]) -> Key:
    if not isinstance(member, dict):
        raise UnusableKeyError("it is not an object")
    jwk = cast("dict[str, object]", member)
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise UnusableKeyError("its kid is not a string")
    _check_use(jwk)
    algorithm, names = _kind(jwk)
    if algorithm not in algorithms or jwk.get("alg", algorithm) != algorithm:
        raise UnusableKeyError(f"it is for {shown(jwk.get('alg', algorithm))}; allowed: {', '.join(algorithms)}")
    # Only what makes the public key is handed on, so nothing else in the document has a say.
    public = {name: jwk.get(name) for name in names}
    material = _material(public, algorithm)
    canonical = json.dumps(public, sort_keys=True, separators=(",", ":")).encode()
    return Key(kid, algorithm, hashlib.sha256(canonical).hexdigest(), material)


def _check_use(jwk: dict[str, object]) -> None:
    if jwk.get("kty") == "oct":
        raise UnusableKeyError("it is a symmetric key: whoever can read the set could sign with it")
    if "d" in jwk:
        raise UnusableKeyError("it holds the private key: whoever can read the set could sign with it")
    if jwk.get("use", "sig") != "sig":
        raise UnusableKeyError(f"its use is {shown(jwk['use'])}, not signatures")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKeyError("its key_ops do not include verify")


def _kind(jwk: dict[str, object]) -> tuple[str, tuple[str, ...]]:
    key_type = jwk.get("kty")
    curve = None if key_type == "RSA" else jwk.get("crv")
    for (known_type, known_curve), kind in _KINDS.items():
        if (known_type, known_curve) == (key_type, curve):
            return kind
    of_curve = "" if curve is None else f" on curve {shown(curve)}"
    raise UnusableKeyError(f"its type {shown(key_type)}{of_curve} is not supported")


def _material(public: dict[str, object], algorithm: str) -> jwt.PyJWK:
    try:
        material = jwt.PyJWK(public, algorithm)
        weakness = material.Algorithm.check_key_length(material.key)
    except jwt.PyJWTError as error:
        raise UnusableKeyError(f"it is no {algorithm} key: {error}") from error
    if weakness:
        raise UnusableKeyError(weakness)
    return material
