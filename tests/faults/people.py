"""Users who do not give up: what is not answered is asked again."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from typing import Any

import httpx

from resolvers import tokens
from tests.flow.client import SECRET

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before another attempt; the last one for ever. Short, for what is measured is the server's patience."""

TIMEOUT = 2.0
"""Seconds after which an answer is taken for lost."""

_START = """mutation ($input: StartConversationInput!) {
    startConversation(input: $input) { conversation { id } errors { __typename } } }"""
_PAGE = """query ($id: ID!, $after: String) { conversation(id: $id) { messages(first: 100, after: $after) {
    nodes { seq clientMessageId } pageInfo { hasNextPage endCursor } } } }"""


@dataclass(eq=False)
class Person:
    """A user who asks the servers in turn: the next one whenever one fails."""

    http: httpx.AsyncClient
    handle: str
    addresses: Sequence[str]
    """Servers, as http://host:port."""
    troubles: Counter[str] = field(default_factory=Counter)
    """What the person went through and may expect under a fault."""
    complaints: Counter[str] = field(default_factory=Counter)
    """Answers that no fault excuses."""

    def __post_init__(self) -> None:
        self.token = tokens.mint(SECRET, self.handle, lifetime=timedelta(hours=1))
        self._servers = cycle(self.addresses)
        self._server = next(self._servers)

    def next_server(self) -> str:
        """The server to turn to now."""
        self._server = next(self._servers)
        return self._server

    async def ask(self, query: str, /, **variables: object) -> Any:
        """The data of an answer; asked until there is one."""
        attempt = 0
        while True:
            data = await self._try(query, variables)
            if data is not None:
                return data
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1
            self.next_server()

    async def id(self) -> str:
        found: str = (await self.ask("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
        return found

    async def start(self, title: str, others: Sequence[str]) -> str:
        """Start a conversation with these users; returns its id."""
        answer = (await self.ask(_START, input={"participantIds": others, "title": title}))["startConversation"]
        assert answer["errors"] == []
        found: str = answer["conversation"]["id"]
        return found

    async def history(self, conversation: str) -> list[tuple[int, str]]:
        """All messages, page by page: seq and key."""
        found: list[tuple[int, str]] = []
        after = None
        while True:
            page = (await self.ask(_PAGE, id=conversation, after=after))["conversation"]["messages"]
            found += [(message["seq"], message["clientMessageId"]) for message in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    async def _try(self, query: str, variables: dict[str, object]) -> Any:
        try:
            response = await self.http.post(
                f"{self._server}/graphql",
                json={"query": query, "variables": variables},
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=TIMEOUT,
            )
        except httpx.TransportError as error:
            self.troubles[type(error).__name__] += 1
            return None
        answer = response.json()
        if "errors" not in answer:
            return answer["data"]
        self.trouble(answer["errors"])
        return None

    def trouble(self, errors: Sequence[Any]) -> None:
        """Note errors of an answer: a database that is away excuses UNAVAILABLE, nothing excuses another."""
        for error in errors:
            code = error.get("extensions", {}).get("code")
            if code == "UNAVAILABLE":
                self.troubles[code] += 1
            else:
                self.complaints[f"{code}: {error['message']}"] += 1
