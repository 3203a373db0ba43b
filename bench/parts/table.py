"""A page, an inbox, a send, beside the floor, Node by hand and a tutorial: requests a second and the CPU of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import answers, operations, tables, world, wrk
from bench.dataset import Dataset
from bench.machine import BenchError
from bench.operations import OPERATIONS, Operation
from bench.peers import Postgres
from bench.rounds import Extent
from bench.world import Server
from bench.wrk import Answers, Wrk

_REQUESTS = 2000
_WARM_UP = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Window:
    """What one window of one server took."""

    answers: Answers
    server_cpu: float
    postgres_cpu: float

    @property
    def rate(self) -> float:
        return self.answers.count / self.answers.seconds

    @property
    def server_ms(self) -> float:
        return 1e3 * self.server_cpu / self.answers.count

    @property
    def postgres_ms(self) -> float:
        return 1e3 * self.postgres_cpu / self.answers.count

    @property
    def ms(self) -> float:
        """CPU of server and PostgreSQL together for one request."""
        return self.server_ms + self.postgres_ms

    @property
    def client_share(self) -> float:
        return self.answers.client_cpu / self.answers.seconds


@dataclass(frozen=True, slots=True)
class Contender:
    """A server with the requests of one operation."""

    server: Server
    load: Wrk


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    if not wrk.is_there():
        print("  left out: there is no wrk on the PATH (Debian and Ubuntu: apt-get install wrk)")
        return
    dataset = Dataset()
    chosen = [OPERATIONS[name] for name in extent.columns if name in OPERATIONS]
    with world.servers(postgres, dataset, extent.peers) as servers:
        answers.compare(servers, dataset)
        columns = {each.name: _measure(servers, dataset, each, postgres, extent) for each in chosen}
    _print([server.name for server in servers], columns)


def _measure(
    servers: Sequence[Server], dataset: Dataset, operation: Operation, postgres: Postgres, extent: Extent
) -> dict[str, list[Window]]:
    """The windows of each server, one a round."""
    asked = operations.asks(dataset, _REQUESTS, seed=5)
    contenders = []
    for server in servers:
        requests = [server.dialect.request(dataset, operation, ask) for ask in asked]
        name = f"{server.name}-{operation.name}"
        contenders.append(Contender(server, Wrk(postgres.folder, name, server.peer.port, requests, operations.KEY)))
    for contender in contenders:
        contender.load.run(_WARM_UP, operation.proofs, operations.window(0))
    found: dict[str, list[Window]] = {server.name: [] for server in servers}
    for number in range(1, extent.rounds + 1):
        for contender in contenders:
            found[contender.server.name].append(_window(contender, operation, postgres, extent.seconds, number))
    return found


def _window(contender: Contender, operation: Operation, postgres: Postgres, seconds: float, number: int) -> Window:
    """One, verified."""
    server, prefix = contender.server, operations.window(number)
    before = server.peer.cpu(), postgres.cpu()
    found = contender.load.run(seconds, operation.proofs, prefix)
    window = Window(found, server.peer.cpu() - before[0], postgres.cpu() - before[1])
    if operation.writes:
        _check_sends(server, prefix, found.count)
    return window


def _check_sends(server: Server, prefix: str, answered: int) -> None:
    """Raise BenchError unless every send that was answered is there, once, and no conversation has a hole."""
    there = server.sent(prefix)
    # When the window ends, each connection may have one under way that nobody waits for.
    if not answered <= there <= answered + wrk.CONNECTIONS:
        raise BenchError(f"{server.name} answered {answered} sends, and {there} are in its table")
    if holes := server.holes():
        raise BenchError(f"{server.name}: {holes} conversations have a hole in seq, or a wrong last_seq")


def _print(names: Sequence[str], columns: dict[str, dict[str, list[Window]]]) -> None:
    print("  requests/s (CPU ms of one: server + PostgreSQL)\n")
    tables.table(["", *columns], ([name, *(_cell(found[name]) for found in columns.values())] for name in names))
    shares = [window.client_share for found in columns.values() for own in found.values() for window in own]
    print(f"\n  the load's own CPU: up to {max(shares):.0%} of one core\n")
    others = [name for name in reversed(names) if name != "parley"] if "parley" in names else []
    for head, value in (("requests/s", _rate), ("CPU of one", _cost)):
        rows = (
            [f"{head}, parley / {other}", *(_ratio(found, other, value) for found in columns.values())]
            for other in others
        )
        tables.table(["", *columns], rows)
        print()


def _rate(window: Window) -> float:
    return window.rate


def _cost(window: Window) -> float:
    return window.ms


def _ratio(found: dict[str, list[Window]], other: str, value: Callable[[Window], float]) -> str:
    return tables.ratio([value(window) for window in found["parley"]], [value(window) for window in found[other]])


def _cell(own: Sequence[Window]) -> str:
    rate = tables.median(window.rate for window in own)
    server = tables.median(window.server_ms for window in own)
    postgres = tables.median(window.postgres_ms for window in own)
    return f"{rate:,.0f} ({server:.2f} + {postgres:.2f})"
