"""Which keys of a published JWK set may check tokens."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from resolvers.tokens.errors import KeySetError
from resolvers.tokens.jwk import parse_key_set
from resolvers.tokens.keys import PUBLIC_ALGORITHMS
from tests.resolvers.tokens.issuer import key_set, public_jwk

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
members = st.sampled_from(["kty", "crv", "kid", "use", "alg", "key_ops", "n", "e", "x", "y", "d"])
real_values = st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "sig", "AQAB", "AAAA"])


@pytest.mark.parametrize("algorithm", PUBLIC_ALGORITHMS)
def test_public_key_is_bound_to_its_algorithm(algorithm: str) -> None:
    """A key is for the one algorithm of its type and curve, whether the set says so or not."""
    document = parse_key_set(key_set(public_jwk(algorithm, "a", alg=None, use=None, key_ops=None)), PUBLIC_ALGORITHMS)
    assert [(key.kid, key.algorithm, key.material.algorithm_name) for key in document.keys] == [
        ("a", algorithm, algorithm)
    ]


@pytest.mark.parametrize(
    ("jwk", "reason"),
    [
        ({"kty": "oct", "k": "c2VjcmV0"}, "symmetric key"),
        (public_jwk("RS256", "a", d="AAAA"), "holds the private key"),
        (public_jwk("RS256", "a", use="enc"), "its use is 'enc'"),
        (public_jwk("RS256", "a", key_ops=["encrypt"]), "key_ops do not include verify"),
        (public_jwk("RS256", "a", alg="RS512"), "it is for 'RS512'; allowed: RS256, ES256, EdDSA"),
        (public_jwk("RS256", "a", alg="HS256"), "it is for 'HS256'"),
        (public_jwk("RS256", "a", kid=5), "kid is not a string"),
        (public_jwk("RS256", "a", n=5), "it is no RS256 key"),
        (public_jwk("RS256", "a", n=None), "it is no RS256 key"),
        (public_jwk("ES256", "a", crv="P-384"), "its type 'EC' on curve 'P-384' is not supported"),
        (public_jwk("ES256", "a", x="A" * 43), "it is no ES256 key"),
        (public_jwk("EdDSA", "a", x="AAAA"), "it is no EdDSA key"),
        ({"kty": "quantum"}, "its type 'quantum' is not supported"),
        ({}, "its type None is not supported"),
        ("a string", "it is not an object"),
    ],
)
def test_unusable_key_is_left_out_with_its_reason(jwk: Any, reason: str) -> None:
    """One bad key is named and left out; the good one beside it stays."""
    document = parse_key_set(key_set(jwk, public_jwk("ES256", "good")), PUBLIC_ALGORITHMS)
    assert [key.kid for key in document.keys] == ["good"]
    assert len(document.ignored) == 1
    assert reason in document.ignored[0]


def test_weak_key_is_left_out() -> None:
    """An RSA key under 2048 bits is no key."""
    weak = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)  # noqa: S505 - the point
    document = parse_key_set(key_set(weak), PUBLIC_ALGORITHMS)
    assert document.keys == ()
    assert "1024 bits" in document.ignored[0]


def test_algorithms_are_pinned() -> None:
    """A good key for an algorithm that is not configured is left out."""
    document = parse_key_set(key_set(public_jwk("RS256", "a"), public_jwk("ES256", "b")), ("ES256",))
    assert [key.kid for key in document.keys] == ["b"]
    assert "it is for 'RS256'; allowed: ES256" in document.ignored[0]


def test_second_key_with_the_same_id_is_left_out() -> None:
    """An id names one key of a kind; keys of different kinds may share it."""
    keys = [
        public_jwk(algorithm, name, kid="k") for algorithm, name in [("ES256", "a"), ("ES256", "b"), ("EdDSA", "a")]
    ]
    document = parse_key_set(key_set(*keys), PUBLIC_ALGORITHMS)
    assert [key.algorithm for key in document.keys] == ["ES256", "EdDSA"]
    assert document.ignored == ("key 1 (kid 'k'): another key of the set has the same kid",)


def test_key_is_known_by_its_material() -> None:
    """An id that is given to another key makes another key; the same key again is the same."""
    first, again, other = (
        parse_key_set(key_set(public_jwk("ES256", name, kid="k")), PUBLIC_ALGORITHMS).keys[0]
        for name in ("a", "a", "b")
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"\xff\xfe", b"[]", b"null", b"{}", b'{"keys":{}}', b"[" * 100_000, b"9" * 5000]
)
def test_document_that_is_no_key_set_is_refused(document: bytes) -> None:
    """Anything but an object with a list of keys is an error as a whole."""
    with pytest.raises(KeySetError, match="the JWK set is not"):
        parse_key_set(document, PUBLIC_ALGORITHMS)


@pytest.mark.untraced
@given(st.lists(st.dictionaries(members, real_values | json_values) | json_values))
def test_any_key_is_used_or_left_out(keys: list[object]) -> None:
    """Whatever stands in the list, each entry is either a key or named with its reason."""
    document = parse_key_set(json.dumps({"keys": keys}).encode(), PUBLIC_ALGORITHMS)
    assert len(document.keys) + len(document.ignored) == len(keys)
