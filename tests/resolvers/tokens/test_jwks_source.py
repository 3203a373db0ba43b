"""Where key sets come from: what an address or a file may answer, and what is said of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from resolvers.tokens import (
    KeyConfigurationError,
    KeySetError,
    KeysUnavailableError,
    Verifier,
)
from resolvers.tokens.jwks import KeySet
from tests.resolvers.tokens.issuer import Clock, JwksServer, key_set, public_jwk, refusal, token

A, B = (public_jwk("ES256", name) for name in "ab")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"body": b"<html>"}, "the JWK set is not JSON"),
        ({"body": b'{"keys":[' + b" " * 300_000 + b"]}"}, "larger than 256 KiB"),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}, "HTTP 302"),
        ({"headers": {"Content-Encoding": "gzip"}}, "compressed though it was asked not to be"),
        ({"headers": {"Content-Length": "100000"}}, "RemoteProtocolError"),
        ({"body": key_set()}, "it has no usable key"),
        ({"body": key_set({**A, "use": "enc"})}, r"it has no usable key; key 0 \(kid 'a'\): its use is 'enc'"),
    ],
)
async def test_unusable_answer_is_explained(
    server: JwksServer, verifier: Verifier, answer: dict[str, Any], reason: str
) -> None:
    """Loading at start says which source fails and why."""
    for name, value in answer.items():
        setattr(server, name, value)
    with pytest.raises(KeySetError, match=reason):
        await verifier.load()


async def test_silent_source_is_given_up(server: JwksServer) -> None:
    """A source that takes the connection and never answers is an error after the timeout."""
    server.may_answer.clear()
    impatient = Verifier(jwks_url=server.url, timeout=0.05)
    async with asyncio.timeout(5):  # ends the test, should the verifier's own timeout not
        with pytest.raises(KeySetError, match=r"no complete answer within 0\.05 s"):
            await impatient.load()


async def test_empty_key_set_withdraws_all_keys(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """A valid set without keys is no outage but a revocation: nothing verifies, and the log says so loudly."""
    await verifier.verify(token())
    server.body = key_set()
    clock.now += 300
    with capture_logs() as logs, pytest.raises(KeysUnavailableError):
        await verifier.verify(token())
    assert logs == [
        {
            "event": "token keys read",
            "log_level": "error",
            "source": server.url,
            "keys": 0,
            "added": [],
            "removed": ["'a'"],
        }
    ]


async def test_ignored_key_is_logged_once(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """A key that is left out is named when it appears, not at every refresh."""
    server.body = key_set(A, {**B, "use": "enc"})
    with capture_logs() as logs:
        await verifier.verify(token())
        clock.now += 300
        await verifier.verify(token())
    assert [(entry["event"], entry.get("reason")) for entry in logs] == [
        ("token key ignored", "key 1 (kid 'b'): its use is 'enc', not signatures"),
        ("token keys read", None),
    ]


async def test_closing_ends_a_running_refresh(server: JwksServer, verifier: Verifier, clock: Clock) -> None:
    """A server that stops does not wait for its source of keys."""
    await verifier.verify(token())
    server.may_answer.clear()
    server.asked.clear()
    clock.now += 150
    await verifier.verify(token())
    await server.next_request()
    await verifier.aclose()
    assert isinstance(verifier._keys, KeySet)
    assert verifier._keys._refreshing is not None
    assert verifier._keys._refreshing.cancelled()


async def test_file_is_read_again_after_rotation(tmp_path: Path, clock: Clock) -> None:
    """A key set file that is replaced rotates the keys without a restart."""
    file = tmp_path / "jwks.json"
    file.write_bytes(key_set(A))
    verifier = Verifier(jwks_file=file, clock=clock, monotonic=clock)
    await verifier.load()
    assert (await verifier.verify(token())).handle == "ada"
    file.write_bytes(key_set(B))
    clock.now += 10
    assert (await verifier.verify(token("b"))).handle == "ada"
    assert "unknown key id 'a'" in await refusal(verifier, token())


@pytest.mark.parametrize(("content", "reason"), [(None, "FileNotFoundError"), (b" " * 300_000, "larger than 256 KiB")])
async def test_bad_file_is_explained(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """Loading says which file cannot be used and why."""
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeySetError, match=rf"{file} cannot be used: .*{reason}"):
        await Verifier(jwks_file=file).load()


@pytest.mark.parametrize(
    "url", ["", "login.example/jwks", "ftp://login.example/jwks", "https://", "http://a:b/", "\ud800"]
)
def test_bad_url_is_a_configuration_error(url: str) -> None:
    """What is no http(s) URL is refused before anything starts."""
    with pytest.raises(KeyConfigurationError, match="The URL of the JWK set"):
        Verifier(jwks_url=url)


def test_credentials_in_the_url_stay_out_of_the_log() -> None:
    """The name of a source has neither user, password nor query."""
    verifier = Verifier(jwks_url="https://user:password@login.example/jwks?key=secret#part")
    assert isinstance(verifier._keys, KeySet)
    assert verifier._keys._source.name == "https://login.example/jwks"


def test_plain_http_elsewhere_is_warned_about() -> None:
    """Keys over plain http from another machine can be replaced on the way; the log says so."""
    with capture_logs() as logs:
        Verifier(jwks_url="http://login.example/jwks")
        Verifier(jwks_url="http://localhost/jwks")
        Verifier(jwks_url="https://login.example/jwks")
    assert [(entry["event"], entry["host"]) for entry in logs] == [("token keys unprotected", "login.example")]
