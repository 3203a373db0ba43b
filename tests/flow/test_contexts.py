"""The host application is asked whether a context may be talked about."""

from typing import Any

import pytest

from tests.flow.client import Client, Json
from tests.flow.conftest import serving
from tests.flow.host import KEY, Host, hosted

START = """mutation ($input: StartConversationInput!) { startConversation(input: $input) {
    wasCreated conversation { id context { type id title url } } errors { __typename ... on UserError { code message path } } } }"""
ORDER = {"type": "order", "id": "4711"}


async def start(client: Client, *others: Client, **more: object) -> Json:
    given = {"participantIds": [await other.id() for other in others], "context": ORDER}
    payload: Json = (await client.run(START, input=given | more))["startConversation"]
    return payload


async def test_what_it_says_is_done(database_url: str) -> None:
    """Asked once for what is new, with handles; it may name the context; a refusal starts nothing."""
    host = Host(b'{"allowed": true, "title": "Order 4711", "url": "https://shop.example/4711"}')
    async with (
        hosted(host) as url,
        serving(database_url, context_url=url, context_secret=KEY) as parley,
    ):
        ada, grace, linus = (parley.user(handle) for handle in ("ada", "grace", "linus"))
        keyed = {"firstMessage": {"body": "hello", "clientMessageId": "k"}, "title": "about it"}
        group = await start(ada, grace, linus, **keyed)
        direct = await start(ada, grace)
        asked = list(host.asked)
        again = [await start(ada, grace, linus, **keyed), await start(ada, grace), await start(grace, ada)]
        without = await start(ada, grace, context=None)
        assert host.asked == asked
        host.answer = b'{"allowed": false, "reason": "the order is closed"}'
        refused = await start(ada, linus)
        count = (await linus.run("{ conversations { totalCount } }"))["conversations"]["totalCount"]

    told = ORDER | {"title": "Order 4711", "url": "https://shop.example/4711"}
    assert group["conversation"]["context"] == direct["conversation"]["context"] == told
    context = ORDER | {"title": None, "url": None}
    assert asked == [
        {"context": context, "starter": "ada", "participants": ["grace", "linus"]},
        {"context": context, "starter": "ada", "participants": ["grace"]},
    ]
    assert again[0] == group
    assert [payload["conversation"]["id"] for payload in again[1:]] == [direct["conversation"]["id"]] * 2
    assert without["errors"] == []
    assert refused["conversation"] is None
    assert refused["errors"] == [
        {
            "__typename": "ContextUnavailableError",
            "code": "CONTEXT_UNAVAILABLE",
            "message": "the order is closed",
            "path": ["input", "context"],
        }
    ]
    assert count == 1  # the group


BAD: list[dict[str, Any]] = [
    {"answer": None},
    {"status": 503},
    {"answer": b"no JSON"},
    {"answer": b'{"allowed": "yes"}'},
    {"answer": b'{"allowed": true, "url": "javascript:alert(1)"}'},
    {"answer": b'{"allowed": true, "title": "' + b"x" * 70_000 + b'"}'},
]


@pytest.mark.parametrize("failure", ["allow", "refuse"])
async def test_a_host_that_makes_no_sense_is_no_answer(database_url: str, failure: str) -> None:
    """Too late, an error, no answer to this: the operator says what then; also where nobody listens."""
    host = Host()
    outcomes = []
    async with (
        hosted(host) as url,
        serving(
            database_url, context_url=url, context_secret=KEY, context_timeout=0.5, context_failure=failure
        ) as parley,
    ):
        ada, grace = parley.user("ada"), parley.user("grace")
        for number, bad in enumerate(BAD):
            host.answer, host.status = bad.get("answer", b'{"allowed": true}'), bad.get("status", 200)
            payload = await start(ada, grace, context={"type": "order", "id": str(number)})
            outcomes.append([error["code"] for error in payload["errors"]])
    assert outcomes == [[] if failure == "allow" else ["CONTEXT_UNAVAILABLE"]] * len(BAD)
    assert len(host.asked) == len(BAD)
