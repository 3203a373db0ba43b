"""The process itself: how soon it serves, what memory it takes, and how fast it imports."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import tables, world
from bench.conversations import PROOF
from bench.dataset import Dataset
from bench.load import LoadClient, Sending
from bench.machine import PROJECT, TIED, BenchError, children_cpu, end, free_port
from bench.operations import Ask
from bench.peers import Postgres, settings
from bench.rounds import Extent

SUBSCRIPTIONS = 1000
IMPORTED = 50_000

_LOOK = 0.005  # seconds between two looks whether it is ready
_PATIENCE = 60.0
_RATE = re.compile(r"([\d,]+) messages a second")


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    starts = _starts(postgres.folder / "start", extent.rounds)
    idle, following = _memory(postgres)
    imports = _imports(postgres)
    each = (following - idle) / SUBSCRIPTIONS / 1024
    tables.table(
        ["start to ready, on a database that is there", f"{tables.median(starts):.2f} s"],
        [
            ["memory of the server", f"{idle / 2**20:.0f} MB"],
            [f"with {SUBSCRIPTIONS:,} sockets, each following a conversation", f"{following / 2**20:.0f} MB"],
            ["one of these", f"{each:.1f} KB"],
            [f"import of {IMPORTED:,} messages, a second", imports[0]],
            ["CPU of one, command + PostgreSQL", imports[1]],
        ],
    )


def _starts(folder: Path, rounds: int) -> list[float]:
    """Seconds from the command to the first good /readyz, each with the embedded PostgreSQL that an earlier one made."""
    _start(folder)
    return [_start(folder) for _ in range(rounds)]


def _start(folder: Path) -> float:
    port = free_port()
    environment = settings(data_dir=str(folder), port=str(port), log_level="error")
    begun = time.monotonic()
    process = subprocess.Popen(
        [*TIED, sys.executable, "server.py", "serve"], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() - begun > _PATIENCE:
                raise BenchError("a server did not start")
            time.sleep(_LOOK)
        return time.monotonic() - begun
    finally:
        end(process)


def _is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _memory(postgres: Postgres) -> tuple[int, int]:
    """Bytes of the server: before anybody follows anything, and with the subscriptions."""
    dataset = Dataset(
        users=SUBSCRIPTIONS, conversations=SUBSCRIPTIONS, messages=SUBSCRIPTIONS, least_members=2, most_members=2
    )
    with world.servers(postgres, dataset, ["parley"]) as (server,), LoadClient(server.peer.port) as client:
        idle = server.peer.resident()
        followers = [Ask(members[0], number) for number, members in enumerate(dataset.members)]
        targets = [server.dialect.target(dataset, each) for each in followers]
        client.subscribe([server.dialect.subscription(dataset, each) for each in followers], Sending(targets, PROOF))
        return idle, server.peer.resident()


def _imports(postgres: Postgres) -> tuple[str, str]:
    """Messages a second, as the command itself says, and the CPU of one in microseconds."""
    dataset = Dataset(messages=IMPORTED)
    file = postgres.folder / "history.ndjson"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in _lines(dataset)))
    environment = settings(database_url=postgres.database("import"), data_dir=str(postgres.folder / "import"))
    before = children_cpu(), postgres.cpu()
    command = [*TIED, sys.executable, "server.py", "import", str(file)]
    told = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False).stderr
    used = children_cpu() - before[0], postgres.cpu() - before[1]
    rate = _RATE.search(told)
    if rate is None:
        raise BenchError(f"the import failed:\n{told[-3000:]}")
    return rate[1], f"{1e6 * used[0] / IMPORTED:.0f} + {1e6 * used[1] / IMPORTED:.0f} µs"


def _lines(dataset: Dataset) -> Iterator[dict[str, object]]:
    """The data set as an import reads it."""
    handles = {key: handle for key, handle, _ in dataset.user_rows()}
    for _, handle, name in dataset.user_rows():
        yield {"type": "user", "id": handle, "name": name}
    for members, (key, _, title, created, *_) in zip(dataset.members, dataset.conversation_rows(), strict=True):
        people = [handles[dataset.user(member)] for member in members]
        yield {
            "type": "conversation",
            "id": str(key),
            "kind": "group",
            "title": title,
            "participants": people,
            "created_at": created.isoformat(),
        }
    for conversation, _, sender, key, body, created in dataset.message_rows():
        yield {
            "type": "message",
            "id": key,
            "conversation": str(conversation),
            "sender": handles[sender],
            "body": body,
            "created_at": created.isoformat(),
            "reply_to": None,
        }
