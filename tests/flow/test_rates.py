"""Who does too much in too short a time is told when to try again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from inspect import signature
from typing import cast

import pytest
from strawberry.types.base import get_object_definition

from resolvers.rates import DEFAULTS
from schema import schema
from schema.mutations import Mutation
from schema.mutations.rates import Resolver
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving

LIMITS = ("*=unlimited", "sendMessage=5", "startConversation=3", "markAllRead=1", "setTyping=1")
LIMITED = "... on RateLimitedError { retryAfterMs } ... on UserError { code path }"
SEND = (
    f"mutation ($input: SendMessageInput!) {{ sendMessage(input: $input) {{ deduplicated errors {{ {LIMITED} }} }} }}"
)
START = (
    f"mutation ($input: StartConversationInput!) {{ startConversation(input: $input) {{ errors {{ {LIMITED} }} "
    "conversation { id } } }"
)


@pytest.fixture
async def parley(database_url: str) -> AsyncIterator[Parley]:
    async with serving(database_url, rate_limits=LIMITS) as running:
        yield running


async def send(client: Client, conversation: str, **more: object) -> Json:
    data = await client.run(SEND, input={"to": {"conversationId": conversation}, "body": "x", **more})
    payload: Json = data["sendMessage"]
    return payload


async def test_messages_are_limited_and_repeats_are_not(parley: Parley, ada: Client, grace: Client) -> None:
    """The sixth waits for its share; what was sent before may be asked for again; nobody else is held up."""
    conversation = await ada.start(grace)
    sent = [await send(ada, conversation, clientMessageId=str(number)) for number in range(5)]
    refused, direct = (
        await send(ada, conversation),
        await ada.run(SEND, input={"to": {"userId": await grace.id()}, "body": "x"}),
    )
    again = await send(ada, conversation, clientMessageId="0")
    assert [payload["errors"] for payload in sent] == [[]] * 5
    (error,) = refused["errors"]
    assert (error["code"], error["path"]) == ("RATE_LIMITED", ["input"])
    assert 0 < error["retryAfterMs"] <= 12_000
    assert direct["sendMessage"]["errors"][0]["code"] == "RATE_LIMITED"
    assert again == {"deduplicated": True, "errors": []}
    assert (await send(grace, conversation))["errors"] == []


async def test_two_processes_count_together(parley: Parley, database_url: str) -> None:
    """Of what is sent over both at once as much passes as the limit says."""
    async with serving(database_url, rate_limits=LIMITS) as other:
        ada, grace = parley.user("ada"), parley.user("grace")
        conversation = await ada.start(grace)
        twin = other.user("ada")
        payloads = await asyncio.gather(*(send(client, conversation) for client in (ada, twin) * 8))
    assert [payload["errors"] for payload in payloads].count([]) == 5


async def test_every_mutation_has_a_limit_of_its_own(parley: Parley, ada: Client, grace: Client) -> None:
    """Told as data where the payload has it, else as an error of the request; a repeat with its key is none."""
    others = [await grace.id()]
    given = {"participantIds": others, "title": "t", "firstMessage": {"body": "x", "clientMessageId": "k"}}
    first = await ada.run(START, input=given)
    more = [await ada.run(START, input={"participantIds": others, "title": "t"}) for _ in range(3)]
    again = await ada.run(START, input=given)
    assert [payload["startConversation"]["errors"] for payload in more[:2]] == [[]] * 2
    (error,) = more[2]["startConversation"]["errors"]
    assert (error["code"], error["retryAfterMs"] > 0) == ("RATE_LIMITED", True)
    assert again == first

    typing = "mutation ($id: ID!) { setTyping(input: {conversationId: $id}) { errors { __typename } } }"
    conversation = first["startConversation"]["conversation"]["id"]
    marks = [(await ada.run("mutation { markAllRead { errors { code } } }"))["markAllRead"]["errors"] for _ in range(2)]
    answers = [await ada.post(typing, id=conversation) for _ in range(2)]
    (told,) = answers[1]["errors"]
    assert marks == [[], [{"code": "RATE_LIMITED"}]]
    assert "errors" not in answers[0]
    assert (told["extensions"]["code"], told["extensions"]["retryAfterMs"] > 0) == ("RATE_LIMITED", True)


async def test_service_tokens_are_exempt(parley: Parley, grace: Client) -> None:
    """What the host application sends is not counted."""
    host = parley.user("host", roles=("service",))
    conversation = await host.start(grace)
    assert [(await send(host, conversation))["errors"] for _ in range(8)] == [[]] * 8


async def test_what_is_left_can_be_asked_for(parley: Parley, ada: Client, grace: Client) -> None:
    """Of messages and of every mutation; null where there is no limit."""
    query = "{ rateLimit { limit remaining resetAt mutations { kind limit remaining resetAt } } }"
    conversation = await ada.start(grace)
    before = (await ada.run(query))["rateLimit"]
    await send(ada, conversation)
    for _ in range(3):
        await send(ada, conversation, clientMessageId="once")
    after = (await ada.run(query))["rateLimit"]
    kinds = {each["kind"]: (each["limit"], each["remaining"]) for each in after["mutations"]}
    left = datetime.fromisoformat(after["resetAt"]) - datetime.now(UTC)
    assert (before["limit"], before["remaining"], after["remaining"]) == (5, 5, 3)
    assert timedelta(seconds=10) < left <= timedelta(seconds=24)
    assert (kinds["sendMessage"], kinds["startConversation"], kinds["blockUser"]) == ((5, 3), (3, 2), (None, None))


def test_every_mutation_has_a_default() -> None:
    """So that none is forgotten when it is added."""
    mutation = schema.build()._schema.mutation_type
    assert mutation is not None
    assert set(mutation.fields) - set(DEFAULTS) == set()


def test_every_mutation_can_refuse() -> None:
    """What its resolver returns can be made of errors alone."""
    for field in get_object_definition(Mutation, strict=True).fields:
        assert field.base_resolver is not None
        outcome = signature(cast("Resolver", field.base_resolver.wrapped_func)).return_annotation
        assert outcome(errors=("refused",)).errors == ("refused",), field.python_name
