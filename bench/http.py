"""Turns of requests: the servers are asked the same by wrk, one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench import operations
from bench.dataset import Dataset
from bench.machine import BenchError
from bench.operations import Operation
from bench.peers import Postgres
from bench.rounds import Extent
from bench.turns import Turn
from bench.world import Server
from bench.wrk import Wrk

_REQUESTS = 2000
_SEED = 5
_WARM_UP = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class _Contender:
    """A server with the load on it."""

    server: Server
    load: Wrk


def measure(
    servers: Sequence[Server], dataset: Dataset, operation: Operation, postgres: Postgres, extent: Extent
) -> dict[str, list[Turn]]:
    """The turns of each server, one a round."""
    asked = operations.asks(dataset, _REQUESTS, _SEED)
    contenders = []
    for server in servers:
        requests = [server.dialect.request(dataset, operation, ask) for ask in asked]
        name = f"{server.name}-{operation.name}"
        port = server.peer.port
        load = Wrk(postgres.folder, name, port, requests, operations.KEY, extent.connections)
        contenders.append(_Contender(server, load))
    for contender in contenders:
        contender.load.run(_WARM_UP, operation.proofs, operations.window(0))
    turns: dict[str, list[Turn]] = {server.name: [] for server in servers}
    for number in range(1, extent.rounds + 1):
        for contender in contenders:
            turns[contender.server.name].append(_turn(contender, operation, postgres, extent, number))
    return turns


def _turn(contender: _Contender, operation: Operation, postgres: Postgres, extent: Extent, number: int) -> Turn:
    """One, verified."""
    server, prefix = contender.server, operations.window(number)
    before = server.peer.cpu(), postgres.cpu()
    answers = contender.load.run(extent.seconds, operation.proofs, prefix)
    used = server.peer.cpu() - before[0], postgres.cpu() - before[1]
    if operation.writes:
        _check_sends(server, prefix, answers.count, extent.connections)
    return Turn(
        answers.count / answers.seconds,
        used[0] / answers.count,
        used[1] / answers.count,
        answers.client_cpu / answers.seconds,
    )


def _check_sends(server: Server, prefix: str, answered: int, connections: int) -> None:
    """Raise BenchError unless every send that was answered is there, once, and no conversation has a hole."""
    there = server.sent(prefix)
    # When the window ends, each connection may have one under way that nobody waits for.
    if not answered <= there <= answered + connections:
        raise BenchError(f"{server.name} answered {answered} sends, and {there} are in its table")
    if holes := server.holes():
        raise BenchError(f"{server.name}: {holes} conversations have a hole in seq, or a wrong last_seq")
