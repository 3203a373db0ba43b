"""People in a scenario: what each of them does, and what each of them hears."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.flow.client import PATIENCE, Client, Json, Socket

# The inputs that are not called as their mutation is.
_INPUTS = {
    "addReaction": "ReactionInput",
    "removeReaction": "ReactionInput",
    "unpinMessage": "PinMessageInput",
    "unblockUser": "BlockUserInput",
}
# Told of state and not of the log: how many there are depends on how fast who reads.
_STATE = {"ReceiptChanged", "TypingChanged"}
_HEAR = """
    subscription ($after: String) { viewerEvents(after: $after) {
        __typename cursor
        actor { handle }
        conversation { id displayTitle }
        ... on MessageSent { message { ...Heard } }
        ... on MessageEdited { message { ...Heard } }
        ... on MessageDeleted { message { ...Heard } }
        ... on ReactionsChanged { message { ...Heard } }
        ... on ParticipantsChanged { added { user { handle } role } removed { handle } }
        ... on ViewerStateChanged { state { isArchived isPinned mutedUntil unreadFromSeq unreadCount } }
    } }
    fragment Heard on Message {
        id seq kind body bodyHtml deletedAt warning sender { handle }
        replyTo { seq body } mentions { handle } attachments { filename }
        reactions { emoji count viewerHasReacted }
    }
"""


@dataclass(eq=False)
class Person:
    client: Client
    id: str
    socket: Socket
    _events: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)
    _states: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)

    async def ask(self, query: str, /, **variables: object) -> Json:
        return await self.client.run(query, **variables)

    async def do(self, mutation: str, fields: str = "", /, **given: object) -> Json:
        """The payload of a mutation that has no errors."""
        payload = await self._mutate(mutation, fields, given)
        assert payload["errors"] == [], payload
        return payload

    async def refused(self, mutation: str, /, **given: object) -> list[str]:
        """The codes of a mutation that does nothing."""
        payload = await self._mutate(mutation, "", given)
        return [error["code"] for error in payload["errors"]]

    async def hears(self, *kinds: str) -> list[Json]:
        """The next events, which are of these types, in this order."""
        found: list[Json] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < len(kinds):
                found.append(await self._events.get())
        assert [event["__typename"] for event in found] == list(kinds), found
        return found

    async def hears_state(self, **expected: object) -> None:
        """Of their own side of a conversation, as it is expected to be: soon, perhaps more than once, which is no matter."""
        async with asyncio.timeout(PATIENCE):
            while True:
                state = await self._states.get()
                if state | expected == state:
                    return

    def heard_all(self) -> None:
        """Nothing was told that was not asked about."""
        assert self._events.empty(), self._events

    async def _mutate(self, mutation: str, fields: str, given: dict[str, Any]) -> Json:
        input_type = _INPUTS.get(mutation, mutation[0].upper() + mutation[1:] + "Input")
        data = await self.client.run(
            f"mutation ($input: {input_type}!) {{ {mutation}(input: $input) "
            f"{{ {fields} errors {{ __typename ... on UserError {{ code message path }} }} }} }}",
            input=given,
        )
        payload: Json = data[mutation]
        return payload

    async def _listen(self, operation: str) -> None:
        while True:
            message = await self.socket.receive_whenever()
            assert (message["type"], message["id"]) == ("next", operation), message
            assert "errors" not in message["payload"], message
            event = message["payload"]["data"]["viewerEvents"]
            if event["__typename"] == "ViewerStateChanged":
                self._states.put_nowait(event["state"])
            elif event["__typename"] not in _STATE:
                self._events.put_nowait(event)


@asynccontextmanager
async def present(*clients: Client) -> AsyncIterator[list[Person]]:
    """These people, each with a socket on which they hear of everything from now on."""
    async with AsyncExitStack() as stack:
        people = []
        for client in clients:
            data = await client.run("{ viewer { user { id } eventCursor } }")
            person = Person(client, data["viewer"]["user"]["id"], await stack.enter_async_context(client.socket()))
            operation = await person.socket.subscribe(_HEAR, after=data["viewer"]["eventCursor"])
            task = asyncio.create_task(person._listen(operation))
            stack.push_async_callback(_stop, task)
            people.append(person)
        yield people


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
