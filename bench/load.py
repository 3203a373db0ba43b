"""The load, as the parts of the benchmark see it: clients that subscribe and send, each a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from bench.machine import PROJECT, TIED, BenchError, end

_WARM_UPS = 15
_WARM_UP_PATIENCE = 2.0  # seconds
_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one socket follows."""

    group: str
    """Whom it shares its messages with: a conversation."""
    token: str
    operation: dict[str, object]


@dataclass(frozen=True, slots=True)
class Target:
    """What is sent again and again: a whole HTTP request with stamps in it."""

    group: str
    request: str


@dataclass(frozen=True, slots=True)
class Sending:
    """How much is sent, and how fast: at `rate` a second, else with `in_flight` messages under way at a time."""

    targets: Sequence[Target]
    proof: str
    """Stands in every answer that is good, written without spaces."""
    seconds: float = 3.0
    in_flight: int = _CONNECTIONS
    connections: int = _CONNECTIONS
    rate: float | None = None
    pause: float = 0.0
    """Seconds between two looks at the sockets: one that has several messages by then is read once."""

    def job(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Load:
    """What one window sent and brought."""

    sends: int
    deliveries: int
    seconds: float
    client_cpu: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Of every delivery, in microseconds: since the call that sent it began, and since that call was answered."""

    from_call: list[int]
    from_answer: list[int]


class LoadClient:
    """One client process, for one server."""

    def __init__(self, port: int, path: str = "/graphql") -> None:
        self._port = port
        self._path = path
        self._process = subprocess.Popen(
            [*TIED, sys.executable, "-m", "bench.client"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def subscribe(self, subscriptions: Sequence[Subscription], warm_up: Sending) -> None:
        """Open the sockets, and send until every one of them is known to hear."""
        asked = [asdict(each) for each in subscriptions]
        self._ask("subscribe", port=self._port, path=self._path, subscriptions=asked)
        job = warm_up.job() | {"count": len(warm_up.targets), "patience": _WARM_UP_PATIENCE, "rate": None}
        problems: list[str] = []
        for _ in range(_WARM_UPS):
            self._ask("send", port=self._port, **job | {"seconds": 120.0})
            problems = self._ask("verify")["problems"]
            if not problems:
                return
        raise BenchError("the subscribers do not all hear:\n" + "\n".join(problems))

    def send(self, sending: Sending) -> Load:
        return Load(**self._ask("send", port=self._port, **sending.job()))

    def verify(self) -> None:
        """Raise unless every subscriber got every message of the last window exactly once and in order."""
        self._checked({})

    def delays(self) -> Delays:
        """Verify, and tell how long each delivery took."""
        found = self._checked({"delays": True})
        return Delays(found["from_call"], found["from_answer"])

    def sample(self) -> str:
        """A message as a subscriber got it."""
        text: str = self._ask("sample")
        return text

    def close(self) -> None:
        end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _checked(self, asked: dict[str, object]) -> Any:  # noqa: ANN401  (JSON)
        found = self._ask("verify", **asked)
        if found["problems"]:
            raise BenchError("the answers are wrong, so the figures mean nothing:\n" + "\n".join(found["problems"]))
        return found

    def _ask(self, command: str, /, **arguments: object) -> Any:  # noqa: ANN401  (JSON)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"failed": "it ended"}
        if isinstance(answer, dict) and "failed" in answer:
            raise BenchError(f"the load client failed: {answer['failed']}")
        return answer
