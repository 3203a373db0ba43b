"""Rounds of measured windows: the peers take turns, so that whatever else the machine does falls on all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import Load, LoadClient, Sending
from bench.peers import Peer, Postgres
from bench.turns import Turn


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 4.0
    """Of load in one window."""
    peers: Sequence[str] = ()
    columns: Sequence[str] = ()
    """Of the table: its rows and its columns."""
    messages: int = 200_000
    """In the data set."""
    connections: int = 16
    """Of the load, where it is requests: each sends the next when it has the answer."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer with the load on it."""

    name: str
    peer: Peer
    client: LoadClient
    sending: Sending


@dataclass(frozen=True, slots=True)
class Window:
    """What one window of one contender took."""

    load: Load
    server_cpu: float
    postgres_cpu: float

    @property
    def sends_per_second(self) -> float:
        return self.load.sends / self.load.seconds

    @property
    def deliveries_per_second(self) -> float:
        return self.load.deliveries / self.load.seconds

    @property
    def server_us_per_delivery(self) -> float:
        return 1e6 * self.server_cpu / self.load.deliveries

    @property
    def postgres_us_per_delivery(self) -> float:
        return 1e6 * self.postgres_cpu / self.load.deliveries

    @property
    def server_us_per_send(self) -> float:
        return 1e6 * self.server_cpu / self.load.sends

    @property
    def postgres_us_per_send(self) -> float:
        return 1e6 * self.postgres_cpu / self.load.sends

    @property
    def us_per_send(self) -> float:
        return self.server_us_per_send + self.postgres_us_per_send

    @property
    def turn(self) -> Turn:
        """What it was for the deliveries."""
        return Turn(
            self.deliveries_per_second,
            self.server_cpu / self.load.deliveries,
            self.postgres_cpu / self.load.deliveries,
            self.client_share,
        )

    @property
    def client_share(self) -> float:
        """Of one core, that the load client used: it is no measurement of the server where this is near 1."""
        return self.load.client_cpu / self.load.seconds


def measure(contender: Contender, postgres: Postgres) -> Window:
    """One window, its answers not yet verified."""
    before = contender.peer.cpu(), postgres.cpu()
    load = contender.client.send(contender.sending)
    return Window(load, contender.peer.cpu() - before[0], postgres.cpu() - before[1])


def take_turns(contenders: Sequence[Contender], postgres: Postgres, rounds: int) -> list[list[Window]]:
    """The windows of each contender, one a round, every one of them verified; one more before them warms up."""
    windows: list[list[Window]] = [[] for _ in contenders]
    for _ in range(1 + rounds):
        for contender, own in zip(contenders, windows, strict=True):
            own.append(measure(contender, postgres))
            contender.client.verify()
    return [own[1:] for own in windows]
