"""Clients that others wrote, through kill -9 of the server: graphql-ws in Node, and the GraphiQL page in a real browser.

Grace sends all the time while the server is killed and started again; the client (browser/follow.mjs, browser/reconnect.mjs)
tells what it saw. Needs what test_browser.py needs, under the same rule. BROWSER_SHOTS=FOLDER keeps the screenshots.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.flow.client import Client, Json
from tests.flow.test_browser import CHROMIUM, NODE, SCRIPT, require_browser
from tests.flow.test_lifecycle import Server, begin, end, free_port, linux_only, run

COUNT = 180  # messages; the page keeps 200 events
KILLS = {40: "server", 100: "server and database"}  # by the messages that the client has told of
AHEAD = 40  # messages that Grace may be ahead of what the client told, so that she is not done before the last kill
ATTEMPTS = 10  # messages that Grace may send in each outage whatever the client told: so each one meets her
PAUSE = 0.02  # seconds between Grace's attempts
PATIENCE = 40.0  # seconds for any one step; a client's pauses between its attempts to connect are among them

SEND = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { errors { __typename } } }"
EVERY_MESSAGE: list[Json] = [{"seq": number, "body": f"message {number}"} for number in range(1, COUNT + 1)]
EVERY_STATUS = ["listening", *["connecting", "listening"] * (1 + len(KILLS))]

pytestmark = linux_only


@dataclass
class House:
    """A server that is killed and comes back at the same address, with the same data."""

    data: Path
    port: int = field(default_factory=free_port)
    server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = [sys.executable, "server.py", "serve"]
        # Grace says more in a minute than anybody may by default.
        starting = asyncio.create_task(
            asyncio.to_thread(begin, command, self.data, self.port, RATE_LIMITS="*=unlimited")
        )
        try:
            self.server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            self.server = await starting  # a thread is not cancelled, and the server is to be ended
            raise

    def kill(self, whom: str) -> None:
        assert self.server
        family = self.server.family() if whom == "server and database" else [self.server.process.pid]
        with self.server.process:  # waits for its end
            for pid in reversed(family):
                with suppress(ProcessLookupError):  # PostgreSQL ends its others when one is killed
                    os.kill(pid, signal.SIGKILL)
        self.server = None


@asynccontextmanager
async def inhabited(data: Path) -> AsyncIterator[House]:
    """A house with the demo's people in it."""
    house = House(data)
    await house.start()
    try:
        assert (await asyncio.to_thread(run, data, "seed")).returncode == 0
        yield house
    finally:
        if house.server:
            end(house.server)


@dataclass
class Follower:
    """A client in a process of its own, and what it told."""

    process: asyncio.subprocess.Process
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AHEAD))
    """How many messages may still be sent."""
    messages: list[Json] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    end: Json = field(default_factory=dict)

    async def until(self, *, status: str | None = None, count: int = 0) -> None:
        """It told of this status last, and of so many messages."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            while (status and self.statuses[-1:] != [status]) or len(self.messages) < count:
                line = await self.process.stdout.readline()
                if not line:
                    pytest.fail(
                        f"the client ended with {await self.process.wait()} after {len(self.messages)} messages"
                    )
                self._take(json.loads(line))

    def _take(self, line: Json) -> None:
        if "seq" in line:
            self.messages.append(line)
            self.room.release()
        elif "status" in line:
            self.statuses.append(line["status"])
        else:
            self.end = line

    async def ended(self) -> None:
        """It told the rest and ended well."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            async for line in self.process.stdout:
                self._take(json.loads(line))
            assert await self.process.wait() == 0


@asynccontextmanager
async def following(*command: str, **environment: str) -> AsyncIterator[Follower]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env={**os.environ, **environment})
    try:
        yield Follower(process)
    finally:
        if process.returncode is None:
            assert process.stdin
            process.stdin.close()  # which it ends with
            await asyncio.wait_for(process.wait(), PATIENCE)


@dataclass
class Sender:
    """Grace, who sends each message again with the same key until there is an answer."""

    client: Client
    conversation: str
    interrupted: list[str] = field(default_factory=list)
    """The messages that took more than one attempt."""

    async def send_all(self, room: asyncio.Semaphore) -> None:
        for message in EVERY_MESSAGE:
            async with asyncio.timeout(PATIENCE):
                await room.acquire()
                await self._send(message["body"])

    async def _send(self, body: str) -> None:
        attempts = 1
        while not await self._is_sent(body):
            attempts += 1
            await asyncio.sleep(PAUSE)
        if attempts > 1:
            self.interrupted.append(body)

    async def _is_sent(self, body: str) -> bool:
        message = {"to": {"conversationId": self.conversation}, "body": body, "clientMessageId": body}
        try:
            answer = await self.client.post(SEND, input=message)
        except httpx.TransportError:
            return False  # there is no server, or no longer
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
            return False  # its database was killed before it
        assert answer["data"]["sendMessage"]["errors"] == []
        return True


@dataclass(frozen=True)
class Seen:
    """What a client told, and which of Grace's messages met a kill."""

    messages: list[Json]
    statuses: list[str]
    end: Json
    interrupted: list[str]


async def through_kills(house: House, follower: Follower, sender: Sender) -> Seen:
    await follower.until(status="listening")
    house.kill("server")  # before the first event
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sender.send_all(follower.room))
        await comes_back(house, follower)
        for count, whom in KILLS.items():
            await follower.until(count=count)
            house.kill(whom)
            await comes_back(house, follower)
        await follower.ended()
    return Seen(follower.messages, follower.statuses, follower.end, sender.interrupted)


async def comes_back(house: House, follower: Follower) -> None:
    """Not before the client has seen that the server is away, and Grace may try to send."""
    for _ in range(ATTEMPTS):
        follower.room.release()
    await follower.until(status="connecting")
    await house.start()


async def seen_by(data: Path, *command: str) -> Seen:
    """What a client sees to which the command is completed with the conversation, where it finds Ada's token."""
    async with inhabited(data) as house, httpx.AsyncClient(base_url=house.url, timeout=PATIENCE) as http:
        people = {person["handle"]: person["token"] for person in (await http.get("/demo-users.json")).json()}
        ada, grace = (Client(http, handle, people[handle]) for handle in ("ada", "grace"))
        conversation = await ada.start(grace, title="Through a kill")
        command = tuple(word.format(url=house.url) for word in command)
        async with following(*command, TOKEN=ada.token, CONVERSATION=conversation) as follower:
            return await through_kills(house, follower, Sender(grace, conversation))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What graphql-ws saw in Node."""
    require_browser()
    script = str(SCRIPT.parent / "follow.mjs")
    return asyncio.run(seen_by(tmp_path_factory.mktemp("node"), str(NODE), script, "{url}/graphql", str(COUNT)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """What the GraphiQL page saw in Chromium."""
    require_browser()
    shots = Path(os.environ.get("BROWSER_SHOTS") or tmp_path_factory.mktemp("shots"))
    shots.mkdir(parents=True, exist_ok=True)
    command = [str(NODE), str(SCRIPT.parent / "reconnect.mjs"), "{url}/", str(CHROMIUM), str(shots), str(COUNT)]
    return asyncio.run(seen_by(tmp_path_factory.mktemp("page"), *command))


@pytest.fixture(params=["node", "page"])
def seen(request: pytest.FixtureRequest) -> Seen:
    """Either client."""
    found: Seen = request.getfixturevalue(request.param)
    return found


def test_every_message_arrives_once_and_in_order(seen: Seen) -> None:
    """No gap and no repeat: not around the kills, and not before the first event."""
    assert seen.messages == EVERY_MESSAGE


def test_every_kill_met_a_message(seen: Seen) -> None:
    """Grace had to repeat a message each time: the kills struck while she was sending."""
    assert len(seen.interrupted) == len(EVERY_STATUS) // 2


def test_the_client_connects_again(seen: Seen) -> None:
    """It says so: listening, connecting and listening again, for every kill."""
    assert seen.statuses[-len(EVERY_STATUS) :] == EVERY_STATUS


def test_the_page_shows_every_message_once_and_in_order(page: Seen) -> None:
    """What stands on the screen is what came over the websocket."""
    assert [row.rpartition(": ")[2] for row in page.end["rows"]] == [message["body"] for message in EVERY_MESSAGE]


def test_the_console_tells_of_refused_connections_only(page: Seen) -> None:
    """Chromium writes a line for each attempt while the server is away; there is no other."""
    others = [line for line in page.end["console"] if not re.match(r"error: WebSocket connection to '.*' failed", line)]
    assert others == []
