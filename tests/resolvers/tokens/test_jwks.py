"""Tokens checked with a JWK set that is really fetched: rotation, outage, refusal, and how often the source is asked."""

import asyncio
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from resolvers.tokens import (
    KeySetError,
    KeysUnavailableError,
    Verifier,
)
from resolvers.tokens.jwks import KeySet
from tests.resolvers.tokens.issuer import (
    NOW,
    Clock,
    JwksServer,
    claims,
    key_set,
    private_key,
    public_jwk,
    refusal,
    signed,
    token,
)

A, B = (public_jwk("ES256", name) for name in "ab")
EVERY_KIND = [("RS256", "a"), ("ES256", "a"), ("EdDSA", "a")]


async def refreshed(verifier: Verifier) -> None:
    """Wait for the refresh that runs in the background."""
    assert isinstance(verifier._keys, KeySet)
    assert verifier._keys._refreshing is not None
    await verifier._keys._refreshing


@pytest.mark.parametrize(("algorithm", "name"), EVERY_KIND)
async def test_each_algorithm_verifies(server: JwksServer, verifier: Verifier, algorithm: str, name: str) -> None:
    """RS256, ES256 and EdDSA tokens are checked with the published key of that kind, even where all share one id."""
    server.body = key_set(*(public_jwk(*kind) for kind in EVERY_KIND))
    assert (await verifier.verify(signed(algorithm, name))).handle == "ada"
    assert "signature is wrong" in await refusal(verifier, signed(algorithm, "forger", kid=name))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_public_key_is_never_a_secret(server: JwksServer, verifier: Verifier, algorithm: str) -> None:
    """An HS256 token made with the published key as its secret, in any encoding, is refused."""
    public: Any = private_key(algorithm, "a").public_key()
    server.body = key_set(public_jwk(algorithm, "a"))
    spellings = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public_jwk(algorithm, "a")).encode(),
    ]
    for octets in spellings:
        secret = jwt.PyJWK({"kty": "oct", "k": jwt.utils.base64url_encode(octets).decode()}, "HS256")
        header = jwt.utils.base64url_encode(b'{"alg":"HS256","kid":"a"}')
        signing_input = header + b"." + jwt.utils.base64url_encode(json.dumps(claims()).encode())
        signature = jwt.utils.base64url_encode(secret.Algorithm.sign(signing_input, secret.key))
        assert "'HS256' (alg) is not allowed" in await refusal(verifier, (signing_input + b"." + signature).decode())


async def test_algorithm_must_be_the_keys_own(verifier: Verifier) -> None:
    """A token of another allowed algorithm than that of the key it names is refused."""
    assert "says alg EdDSA, but the key 'a' is for ES256" in await refusal(verifier, signed("EdDSA", "a"))


async def test_pinned_algorithm_excludes_a_published_key(server: JwksServer) -> None:
    """A key that is published but not configured does not count."""
    server.body = key_set(*(public_jwk(*kind) for kind in EVERY_KIND))
    pinned = Verifier(jwks_url=server.url, algorithms=["RS256"], clock=Clock())
    assert (await pinned.verify(signed("RS256", "a"))).handle == "ada"
    assert "'ES256' (alg) is not allowed; allowed: RS256." in await refusal(pinned, token())


async def test_key_id_may_be_missing_where_there_is_no_choice(server: JwksServer, verifier: Verifier) -> None:
    """A token without kid is checked with the only key of its algorithm, and refused where there are two."""
    server.body = key_set({**A, "kid": "whatever"}, public_jwk("RS256", "a"))
    assert (await verifier.verify(token(kid=None))).handle == "ada"
    several = Verifier(jwks_url=server.url, clock=Clock())
    server.body = key_set(A, B)
    assert "has no key id (kid)" in await refusal(several, token(kid=None))


async def test_fresh_keys_are_not_asked_for_again(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """The first token fetches the keys; others use them, and no request leaves until half the refresh interval is over."""
    for handle in ("ada", "grace", "ada"):
        await verifier.verify(token(sub=handle))
    clock.now += 149
    await verifier.verify(token(sub="linus"))
    assert server.requests == 1


async def test_keys_are_refreshed_beside_the_work(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """After half the interval a refresh runs while tokens verify without waiting for it."""
    await verifier.verify(token())
    server.may_answer.clear()
    server.asked.clear()
    clock.now += 150
    assert (await verifier.verify(token())).handle == "ada"
    await server.next_request()
    assert (await verifier.verify(token(sub="grace"))).handle == "grace"
    server.may_answer.set()
    await refreshed(verifier)
    clock.now += 149
    await verifier.verify(token())
    assert server.requests == 2


async def test_new_key_is_fetched_when_a_token_names_it(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """After a rotation the first token with the new key causes one refresh and verifies."""
    await verifier.verify(token())
    server.body = key_set(A, B)
    clock.now += 10
    assert (await verifier.verify(token("b"))).handle == "ada"
    assert (await verifier.verify(token())).handle == "ada"
    assert server.requests == 2


async def test_unknown_keys_do_not_flood_the_source(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """However many unknown ids come, the source is asked at most once per retry interval."""
    await verifier.verify(token())
    for second in range(20):
        clock.now = NOW + second
        assert "unknown key id" in await refusal(verifier, token("b", kid=f"made up {second}"))
    assert server.requests == 2


async def test_unknown_key_is_explained(verifier: Verifier) -> None:
    """The message names the unknown id and the known ones."""
    assert "names the unknown key id 'b'; the key set has 'a'." in await refusal(verifier, token("b"))


async def test_concurrent_tokens_share_one_fetch(server: JwksServer, verifier: Verifier) -> None:
    """Fifty first tokens at once ask the source once."""
    found = await asyncio.gather(*(verifier.verify(token(sub=f"user {number}")) for number in range(50)))
    assert [one.handle for one in found] == [f"user {number}" for number in range(50)]
    assert server.requests == 1


@pytest.mark.parametrize("known", [False, True])
async def test_caller_that_goes_away_does_not_end_the_fetch(
    server: JwksServer, verifier: Verifier, clock: Clock, known: bool
) -> None:
    """A cancelled request leaves the refresh it started to the others, be it for the first keys or for a new one."""
    if known:
        await verifier.verify(token())
        clock.now += 10
    server.body = key_set(A, B)
    server.asked.clear()
    server.may_answer.clear()
    first = asyncio.create_task(verifier.verify(token("b")))
    await server.next_request()
    second = asyncio.create_task(verifier.verify(token("b", sub="grace")))
    first.cancel()
    server.may_answer.set()
    assert (await second).handle == "grace"
    assert server.requests == 1 + known


async def test_removed_key_stops_within_the_refresh_interval(
    server: JwksServer, verifier: Verifier, clock: Clock
) -> None:
    """A remembered token of a removed key verifies no longer than one refresh interval, though it has not expired."""
    await verifier.verify(token())
    server.body = key_set(B)
    clock.now += 300
    assert "names the unknown key id 'a'; the key set has 'b'" in await refusal(verifier, token())


async def test_what_is_recalled_leaves_no_refresh_out(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """A remembered token is answered for without waiting while nothing is due, and not by a key that is gone."""
    claims = await verifier.verify(token())
    clock.now += 149
    assert verifier.recall(token().encode()) is claims
    clock.now += 1
    assert verifier.recall(token().encode()) is None
    await verifier.verify(token())
    await refreshed(verifier)
    assert verifier.recall(token().encode()) is claims
    server.body = key_set(B)
    clock.now += 150
    await verifier.verify(token())
    await refreshed(verifier)
    assert verifier.recall(token().encode()) is None


async def test_key_id_given_to_another_key_ends_old_tokens(
    server: JwksServer, verifier: Verifier, clock: Clock
) -> None:
    """Replacing the key behind an id counts as removing the old one."""
    await verifier.verify(token())
    server.body = key_set({**B, "kid": "a"})
    clock.now += 300
    assert "signature is wrong" in await refusal(verifier, token())


async def test_remembered_token_survives_a_refresh_that_changes_nothing(
    server: JwksServer, verifier: Verifier, clock: Clock
) -> None:
    """Keys that come again are the same keys: what was verified with them stays remembered."""
    before = await verifier.verify(token())
    clock.now += 300
    assert await verifier.verify(token()) is before
    assert server.requests == 2


async def test_outage_keeps_the_keys_and_is_logged(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """While the source fails the old keys serve on, each failure is in the log, and recovery brings the new keys."""
    await verifier.verify(token())
    server.status = 503
    clock.now += 300
    with capture_logs() as logs:
        assert (await verifier.verify(token(sub="grace"))).handle == "grace"
    assert logs == [
        {
            "event": "token keys not refreshed",
            "log_level": "error",
            "source": server.url,
            "reason": "the answer is HTTP 503, not 200",
            "keys_kept": 1,
        }
    ]
    server.status, server.body = 200, key_set(B)
    clock.now += 20
    assert "unknown key id 'a'" in await refusal(verifier, token())


async def test_nobody_waits_for_a_source_that_is_down(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """After a failed refresh the next one runs beside the work, at most every retry interval."""
    await verifier.verify(token())
    server.status = 503
    clock.now += 300
    await verifier.verify(token())
    server.may_answer.clear()
    server.asked.clear()
    for _ in range(3):
        clock.now += 5
        assert (await verifier.verify(token())).handle == "ada"
    await server.next_request()
    assert isinstance(verifier._keys, KeySet)
    assert verifier._keys._refreshing is not None
    assert (server.requests, verifier._keys._refreshing.done()) == (3, False)
    server.may_answer.set()
    await refreshed(verifier)


async def test_source_that_is_gone_keeps_the_keys(clock: Clock) -> None:
    """A refused connection is an outage like any other."""
    server = JwksServer(key_set(A))
    async with server.running():
        verifier = Verifier(jwks_url=server.url, clock=clock, monotonic=clock)
        await verifier.verify(token())
    clock.now += 300
    with capture_logs() as logs:
        assert (await verifier.verify(token())).handle == "ada"
    assert logs[0]["reason"].startswith("ConnectError")


async def test_keys_are_fetched_once_the_source_is_up(clock: Clock) -> None:
    """Started before its source, a verifier says that keys are missing, and recovers by itself."""
    server = JwksServer(key_set(A))
    async with server.running():
        verifier = Verifier(jwks_url=server.url, clock=clock, monotonic=clock)
    with pytest.raises(KeySetError, match=rf"{server.url} cannot be used: ConnectError"):
        await verifier.load()
    with pytest.raises(KeysUnavailableError, match="no keys to check tokens with"):
        await verifier.verify(token())
    async with server.running():
        clock.now += 10
        assert (await verifier.verify(token())).handle == "ada"
