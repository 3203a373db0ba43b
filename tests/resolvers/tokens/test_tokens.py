"""Verifying and minting tokens with a shared secret, and what holds for every kind of key."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from resolvers.tokens import (
    Claims,
    ExpiredTokenError,
    InvalidTokenError,
    KeyConfigurationError,
    Verifier,
    mint,
)
from tests.resolvers.tokens.issuer import NOW, SECRET, Clock, claims, private_key, shared, signed

GOOD = shared()
OTHER_SECRET = "another secret that is long enough for HS256"


def verifier(**options: Any) -> Verifier:
    return Verifier(**{"secret": SECRET, "clock": Clock(), **options})


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def hand_made(header: bytes, payload: bytes, secret: str = SECRET) -> str:
    """A token of any octets with a correct HMAC."""
    signing_input = f"{encoded(header)}.{encoded(payload)}"
    return f"{signing_input}.{encoded(hmac.digest(secret.encode(), signing_input.encode(), hashlib.sha256))}"


async def refusal(token: str, **options: Any) -> str:
    """The message a token is refused with."""
    with pytest.raises(InvalidTokenError) as caught:
        await verifier(**options).verify(token)
    return str(caught.value)


async def test_good_token_is_verified() -> None:
    """A token signed with the secret says who is asking."""
    assert await verifier().verify(GOOD) == Claims("ada", None, None, (), datetime(2025, 11, 20, 20, tzinfo=UTC))


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"), st.sampled_from(["replace", "insert", "delete"]))
async def test_mangled_token_never_verifies(position: int, character: str, how: str) -> None:
    """A token with one character changed, added or missing is refused, whichever it is."""
    rest = GOOD[position + (how != "insert") :]
    mangled = GOOD[:position] + ("" if how == "delete" else character) + rest
    if mangled != GOOD:
        await refusal(mangled)


@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*\.[A-Za-z0-9_=-]*", fullmatch=True))
async def test_any_text_is_refused(text: str) -> None:
    """No text but a token verifies, and none causes another exception."""
    await refusal(text)


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), max_size=4)
    | st.fixed_dictionaries(
        {}, optional={"kid": st.text(), "crit": st.lists(st.text()), "b64": st.booleans(), "typ": st.text()}
    )
)
async def test_any_header_verifies_only_when_its_algorithm_is_allowed(header: dict[str, object]) -> None:
    """Whatever else the header says, the outcome is claims or InvalidTokenError."""
    token = hand_made(json.dumps({"alg": "HS256", **header}).encode(), json.dumps(claims()).encode())
    try:
        assert (await verifier().verify(token)).handle == "ada"
    except InvalidTokenError:
        return
    assert header.get("alg", "HS256") == "HS256"


@given(st.binary())
async def test_any_signed_payload_is_refused_cleanly(payload: bytes) -> None:
    """Signed octets that are no claims are refused with InvalidTokenError."""
    await refusal(hand_made(b'{"alg":"HS256"}', payload))


@pytest.mark.parametrize(
    "payload",
    [b"[" * 3000, b'{"exp":' + b"9" * 4301 + b"}", b"null", b"[]", b'"x"', b"\xff", b'{"a":' * 900 + b"1" + b"}" * 900],
)
async def test_hostile_payload_is_refused_cleanly(payload: bytes) -> None:
    """Nesting without end, numbers Python refuses and JSON that is no object are refused with InvalidTokenError."""
    assert await refusal(hand_made(b'{"alg":"HS256"}', payload))


@pytest.mark.parametrize("algorithm", ["none", "None", "", "HS384", "RS256", None, 5, ["HS256"], {"HS256": 1}])
async def test_other_algorithms_are_not_allowed(algorithm: object) -> None:
    """Only the pinned algorithm is accepted, and the message says which one that is."""
    token = hand_made(json.dumps({"alg": algorithm}).encode(), json.dumps(claims()).encode())
    assert "(alg) is not allowed; allowed: HS256." in await refusal(token)


async def test_unsigned_token_is_refused() -> None:
    """A token of the algorithm none has an empty signature, and is no token here."""
    assert "no signed JWT" in await refusal(jwt.encode(claims(), "", "none"))


async def test_token_of_another_secret_is_refused() -> None:
    """The signature decides, and the message says so."""
    assert "signature is wrong: it was signed with another key" in await refusal(shared(OTHER_SECRET))


async def test_padded_token_is_refused() -> None:
    """Base64 padding is a second spelling of one token, and is refused."""
    assert "no signed JWT" in await refusal(GOOD + "=")


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("undefined", "The token is undefined: the client had none"),
        ("null", "The token is null: the client had none"),
        ("", "The token is empty: the client had none"),
        ("a.b.c.d.e", "encrypted token"),
        ("a.b.c\n", "three parts in base64url"),
        ("a.b.c", "The token is malformed"),
        ("ü.b.c", "three parts in base64url"),
        ("x" * 8193, "has 8193 characters; at most 8192 are allowed"),
    ],
)
async def test_malformed_token_is_explained(token: str, complaint: str) -> None:
    """The message says in which way it is no token."""
    assert complaint in await refusal(token)


async def test_longest_token_is_verified() -> None:
    """A token just under the limit is still read."""
    token = shared(padding="x" * 5900)
    assert 8000 < len(token) <= 8192
    assert (await verifier().verify(token)).handle == "ada"


@pytest.mark.parametrize(
    "token",
    [
        shared(OTHER_SECRET), shared(exp=NOW - 60), shared(aud="other"), shared(sub=""), shared(nbf=NOW + 60), GOOD[:-1],
        GOOD + "=", hand_made(b'{"alg":"HS512"}', b"{}"), hand_made(b'{"alg":"HS256"}', b"not json"), signed("RS256", "a"),
    ],
)  # fmt: skip
async def test_messages_hold_neither_token_nor_secret(token: str) -> None:
    """No message repeats the token, one of its parts, or the secret."""
    message = await refusal(token)
    assert not [part for part in (SECRET, OTHER_SECRET, token, *token.split(".")) if part in message]


async def test_expired_token_is_told_apart() -> None:
    """Expiry has its own error, so that a client can get a new token instead of giving up."""
    with pytest.raises(ExpiredTokenError, match="expired 60 seconds ago"):
        await verifier().verify(shared(exp=NOW - 60))


async def test_audience_and_issuer_are_passed_on() -> None:
    """A verifier with audience and issuer accepts the tokens that name them, and no others."""
    options = {"audience": "parley", "issuer": "https://login.example"}
    token = shared(aud="parley", iss="https://login.example")
    assert (await verifier(**options).verify(token)).handle == "ada"
    assert "Wrong issuer" in await refusal(GOOD, **options)


async def test_remembered_token_still_expires() -> None:
    """Memory ends with the token: past exp and leeway it is refused as expired."""
    clock = Clock()
    remembering = verifier(clock=clock)
    await remembering.verify(GOOD)
    clock.now = NOW + 3604
    assert (await remembering.verify(GOOD)) is remembering.recall(GOOD.encode())
    clock.now = NOW + 3605
    assert remembering.recall(GOOD.encode()) is None
    with pytest.raises(ExpiredTokenError):
        await remembering.verify(GOOD)
    assert not remembering._verified


async def test_repeat_is_remembered() -> None:
    """The same token again gives the very claims of the first time, without checking the signature."""
    remembering = verifier()
    assert await remembering.verify(GOOD) is await remembering.verify(GOOD)


async def test_only_what_was_verified_is_recalled() -> None:
    """Without waiting there is an answer for a token that was verified before, character for character."""
    remembering = verifier()
    assert remembering.recall(GOOD.encode()) is None
    claims = await remembering.verify(GOOD)
    assert remembering.recall(GOOD.encode()) is claims
    assert [
        remembering.recall(other.encode()) for other in (GOOD + "x", GOOD[:-1], f"{GOOD}=", f"{GOOD}é", "x" * 9000, "")
    ] == [None] * 6


async def test_memory_is_bounded() -> None:
    """Beyond the bound the least recently used token is forgotten."""
    remembering = verifier(remembered=2)
    ada, grace, linus = (shared(sub=handle) for handle in ("ada", "grace", "linus"))
    first, *_ = [await remembering.verify(token) for token in (ada, grace, ada, linus)]
    assert len(remembering._verified) == 2
    assert await remembering.verify(ada) is first


async def test_memory_holds_no_token() -> None:
    """What is remembered is a digest, so a dump of the memory is no set of credentials."""
    remembering = verifier()
    await remembering.verify(GOOD)
    assert GOOD not in repr(remembering._verified)
    assert SECRET not in repr(remembering._verified)


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, "ü" * 15 + "x"])
def test_short_secret_is_a_configuration_error(secret: str) -> None:
    """A secret under 32 bytes is refused with its length and a way to make a better one."""
    with pytest.raises(KeyConfigurationError, match=rf"has {len(secret.encode())} bytes; .* at least 32.*openssl rand"):
        Verifier(secret=secret)


def test_public_key_as_secret_is_a_configuration_error() -> None:
    """A PEM key where the secret belongs would let everyone sign; the message does not repeat it."""
    pem = private_key("RS256", "a").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(KeyConfigurationError, match="not a secret") as caught:
        Verifier(secret=pem)
    assert pem.splitlines()[1] not in str(caught.value)


def test_secret_of_stray_bytes_is_a_configuration_error() -> None:
    """An environment variable that is not UTF-8 arrives with lone surrogates, and is refused."""
    with pytest.raises(KeyConfigurationError, match="not valid UTF-8"):
        Verifier(secret="\udcff" * 40)


@pytest.mark.parametrize("sources", [{}, {"secret": SECRET, "jwks_url": "https://login.example/jwks"}])
def test_exactly_one_source_of_keys(sources: dict[str, Any]) -> None:
    """No key, or two kinds, is a configuration error."""
    with pytest.raises(KeyConfigurationError, match="exactly one of"):
        Verifier(**sources)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"secret": SECRET, "algorithms": ["HS256", "RS256"]}, "RS256 cannot be used with a secret"),
        ({"secret": SECRET, "algorithms": ["none"]}, "none cannot be used with a secret"),
        ({"secret": SECRET, "algorithms": []}, "an empty list cannot be used"),
        (
            {"jwks_url": "https://a/jwks", "algorithms": ["HS256"]},
            "HS256 cannot be used with a JWK set; possible are RS256",
        ),
    ],
)
def test_algorithms_fit_the_key(options: dict[str, Any], complaint: str) -> None:
    """An algorithm of the other kind of key cannot even be configured."""
    with pytest.raises(KeyConfigurationError, match=complaint):
        Verifier(**options)


async def test_minted_token_verifies() -> None:
    """What mint makes, a verifier with the same secret reads."""
    token = mint(
        SECRET, "grace", name="Grace Hopper", picture="https://example.org/g.png", roles=["moderator"],
        lifetime=timedelta(minutes=5), audience="parley", issuer="me", clock=Clock(),
    )  # fmt: skip
    assert await verifier(audience="parley", issuer="me").verify(token) == Claims(
        "grace", "Grace Hopper", "https://example.org/g.png", ("moderator",), datetime(2025, 11, 20, 19, 5, tzinfo=UTC)
    )


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs"]), min_size=1, max_size=255))
async def test_any_handle_survives(handle: str) -> None:
    """Every handle that may be minted comes back the same."""
    try:
        token = mint(SECRET, handle, lifetime=timedelta(hours=1), clock=Clock())
    except InvalidTokenError as error:
        assert not handle.strip(), error  # noqa: PT017 - only line and paragraph separators are left to be refused
        return
    assert (await verifier().verify(token)).handle == handle


@pytest.mark.parametrize(("handle", "lifetime"), [("", 60), ("a\0", 60), ("ada", 0), ("ada", -1)])
def test_mint_refuses_what_no_verifier_accepts(handle: str, lifetime: int) -> None:
    """A bad handle or lifetime is found when the token is made."""
    with pytest.raises(InvalidTokenError):
        mint(SECRET, handle, lifetime=timedelta(seconds=lifetime), clock=Clock())


def test_mint_refuses_a_short_secret() -> None:
    """Minting has the same rule for secrets as verifying."""
    with pytest.raises(KeyConfigurationError, match="at least 32"):
        mint("short", "ada", lifetime=timedelta(hours=1))
