"""Those who send: each message with a key, and again with the same key until there is an answer."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count, cycle

from tests.faults.oracle import Acknowledgement, Journal
from tests.faults.people import Person

_SEND = """mutation ($input: SendMessageInput!) {
    sendMessage(input: $input) { message { seq } errors { __typename } } }"""


class Writer:
    """Sends to the conversations in turn, one message after the other."""

    def __init__(self, person: Person, conversations: Sequence[str], journal: Journal, padding: str = "") -> None:
        """`padding` makes the messages longer."""
        self.person = person
        self._conversations = cycle(conversations)
        self._journal = journal
        self._padding = padding
        self._numbers = count(1)

    async def run(self, stopping: asyncio.Event, pause: float) -> None:
        """Send, with a pause after each message, and end with an answer."""
        while not stopping.is_set():
            await self.send(next(self._conversations))
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)

    async def send(self, conversation: str) -> None:
        key = f"{self.person.handle}/{next(self._numbers)}"
        self._journal.begun[key] = time.monotonic()
        content = {"to": {"conversationId": conversation}, "body": key + self._padding, "clientMessageId": key}
        answer = (await self.person.ask(_SEND, input=content))["sendMessage"]
        assert answer["errors"] == []
        self._journal.acknowledged[key] = Acknowledgement(conversation, answer["message"]["seq"], time.monotonic())
