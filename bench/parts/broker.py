"""Two workers with PostgreSQL's NOTIFY between them, against two with Redis, at rising load."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bench import conversations, peers, tables
from bench.load import Delays, LoadClient
from bench.machine import TIED, end, free_port
from bench.peers import Peer, Postgres
from bench.rounds import Contender, Extent, Window, measure, take_turns
from settings import Settings

CONVERSATIONS = 50
RATES = (50.0, 200.0, 400.0)
CONNECTIONS = 32
WORKERS = 2


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print, where there are both brokers."""
    if "broker_url" not in Settings.model_fields:
        print("  left out: this Parley has no setting PARLEY_BROKER_URL")
        return
    if shutil.which("redis-server") is None:
        print("  left out: there is no redis-server on the PATH")
        return
    with ExitStack() as stack:
        address = stack.enter_context(_redis())
        servers = [
            stack.enter_context(peers.parley(postgres, "notify", workers=WORKERS)),
            stack.enter_context(peers.parley(postgres, "redis", workers=WORKERS, broker_url=address)),
        ]
        contenders = [_contender(stack, peer, extent) for peer in servers]
        for rate in RATES:
            _rising(contenders, postgres, extent, rate)
        print("\n  as fast as it goes:")
        windows = take_turns(contenders, postgres, extent.rounds)
    tables.windows([(each.peer.name, own) for each, own in zip(contenders, windows, strict=True)])
    rates = [[window.sends_per_second for window in own] for own in windows]
    tables.goal("sends/s, redis / notify", tables.ratio(rates[1], rates[0]), "to know from where on it is worth it")


def _rising(contenders: list[Contender], postgres: Postgres, extent: Extent, rate: float) -> None:
    """Latency at one load."""
    windows: dict[str, list[Window]] = {each.peer.name: [] for each in contenders}
    found: dict[str, list[Delays]] = {each.peer.name: [] for each in contenders}
    for _ in range(extent.rounds):
        for each in contenders:
            loaded = replace(each, sending=replace(each.sending, rate=rate))
            windows[each.peer.name].append(measure(loaded, postgres))
            found[each.peer.name].append(each.client.delays())
    print(f"\n  {rate:.0f} sends/s asked for:")
    tables.sends(list(windows.items()))
    tables.delays(list(found.items()))


def _contender(stack: ExitStack, peer: Peer, extent: Extent) -> Contender:
    people = conversations.people(peer.port, 2 * CONVERSATIONS)
    pairs = conversations.groups(peer.port, list(zip(people[::2], people[1::2], strict=True)))
    client = stack.enter_context(LoadClient(peer.port))
    sending = conversations.sending(pairs, in_flight=CONNECTIONS, connections=CONNECTIONS, seconds=extent.seconds)
    client.subscribe([each for pair in pairs for each in pair.subscriptions()], sending)
    return Contender(peer.name, peer, client, sending)


@contextmanager
def _redis() -> Iterator[str]:
    """A Redis that keeps nothing, on loopback."""
    port = free_port()
    process = subprocess.Popen(
        [*TIED, "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        yield f"redis://127.0.0.1:{port}"
    finally:
        end(process)
