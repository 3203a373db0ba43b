"""A client of a running Parley, as a frontend team would write one: HTTP with a token, and graphql-transport-ws."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import jwt
import websockets
from websockets.asyncio.client import ClientConnection

from resolvers import tokens

SECRET = "a secret for tests that is long enough"
PATIENCE = 15.0  # seconds until a test that waits for an event has failed

Json = dict[str, Any]


def signed(claims: Json, secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A token with any claims at all, such as the server itself would never make."""
    return jwt.encode(claims, secret, algorithm=algorithm)


@dataclass(eq=False)
class Client:
    """What one user sees."""

    http: httpx.AsyncClient
    handle: str
    token: str

    async def post(self, query: str, /, **variables: object) -> Json:
        """The whole answer."""
        response = await self.http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        answer: Json = response.json()
        return answer

    async def run(self, query: str, /, **variables: object) -> Json:
        """The data of an answer without errors."""
        answer = await self.post(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: Json = answer["data"]
        return data

    async def id(self) -> str:
        """The user's own id; the first call makes the user known to the server."""
        data = await self.run("{ viewer { user { id } } }")
        found: str = data["viewer"]["user"]["id"]
        return found

    async def start(self, *others: "Client", **more: object) -> str:
        """Start a conversation (a direct one with a single other and no title); returns its id."""
        data = await self.run(
            "mutation ($input: StartConversationInput!) { startConversation(input: $input) "
            "{ conversation { id } errors { ... on UserError { message } } } }",
            input={"participantIds": [await other.id() for other in others], **more},
        )
        assert data["startConversation"]["errors"] == []
        found: str = data["startConversation"]["conversation"]["id"]
        return found

    async def send(self, conversation: str, body: str, **more: object) -> Json:
        """Send a message; returns the payload, errors included."""
        data = await self.run(
            "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { deduplicated "
            "message { id seq body } errors { __typename ... on UserError { code message path } } } }",
            input={"to": {"conversationId": conversation}, "body": body, **more},
        )
        payload: Json = data["sendMessage"]
        return payload

    async def send_all(self, conversation: str, *bodies: str) -> None:
        """Send messages, one after the other, in one request."""
        names = [f"m{number}" for number in range(len(bodies))]
        data = await self.run(
            f"mutation ({', '.join(f'${name}: SendMessageInput!' for name in names)}) {{ "
            + " ".join(f"{name}: sendMessage(input: ${name}) {{ errors {{ __typename }} }}" for name in names)
            + " }",
            **{
                name: {"to": {"conversationId": conversation}, "body": body}
                for name, body in zip(names, bodies, strict=True)
            },
        )
        assert data == {name: {"errors": []} for name in names}

    @asynccontextmanager
    async def socket(self) -> AsyncIterator["Socket"]:
        """An acknowledged websocket."""
        url = str(self.http.base_url).replace("http", "ws") + "/graphql"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as raw:
            socket = Socket(raw)
            await socket.send(type="connection_init", payload={"Authorization": f"Bearer {self.token}"})
            assert await socket.receive() == {"type": "connection_ack"}
            yield socket


@dataclass(eq=False)
class Socket:
    """graphql-transport-ws, one message at a time."""

    raw: ClientConnection
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def send(self, **message: object) -> None:
        await self.raw.send(json.dumps(message))

    async def receive(self) -> Json:
        async with asyncio.timeout(PATIENCE):
            message: Json = json.loads(await self.raw.recv())
            return message

    async def receive_whenever(self) -> Json:
        """The next message, however long it takes."""
        message: Json = json.loads(await self.raw.recv())
        return message

    async def subscribe(self, query: str, **variables: object) -> str:
        """Begin an operation; returns its id."""
        operation = str(next(self._ids))
        await self.send(type="subscribe", id=operation, payload={"query": query, "variables": variables})
        return operation

    async def next(self, operation: str) -> Json:
        """The data of the operation's next result."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", operation), message
        assert "errors" not in message["payload"], message
        data: Json = message["payload"]["data"]
        return data


@dataclass(eq=False)
class Parley:
    """A running server."""

    url: str
    http: httpx.AsyncClient
    database_url: str
    statements: list[str] = field(default_factory=list)
    """Every statement it has run."""
    suffix: str = ""
    """Behind every handle: where tests share a server, each has people of its own."""

    def user(self, handle: str, **claims: Any) -> Client:
        handle += self.suffix
        token = tokens.mint(SECRET, handle, lifetime=claims.pop("lifetime", timedelta(hours=1)), **claims)
        return Client(self.http, handle, token)
