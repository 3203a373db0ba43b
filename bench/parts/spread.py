"""200 conversations of two, both following and both writing: the live side where nothing can be shared widely."""

from bench import conversations, peers, tables
from bench.conversations import PROOF
from bench.load import LoadClient, Sending
from bench.peers import Postgres
from bench.rounds import Contender, Extent, take_turns

CONVERSATIONS = 200
IN_FLIGHT = 16


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    with peers.parley(postgres) as peer, LoadClient(peer.port) as client:
        people = conversations.people(peer.port, 2 * CONVERSATIONS)
        pairs = conversations.groups(peer.port, list(zip(people[::2], people[1::2], strict=True)))
        targets = [pair.target(sender) for sender in (0, 1) for pair in pairs]
        sending = Sending(targets, PROOF, in_flight=IN_FLIGHT, connections=IN_FLIGHT, seconds=extent.seconds)
        client.subscribe([each for pair in pairs for each in pair.subscriptions()], sending)
        (windows,) = take_turns([Contender(peer.name, peer, client, sending)], postgres, extent.rounds)
    tables.windows([(peer.name, windows)])
