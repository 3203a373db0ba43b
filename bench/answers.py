"""The servers' answers, held against each other before anything is measured."""

from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from bench.dataset import Dataset
from bench.machine import BenchError
from bench.operations import INBOX, PAGE, SEND, Ask, Operation, asks, canonical
from bench.world import Server

_SAMPLE = 12
_SEED = 11


def compare(servers: Sequence[Server], dataset: Dataset) -> None:
    """Raise BenchError unless all answer alike, and a repeated send is the same message."""
    sample = asks(dataset, _SAMPLE, _SEED)
    with httpx.Client(timeout=60, trust_env=False, verify=False) as http:  # noqa: S501  (plain HTTP on this machine)
        asker = _Asker(http, dataset)
        for operation in (PAGE, INBOX):
            for ask in sample:
                _check_equal(servers, operation, ask, [asker.ask(server, operation, ask) for server in servers])
        for number, ask in enumerate(sample):
            answers = [asker.send_twice(server, ask, f"compared-{number}") for server in servers]
            _check_equal(servers, SEND, ask, answers)


class _Asker:
    def __init__(self, http: httpx.Client, dataset: Dataset) -> None:
        self._http = http
        self._dataset = dataset

    def ask(self, server: Server, operation: Operation, ask: Ask, key: str = "") -> Any:  # noqa: ANN401  (JSON)
        head, _, body = server.dialect.request(self._dataset, operation, ask, key).partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        heads = dict(line.split(": ", 1) for line in lines)
        url = f"http://127.0.0.1:{server.peer.port}{first.split()[1]}"
        answer = self._http.post(url, content=body, headers=heads).json()
        if answer.get("errors"):
            raise BenchError(f"{server.name}: {operation.name}: {answer['errors']}")
        return canonical(answer["data"], server.dialect)

    def send_twice(self, server: Server, ask: Ask, key: str) -> Any:  # noqa: ANN401
        """What was sent, without its time."""
        first = self.ask(server, SEND, ask, key)["sendMessage"]
        again = self.ask(server, SEND, ask, key)["sendMessage"]
        if first["deduplicated"] or again != first | {"deduplicated": True}:
            raise BenchError(f"{server.name}: a repeated send is another message: {first}, then {again}")
        del first["message"]["createdAt"]
        return first


def _check_equal(servers: Sequence[Server], operation: Operation, ask: Ask, answers: Sequence[Any]) -> None:
    for server, answer in zip(servers, answers, strict=True):
        if answer != answers[0]:
            place, *values = _difference(answers[0], answer, operation.name)
            raise BenchError(f"{place} of {ask}: {servers[0].name} says {values[0]!r}, {server.name} {values[1]!r}")


def _difference(one: Any, other: Any, place: str) -> tuple[str, Any, Any]:  # noqa: ANN401  (JSON)
    """Where two answers that are not equal differ first, and in what."""
    pairs: Iterable[tuple[object, Any, Any]] = ()
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = ((name, value, other[name]) for name, value in one.items())
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = ((number, *pair) for number, pair in enumerate(zip(one, other, strict=True)))
    for step, left, right in pairs:
        if left != right:
            return _difference(left, right, f"{place}.{step}")
    return place, one, other
