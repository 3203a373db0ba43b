"""What the claims of a verified token must be, and what is read from them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.tokens.claims import Claims, Expectations, read_claims
from resolvers.tokens.errors import ExpiredTokenError, InvalidTokenError
from tests.resolvers.tokens.issuer import NOW, claims

ANYONE = Expectations(audience=None, issuer=None, leeway=5)
PARLEY = Expectations(audience="parley", issuer="https://login.example", leeway=5)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None, categories=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
claim_names = st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "name", "picture", "roles"])


def test_claims_are_read() -> None:
    """Every claim we know lands in its field."""
    payload = claims(name="Ada Lovelace", picture="https://example.org/a.png", roles=["moderator", "staff"])
    assert read_claims(payload, ANYONE, NOW) == Claims(
        handle="ada",
        name="Ada Lovelace",
        picture="https://example.org/a.png",
        roles=("moderator", "staff"),
        expires_at=datetime(2025, 11, 20, 20, 0, tzinfo=UTC),
    )


def test_profile_claims_are_optional() -> None:
    """A token with nothing but sub and exp is enough, and null counts as absent."""
    payload = {"sub": "ada", "exp": NOW + 60.5, "name": None, "picture": None, "roles": None}
    read = read_claims(payload, ANYONE, NOW)
    assert (read.handle, read.name, read.picture, read.roles) == ("ada", None, None, ())


@pytest.mark.untraced
@given(st.dictionaries(claim_names, json_values), st.sampled_from([ANYONE, PARLEY]))
def test_any_claims_are_read_or_refused(payload: dict[str, object], expected: Expectations) -> None:
    """Whatever the JSON, the only exception is InvalidTokenError."""
    try:
        read = read_claims({"exp": NOW + 60, **payload}, expected, NOW)
    except InvalidTokenError:
        return
    assert read.handle == payload["sub"]


@given(st.dictionaries(st.sampled_from(["name", "picture", "roles"]), json_values))
def test_profile_claims_can_be_stored(profile: dict[str, object]) -> None:
    """What is read from profile claims holds no control characters or surrogates and keeps to its lengths."""
    try:
        read = read_claims(claims() | profile, ANYONE, NOW)
    except InvalidTokenError:
        return
    for text, limit in [(read.name, 200), (read.picture, 2048), *((role, 100) for role in read.roles)]:
        assert text is None or (text.encode() and len(text) <= limit and "\0" not in text)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"exp": None}, "never expires"),
        ({"exp": "tomorrow"}, "exp must be a number of seconds since 1970, not 'tomorrow'"),
        ({"exp": True}, "exp must be a number of seconds since 1970, not True"),
        ({"exp": NOW * 1000}, "Are these milliseconds"),
        ({"exp": float("nan")}, "exp is no time in seconds since 1970: nan"),
        ({"exp": 10**400}, "exp is no time in seconds since 1970"),
        ({"nbf": NOW + 60}, r"not valid before 2025-11-20T19:01:00Z \(nbf\); server time is 2025-11-20T19:00:00Z"),
        ({"iat": NOW + 60}, r"issued in the future, at 2025-11-20T19:01:00Z \(iat\)"),
        ({"iat": []}, "iat must be a number of seconds since 1970, not a list"),
        ({"sub": None}, "sub, the user's key in your application, is missing"),
        ({"sub": 17}, "sub, the user's key in your application, must be a string, not 17"),
        ({"sub": " "}, "is empty"),
        ({"sub": "a" * 256}, "sub has 256 characters; 255 are allowed"),
        ({"sub": "a\0b"}, r"U\+0000, at position 1"),
        ({"sub": "a\ud800"}, r"U\+D800, at position 1"),
        ({"sub": "a\x85"}, r"U\+0085"),
        ({"name": 5}, "name must be a string, not 5"),
        ({"picture": {"url": "x"}}, "picture must be a string, not an object"),
        ({"roles": "admin"}, "roles must be a list of strings, not 'admin'"),
        ({"roles": ["a", 1]}, "roles must be a list of strings; 1 is none"),
        ({"aud": "shop"}, r"meant for 'shop' \(aud\), but this server was given no audience"),
    ],
)
def test_bad_claim_is_explained(changed: dict[str, object], complaint: str) -> None:
    """The message names the claim, its value and the rule."""
    with pytest.raises(InvalidTokenError, match=complaint):
        read_claims(claims() | changed, ANYONE, NOW)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({}, r"Wrong issuer: the token has no issuer \(iss\); expected 'https://login.example'"),
        ({"iss": "https://evil.example"}, "Wrong issuer: the token is from 'https://evil.example'"),
        ({"iss": ["https://login.example"]}, "Wrong issuer: the token is from a list"),
        (
            {"iss": PARLEY.issuer},
            r"Wrong audience: the token is meant for nobody in particular \(aud\); expected 'parley'",
        ),
        ({"iss": PARLEY.issuer, "aud": "shop"}, "Wrong audience: the token is meant for 'shop'"),
        ({"iss": PARLEY.issuer, "aud": ["shop", {}]}, "meant for 'shop', an object"),
        ({"iss": PARLEY.issuer, "aud": "parley2"}, "Wrong audience"),
    ],
)
def test_configured_issuer_and_audience_are_required(changed: dict[str, object], complaint: str) -> None:
    """Where audience and issuer are configured, tokens without them, or with others, are refused."""
    with pytest.raises(InvalidTokenError, match=complaint):
        read_claims(claims() | changed, PARLEY, NOW)


@pytest.mark.parametrize("audience", ["parley", ["shop", "parley"]])
def test_audience_may_be_one_of_several(audience: object) -> None:
    """The server's audience alone or in a list is accepted."""
    assert read_claims(claims(iss=PARLEY.issuer, aud=audience), PARLEY, NOW).handle == "ada"


def test_expiry_says_since_when() -> None:
    """An expired token has its own error, with how long ago, when, and what the server's clock says."""
    with pytest.raises(ExpiredTokenError) as caught:
        read_claims(claims(exp=NOW - 3 * 3600), ANYONE, NOW)
    assert str(caught.value) == (
        "The token expired 3 hours ago, at 2025-11-20T16:00:00Z (server time 2025-11-20T19:00:00Z). Get a new one."
    )
    assert caught.value.expired_at == datetime(2025, 11, 20, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(("late", "good"), [(-1, True), (4.9, True), (5, False), (6, False)])
def test_leeway_ends_sharply(late: float, good: bool) -> None:
    """A token is good until exp plus the leeway, that instant excluded."""
    if good:
        read_claims(claims(exp=NOW), ANYONE, NOW + late)
        return
    with pytest.raises(ExpiredTokenError):
        read_claims(claims(exp=NOW), ANYONE, NOW + late)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_leeway_forgives_a_clock_that_is_ahead(claim: str) -> None:
    """An issuer's clock may be ahead by the leeway."""
    assert read_claims(claims() | {claim: NOW + 5}, ANYONE, NOW).handle == "ada"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a" * 201, "a" * 200),
        (" Ada\0 ", "Ada"),
        ("\ud800", None),
        ("  ", None),
        ("\u200b", None),
        ("Ada 🦄", "Ada 🦄"),
    ],
)
def test_name_is_cut_to_what_can_be_shown(name: str, kept: str | None) -> None:
    """A name too long or with unfit characters is cut, and does not lock its owner out."""
    assert read_claims(claims(name=name), ANYONE, NOW).name == kept


@pytest.mark.parametrize(
    "picture",
    ["javascript:alert(1)", "data:image/png;base64,AA==", "/a.png", "https://", "https://[x", "https://a:b/c",
     "https://a/\nb", "https://a/ b", "https://a/\ud800", "https://a/" + "x" * 2040, ""],
)  # fmt: skip
def test_picture_that_is_no_web_address_is_ignored(picture: str) -> None:
    """A bad picture is left out, and does not lock its owner out."""
    assert read_claims(claims(picture=picture), ANYONE, NOW).picture is None


def test_unfit_roles_are_ignored() -> None:
    """Empty, overlong and unfit roles are left out, and a repeated one counts once."""
    assert read_claims(claims(roles=["a", "", "b\0", "x" * 101, "a"]), ANYONE, NOW).roles == ("a",)
