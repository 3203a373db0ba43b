"""An issuer on loopback, and a verifier that asks it."""

from collections.abc import AsyncIterator

import pytest

from resolvers.tokens import (
    Verifier,
)
from tests.resolvers.tokens.issuer import Clock, JwksServer, key_set, public_jwk

A = public_jwk("ES256", "a")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server() -> AsyncIterator[JwksServer]:
    """Publishes key a."""
    async with JwksServer(key_set(A)).running() as running:
        yield running


@pytest.fixture
async def verifier(server: JwksServer, clock: Clock) -> AsyncIterator[Verifier]:
    """Refreshes every 300 seconds, and at most every 10."""
    made = Verifier(jwks_url=server.url, clock=clock, monotonic=clock)
    yield made
    await made.aclose()
