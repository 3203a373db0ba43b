"""One conversation with 500 subscribers: what a delivery costs, beside the floor, Node by hand and a tutorial."""

import re
from contextlib import ExitStack

from bench import conversations, peers, tables, world
from bench.conversations import PROOF
from bench.dataset import Dataset
from bench.load import LoadClient, Sending, Subscription, Target
from bench.machine import BenchError
from bench.operations import Ask
from bench.peers import Postgres
from bench.rounds import Contender, Extent, Window, take_turns
from bench.servers.bare import SEQ
from bench.wire import STAMP
from bench.world import Server

SUBSCRIBERS = 500
IN_FLIGHT = 8

_USERS = 200  # at least, as in the table's other columns
_PAUSE = 0.005  # seconds; a message to 500 takes a server as long


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    tables.windows(list(measure(postgres, extent).items()))


def measure(postgres: Postgres, extent: Extent, subscribers: int = SUBSCRIBERS) -> dict[str, list[Window]]:
    """The windows of each peer, one a round."""
    dataset = Dataset(users=max(subscribers + 1, _USERS), messages=extent.messages, crowded=True)
    with ExitStack() as stack:
        # What follows is read from the log, whatever is remembered.
        others = [name for name in extent.peers if name not in {"floor", world.ANEW}]
        servers = stack.enter_context(world.servers(postgres, dataset, others))
        contenders = [_contender(stack, server, dataset, extent, subscribers) for server in servers]
        if "floor" in extent.peers:
            if not contenders:
                raise BenchError("the floor of the fan-out repeats what another sends: name one more")
            contenders.insert(0, _floor(stack, postgres, extent, contenders[-1].client.sample(), subscribers))
        windows = take_turns(contenders, postgres, extent.rounds)
    return {each.name: own for each, own in zip(contenders, windows, strict=True)}


def _contender(stack: ExitStack, server: Server, dataset: Dataset, extent: Extent, subscribers: int) -> Contender:
    """Others than the sender follow, each with a token of their own."""
    dialect = server.dialect
    sender, *members = (Ask(member, 0) for member in dataset.members[0])
    client = stack.enter_context(LoadClient(server.peer.port))
    sending = _sending(dialect.target(dataset, sender), PROOF, extent)
    client.subscribe([dialect.subscription(dataset, each) for each in members[:subscribers]], sending)
    return Contender(server.name, server.peer, client, sending)


def _floor(stack: ExitStack, postgres: Postgres, extent: Extent, sample: str, subscribers: int) -> Contender:
    """Broadcasts what another sent, a new number and stamp in it."""
    text = re.sub(r"\d{8} \d{20}", STAMP, re.sub(r'("seq":\s*)\d+', rf"\g<1>{SEQ}", sample))
    peer = stack.enter_context(peers.bare(postgres))
    client = stack.enter_context(LoadClient(peer.port, "/follow"))
    target = Target("floor", conversations.post("/broadcast", text))
    sending = _sending(target, '"sent":true', extent)
    client.subscribe([Subscription("floor", "", {})] * subscribers, sending)
    return Contender("floor", peer, client, sending)


def _sending(target: Target, proof: str, extent: Extent) -> Sending:
    return Sending([target], proof, in_flight=IN_FLIGHT, connections=IN_FLIGHT, seconds=extent.seconds, pause=_PAUSE)
