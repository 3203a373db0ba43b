"""What telling the other processes of each message costs the sends."""

from contextlib import ExitStack

from bench import conversations, peers, tables
from bench.load import LoadClient
from bench.peers import Peer, Postgres
from bench.rounds import Contender, Extent, take_turns

SENDERS = 16


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        servers = [stack.enter_context(peers.parley(postgres)), stack.enter_context(peers.silent(postgres))]
        contenders = [_contender(stack, peer, extent) for peer in servers]
        windows = take_turns(contenders, postgres, extent.rounds)
    tables.sends([("as it is", windows[0]), ("without notification", windows[1])])
    rates = [[window.sends_per_second for window in own] for own in windows]
    tables.goal("sends/s, as it is / without", tables.ratio(*rates), "at least 0.85")
    costs = [[window.us_per_send for window in own] for own in windows]
    tables.goal("CPU per send, PostgreSQL's too, as it is / without", tables.ratio(*costs), "at most 1.18")


def _contender(stack: ExitStack, peer: Peer, extent: Extent) -> Contender:
    people = conversations.people(peer.port, 2 * SENDERS)
    pairs = conversations.groups(peer.port, list(zip(people[::2], people[1::2], strict=True)))
    sending = conversations.sending(pairs, in_flight=SENDERS, connections=SENDERS, seconds=extent.seconds)
    return Contender(peer.name, peer, stack.enter_context(LoadClient(peer.port)), sending)
