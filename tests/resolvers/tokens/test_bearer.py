"""Where a client puts its token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.tokens.bearer import bearer, token_from_params
from resolvers.tokens.errors import InvalidTokenError, MissingTokenError

KNOWN_SCHEMES = ("basic", "digest", "dpop", "jwt", "negotiate", "token")


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c", " Bearer a.b.c\t"])
def test_bearer_scheme_in_any_case(header: str) -> None:
    """The scheme is case-insensitive and white space around is forgiven."""
    assert bearer(header) == "a.b.c"


def test_no_header_is_a_missing_token() -> None:
    """No header is told apart from a bad one."""
    with pytest.raises(
        MissingTokenError, match=r"There is no Authorization header\. Send: Authorization: Bearer <token>"
    ):
        bearer(None)


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("", "is empty"),
        ("Bearer", "has no token"),
        ("Bearer ", "has no token"),
        ("Bearer a b", "contains white space"),
        ("Basic dXNlcg==", "uses the scheme basic, not Bearer"),
        ("eyJhbGciOi.J.x", "does not begin with Bearer"),
        ("hunter2secret a.b.c", "does not begin with Bearer"),
    ],
)
def test_malformed_header_is_explained(header: str, complaint: str) -> None:
    """The message says what is wrong with the header, and how it should look."""
    with pytest.raises(InvalidTokenError, match=f"{complaint}.*Send: Authorization: Bearer <token>"):
        bearer(header)


@given(st.text() | st.text().map("Bearer {}".format) | st.text().map("Basic {}".format))
def test_any_header_is_a_token_or_an_error_that_does_not_repeat_it(header: str) -> None:
    """Whatever the header, it yields the token in it or one of a few fixed messages."""
    try:
        assert bearer(header) == header.split()[1]
    except InvalidTokenError as error:
        complaint = str(error).removesuffix(" Send: Authorization: Bearer <token>")
        assert complaint in {
            "The Authorization header is empty.",
            "The Authorization header has no token.",
            "The bearer token contains white space.",
            "The Authorization header does not begin with Bearer.",
            *(f"The Authorization header uses the scheme {scheme}, not Bearer." for scheme in KNOWN_SCHEMES),
        }


@pytest.mark.parametrize(
    ("params", "token"),
    [
        ({}, None),
        ({"Authorization": None, "token": None}, None),
        ({"Authorization": "Bearer a", "authorization": "Bearer b", "token": "c"}, "a"),
        ({"authorization": "bearer b", "token": "c"}, "b"),
        ({"token": "c"}, "c"),
        ({"token": " c "}, "c"),
        ({"token": "Bearer c"}, "c"),
        ({"other": 1}, None),
    ],
)
def test_connection_parameters_are_looked_at_in_order(params: dict[str, object], token: str | None) -> None:
    """Authorization, then authorization, then token; null counts as absent."""
    assert token_from_params(params) == token


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"Authorization": 5}, "Authorization in the connection's parameters must be a string"),
        ({"token": {"a": 1}}, "token in the connection's parameters must be a string"),
        ({"token": ""}, "token in the connection's parameters is empty"),
        ({"Authorization": "a.b.c", "token": "c"}, "does not begin with Bearer"),
    ],
)
def test_bad_connection_parameters_are_explained(params: dict[str, object], complaint: str) -> None:
    """A bad value is an error, never a reason to look at the next key."""
    with pytest.raises(InvalidTokenError, match=complaint):
        token_from_params(params)
