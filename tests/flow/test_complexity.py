"""Documents that would be too much work are refused before the work is begun."""

import time

import pytest

from tests.flow.client import Client

pytestmark = pytest.mark.usefixtures("common_server")


def _chain(length: int, link: str, end: str, on: str) -> str:
    """Fragments, each of which spreads the next one twice."""
    links = [f"fragment F{n} on {on} {{ {link.format(n + 1)} }}" for n in range(length)]
    return " ".join([*links, f"fragment F{length} on {on} {{ {end} }}"])


DOCUMENTS = {
    "deep fields": "{ viewer { user " + "{ a " * 25 + "}" * 25 + " } }",
    "very deep fields": "{ a " * 600 + "}" * 600,
    "deeper than a parser goes": "{ a " * 50_000,
    "deep lists": "{ node(id: " + "[" * 50_000,
    "deep objects": "{ node(id: " + "{ a: " * 50_000,
    "deep types": "query ($a: " + "[" * 50_000,
    "many tokens": "{" + " __typename" * 2_100 + " }",
    "many aliases": "{" + " ".join(f"a{n}: __typename" for n in range(2_100)) + " }",
    "fragments in a chain": "{ viewer { user { ...F0 } } } " + _chain(25, "...F{0} ...F{0}", "id", "User"),
    "fragments under aliases": "{ conversations { nodes { lastMessage { ...F0 } } } } "
    + _chain(18, "a: replyTo {{ ...F{0} }} b: replyTo {{ ...F{0} }}", "id", "Message"),
    "deep fragments": "{ conversations { nodes { lastMessage { ...F0 } } } } "
    + _chain(30, "replyTo {{ ...F{0} }}", "id", "Message"),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_a_document_that_is_too_much(ada: Client, document: str) -> None:
    """Refused at once as QUERY_TOO_COMPLEX: the work is never begun."""
    begun = time.perf_counter()
    errors = (await ada.post(document))["errors"]
    assert time.perf_counter() - begun < 2  # minutes, where one of the steps takes 2ⁿ
    assert "QUERY_TOO_COMPLEX" in {error["extensions"]["code"] for error in errors}


async def test_a_document_with_many_fragments_is_answered(ada: Client) -> None:
    """A chain of fragments, each spread once, costs no more than its fields."""
    chain = _chain(100, "...F{0}", "handle", "User")
    assert await ada.run("{ viewer { user { ...F0 } } } " + chain) == {"viewer": {"user": {"handle": ada.handle}}}


BACK_AND_FORTH = {
    "conversations": ("{}", "messages(first: 100) {{ nodes {{ conversation {{ {} }} }} }}"),
    "threads": ("lastMessage {{ replyTo {{ {} }} }}", "replies(first: 100) {{ nodes {{ replyTo {{ {} }} }} }}"),
}
"""What it begins with, and what can be asked for within itself."""


@pytest.mark.parametrize("way", BACK_AND_FORTH)
async def test_lists_within_lists_are_bounded(ada: Client, grace: Client, way: str) -> None:
    """What leads back and forth would be 25 rows, then 625, 15,625, and 390,625: two are answered, four are not."""
    conversation = await ada.start(grace)
    question = (await ada.send(conversation, "question"))["message"]["id"]
    for _ in range(25):
        await ada.send(conversation, "answer", replyToId=question)

    def document(depth: int) -> str:
        around, selection = BACK_AND_FORTH[way][0], "id"
        for _ in range(depth):
            selection = BACK_AND_FORTH[way][1].format(selection)
        return f"query ($id: ID!) {{ conversation(id: $id) {{ {around.format(selection)} }} }}"

    await ada.run(document(2), id=conversation)
    begun = time.process_time()
    errors = (await ada.post(document(4), id=conversation))["errors"]
    assert {error["extensions"]["code"] for error in errors} == {"QUERY_TOO_COMPLEX"}
    assert time.process_time() - begun < 20  # 1 here; without a bound a minute, and 25 with each level
