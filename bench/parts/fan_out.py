"""One conversation with 500 subscribers: what a delivery costs, beside the floor and beside a tutorial's server."""

import json
import re
from contextlib import ExitStack

from bench import conversations, peers, tables
from bench.conversations import BODY, FOLLOW
from bench.dataset import Dataset, load_plain
from bench.load import LoadClient, Sending, Subscription, Target
from bench.operations import PLAIN, SEND
from bench.peers import Postgres
from bench.rounds import Contender, Extent, take_turns
from bench.servers.bare import SEQ
from bench.wire import STAMP

SUBSCRIBERS = 500
IN_FLIGHT = 8


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        parley = _parley(stack, postgres, extent)
        bare = _bare(stack, postgres, extent, parley.client.sample())
        tutorial = _tutorial(stack, postgres, extent)
        contenders = [bare, tutorial, parley]
        windows = take_turns(contenders, postgres, extent.rounds)
    tables.windows([(each.peer.name, own) for each, own in zip(contenders, windows, strict=True)])
    costs = [[window.server_us_per_delivery for window in own] for own in windows]
    tables.goal("server CPU, parley / bare", tables.ratio(costs[2], costs[0]), "at most 2.5")
    tables.goal("server CPU, tutorial / parley", tables.ratio(costs[1], costs[2]), "at least 5")


def _parley(stack: ExitStack, postgres: Postgres, extent: Extent) -> Contender:
    peer = stack.enter_context(peers.parley(postgres))
    (conversation,) = conversations.groups(peer.port, [conversations.people(peer.port, SUBSCRIBERS)])
    client = stack.enter_context(LoadClient(peer.port))
    sending = conversations.sending([conversation], in_flight=IN_FLIGHT, seconds=extent.seconds)
    client.subscribe(conversation.subscriptions(), sending)
    return Contender(peer, client, sending)


def _bare(stack: ExitStack, postgres: Postgres, extent: Extent, sample: str) -> Contender:
    """Broadcasts what Parley sent, a new number and stamp in it."""
    text = re.sub(r"\d{8} \d{20}", STAMP, re.sub(r'("seq":\s*)\d+', rf"\g<1>{SEQ}", sample))
    peer = stack.enter_context(peers.bare(postgres))
    client = stack.enter_context(LoadClient(peer.port, "/follow"))
    target = Target("bare", conversations.post("/broadcast", text))
    sending = Sending([target], '"sent":true', in_flight=IN_FLIGHT, seconds=extent.seconds)
    client.subscribe([Subscription("bare", "", {})] * SUBSCRIBERS, sending)
    return Contender(peer, client, sending)


def _tutorial(stack: ExitStack, postgres: Postgres, extent: Extent) -> Contender:
    two = Dataset(users=2, conversations=1, messages=2, most_members=2)
    url = postgres.database("tutorial")
    load_plain(url, two)
    peer = stack.enter_context(peers.tutorial(postgres, url))
    client = stack.enter_context(LoadClient(peer.port))
    id_ = str(two.conversation(0))
    content = {"to": {"conversationId": id_}, "body": BODY, "clientMessageId": STAMP}
    asked = {"query": SEND.document, "variables": {"input": content}}
    target = Target("tutorial", conversations.post("/graphql", json.dumps(asked), PLAIN.token(two, 0)))
    sending = Sending([target], '"seq":', in_flight=IN_FLIGHT, seconds=extent.seconds)
    follow = Subscription("tutorial", "", {"query": FOLLOW, "variables": {"id": id_}})
    client.subscribe([follow] * SUBSCRIBERS, sending)
    return Contender(peer, client, sending)
