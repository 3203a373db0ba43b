"""How long a message takes to its subscribers while there is little to do."""

from bench import conversations, peers, tables
from bench.load import Delays, LoadClient
from bench.peers import Postgres
from bench.rounds import Extent

AUDIENCES = (1, 100, 500)
RATE = 5.0
_WINDOWS = 2  # times the usual length: five a second are few


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    found: dict[int, list[Delays]] = {audience: [] for audience in AUDIENCES}
    with peers.parley(postgres) as peer, LoadClient(peer.port) as client:
        people = conversations.people(peer.port, max(AUDIENCES))
        followed = conversations.groups(peer.port, [people] * len(AUDIENCES))
        everybody = conversations.sending(followed)
        subscriptions = [
            each
            for conversation, audience in zip(followed, AUDIENCES, strict=True)
            for each in conversation.subscriptions(audience)
        ]
        client.subscribe(subscriptions, everybody)
        for _ in range(extent.rounds):
            for conversation, audience in zip(followed, AUDIENCES, strict=True):
                client.send(conversations.sending([conversation], rate=RATE, seconds=_WINDOWS * extent.seconds))
                found[audience].append(client.delays())
    tables.delays([(f"{audience} following", found[audience]) for audience in AUDIENCES])
