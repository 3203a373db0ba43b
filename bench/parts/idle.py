"""2,000 subscriptions in which nothing happens: whether others' sends become slower."""

from contextlib import ExitStack

from bench import conversations, peers, tables
from bench.conversations import Conversation
from bench.load import LoadClient
from bench.peers import Peer, Postgres
from bench.rounds import Contender, Extent, take_turns

IDLE = 2000
SENDERS = 16


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        contenders = []
        for name in ("without", "with_idle"):
            peer = stack.enter_context(peers.parley(postgres, name))
            idle, busy = _conversations(peer)
            client = stack.enter_context(LoadClient(peer.port))
            sending = conversations.sending(busy, in_flight=SENDERS, connections=SENDERS, seconds=extent.seconds)
            contenders.append(Contender(peer.name, peer, client, sending))
        # Of the second, which is the last in the loop.
        client.subscribe([each.subscriptions(1)[0] for each in idle], conversations.sending(idle))
        windows = take_turns(contenders, postgres, extent.rounds)
    tables.sends([("without idle", windows[0]), (f"with {IDLE} idle", windows[1])])
    rates = [[window.sends_per_second for window in own] for own in windows]
    tables.goal("sends/s, with / without", tables.ratio(rates[1], rates[0]), "at least 0.9")
    costs = [[window.us_per_send for window in own] for own in windows]
    tables.goal("CPU per send, PostgreSQL's too, with / without", tables.ratio(costs[1], costs[0]), "at most 1.11")


def _conversations(peer: Peer) -> tuple[list[Conversation], list[Conversation]]:
    """Those that idle, and those that are sent to; the same on both servers."""
    people = conversations.people(peer.port, IDLE + SENDERS)
    other = conversations.people(peer.port, 1, "other")
    started = conversations.groups(peer.port, [[person, *other] for person in people])
    return started[:IDLE], started[IDLE:]
