"""People and conversations on a running Parley, and what they send and follow."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from bench.load import Sending, Subscription, Target
from bench.peers import SECRET
from bench.wire import STAMP
from resolvers import tokens

BODY = f"{STAMP} A message of the usual length: somebody asks whether the two lamps are still there."

FOLLOW = """subscription Follow($id: ID!) {
  conversationEvents(conversationId: $id) {
    __typename
    cursor
    ... on MessageSent { message { id seq body createdAt sender { id name } } }
  }
}"""

PROOF = '"errors":[]'
"""What the answer to a good `send` holds."""

_SEND = """mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id seq } errors { __typename } }
}"""
_VIEWER = "{ viewer { user { id } } }"
_START = """mutation Start($input: StartConversationInput!) {
  startConversation(input: $input) { conversation { id } errors { __typename } }
}"""
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    token: str


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    members: Sequence[Person]
    """The one who started it first."""

    def subscriptions(self, most: int | None = None) -> list[Subscription]:
        """One for each member."""
        operation: dict[str, object] = {"query": FOLLOW, "variables": {"id": self.id}}
        return [Subscription(self.id, member.token, operation) for member in self.members[:most]]

    def target(self, sender: int = 0) -> Target:
        """Sends to it, in the name of one of its members; each message with a key of its own, as clients should."""
        content = {"to": {"conversationId": self.id}, "body": BODY, "clientMessageId": STAMP}
        asked = {"query": _SEND, "variables": {"input": content}}
        return Target(self.id, post("/graphql", json.dumps(asked), self.members[sender].token))


def sending(conversations: Sequence[Conversation], **more: Any) -> Sending:  # noqa: ANN401  (Sending's own)
    """The first member of each sends to it, one conversation after the other."""
    return Sending([conversation.target() for conversation in conversations], PROOF, **more)


def post(path: str, body: str, token: str | None = None) -> str:
    """A whole HTTP request."""
    heads = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    heads += [f"Content-Length: {len(body.encode())}", *([f"Authorization: Bearer {token}"] if token else [])]
    return "\r\n".join([*heads, "", body])


def people(port: int, count: int, prefix: str = "person") -> list[Person]:
    """New users, known to the server by their tokens."""
    handles = [f"{prefix}{number}" for number in range(count)]
    minted = [tokens.mint(SECRET, each, name=each.title(), lifetime=timedelta(hours=12)) for each in handles]
    answers = asyncio.run(_ask(port, [(token, {"query": _VIEWER}) for token in minted]))
    ids = [answer["viewer"]["user"]["id"] for answer in answers]
    return [Person(*each) for each in zip(ids, minted, strict=True)]


def groups(port: int, memberships: Sequence[Sequence[Person]]) -> list[Conversation]:
    """New group conversations of these people."""
    asked: list[tuple[str, dict[str, object]]] = []
    for first, *others in memberships:
        content = {"participantIds": [other.id for other in others], "title": "Two lamps"}
        asked.append((first.token, {"query": _START, "variables": {"input": content}}))
    answers = asyncio.run(_ask(port, asked))
    ids = [answer["startConversation"]["conversation"]["id"] for answer in answers]
    return [Conversation(*each) for each in zip(ids, memberships, strict=True)]


async def _ask(port: int, asked: Sequence[tuple[str, dict[str, object]]]) -> list[Any]:
    """The data of every answer, in order."""
    limit = asyncio.Semaphore(_AT_A_TIME)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as http:

        async def one(token: str, body: dict[str, object]) -> Any:  # noqa: ANN401  (JSON)
            async with limit:
                answer = (await http.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})).json()
                return answer["data"]

        return await asyncio.gather(*(one(*each) for each in asked))
