"""An application that issues tokens: its keys, its clock, and the loopback server that publishes its JWK set."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from resolvers.tokens import InvalidTokenError, Verifier

SECRET = "correct horse battery staple, and then some"
NOW = 1_763_665_200.0  # 2025-11-20T19:00:00Z

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass
class Clock:
    """Unix time and monotonic time alike; moves only when told."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@cache
def private_key(algorithm: str, name: str) -> PrivateKey:
    """A key pair, made once per test run; `name` tells several of one algorithm apart."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else ed25519.Ed25519PrivateKey.generate()


def public_jwk(algorithm: str, name: str, **members: object) -> dict[str, Any]:
    """The published half, with `kid` = name; a member given as None is left out."""
    key: Any = private_key(algorithm, name).public_key()
    kinds: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
    jwk = {**kinds[algorithm].to_jwk(key, as_dict=True), "kid": name, "use": "sig", "alg": algorithm, **members}
    return {member: value for member, value in jwk.items() if value is not None}


def key_set(*keys: Mapping[str, object]) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(**changed: object) -> dict[str, object]:
    """Good claims for an hour; a claim given as None is left out."""
    good = {"sub": "ada", "exp": int(NOW) + 3600, "iat": int(NOW), **changed}
    return {claim: value for claim, value in good.items() if value is not None}


def signed(algorithm: str, name: str, *, kid: str | None = "", **changed: object) -> str:
    """A token signed with that private key; `kid` is its name unless given, None leaves it out."""
    header = {} if kid is None else {"kid": kid or name}
    return jwt.encode(claims(**changed), private_key(algorithm, name), algorithm, headers=header)


def shared(secret: str = SECRET, **changed: object) -> str:
    """A token signed with the shared secret."""
    return jwt.encode(claims(**changed), secret, "HS256")


@dataclass
class JwksServer:
    """A real HTTP server on the loopback address that publishes `body`, and counts how often it was asked."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/jwks.json"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve, on the same port if it ran before. It answers at once unless `may_answer` is cleared."""
        self.may_answer.set()
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.may_answer.set()
            server.close()
            await server.wait_closed()

    async def next_request(self) -> None:
        """Wait until it is asked; an error, not a hang, where nobody asks."""
        async with asyncio.timeout(5):
            await self.asked.wait()
        self.asked.clear()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            self.asked.set()
            await self.may_answer.wait()
            headers = {"Content-Length": str(len(self.body)), "Connection": "close", **self.headers}
            lines = [f"HTTP/1.1 {self.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode() + self.body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client gave up, which some tests are about
        finally:
            writer.close()


@cache
def token(name: str = "a", **changed: Any) -> str:
    """The same text for the same arguments, though each ES256 signature differs: memory knows a token by its text."""
    return signed("ES256", name, exp=NOW + 86_400, **changed)


async def refusal(verifier: Verifier, refused: str) -> str:
    """What the verifier says of a token that it refuses."""
    with pytest.raises(InvalidTokenError) as caught:
        await verifier.verify(refused)
    return str(caught.value)
