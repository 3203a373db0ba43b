"""What people say of themselves, and finding them."""

import random
from typing import Any

import asyncpg
import pytest

from db import directory
from db.paging import Cut
from db.pool import Database
from resolvers import users
from tests.flow.client import Client, Json, Parley
from tests.flow.conftest import serving
from tests.flow.database import rows, run

pytestmark = pytest.mark.usefixtures("common_server")

UPDATE = """mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
    user { name avatarUrl } errors { __typename ... on UserError { code path } } } }"""
MINE = "{ viewer { user { name avatarUrl } } }"
FIND = """query ($query: String, $first: Int, $after: String) { users(query: $query, first: $first, after: $after) {
    nodes { handle } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""


async def update(client: Client, **values: object) -> Json:
    payload: Json = (await client.run(UPDATE, input=values))["updateProfile"]
    return payload


async def mine(client: Client) -> tuple[str, str | None]:
    user = (await client.run(MINE))["viewer"]["user"]
    return user["name"], user["avatarUrl"]


async def test_what_people_choose_comes_before_what_tokens_say(parley: Parley, ada: Client, grace: Client) -> None:
    """For everybody at once, with whatever token; until it is left to the tokens again."""
    conversation = await ada.start(grace)
    await ada.send(conversation, "hello")
    payload = await update(ada, name="  The Countess ", avatarUrl="https://example.com/a.png")
    assert payload == {"user": {"name": "The Countess", "avatarUrl": "https://example.com/a.png"}, "errors": []}
    assert await mine(ada) == ("The Countess", "https://example.com/a.png")
    other = parley.user("ada", name="A. L.", picture="https://example.com/token.png")
    assert await mine(other) == ("The Countess", "https://example.com/a.png")
    query = "query ($id: ID!) { conversation(id: $id) { displayTitle lastMessage { sender { name } } } }"
    seen = (await grace.run(query, id=conversation))["conversation"]
    assert seen == {"displayTitle": "The Countess", "lastMessage": {"sender": {"name": "The Countess"}}}

    await update(ada, avatarUrl="")
    assert await mine(other) == ("The Countess", None)
    await update(ada, name=None)
    assert await mine(other) == ("A. L.", None)
    await update(ada, avatarUrl=None)
    assert await mine(other) == ("A. L.", "https://example.com/token.png")


async def test_presence_is_shared_or_not(parley: Parley, ada: Client) -> None:
    """What is left out stays."""
    await update(ada, sharesPresence=False)
    await update(ada, name="Ada")
    query = "SELECT name, shares_presence FROM parley.users WHERE handle = $1"
    assert await rows(parley.database_url, query, ada.handle) == [("Ada", False)]
    await update(ada, sharesPresence=True)
    assert await rows(parley.database_url, query, ada.handle) == [("Ada", True)]


@pytest.mark.parametrize(
    "values",
    [
        {"name": " "},
        {"name": "\u200b\u202e"},
        {"name": "x" * 201},
        {"name": "a\nb"},
        {"avatarUrl": "javascript:alert(1)"},
        {"avatarUrl": "https://" + "x" * 2048},
    ],
)
async def test_what_is_no_profile_changes_nothing(ada: Client, values: dict[str, Any]) -> None:
    """A reason for each field, and nothing of the rest."""
    before = await mine(ada)
    payload = await update(ada, **{"name": "Eve", **values})
    (field,) = values
    assert payload == {
        "user": None,
        "errors": [{"__typename": "ValidationError", "code": "VALIDATION_ERROR", "path": ["input", field]}],
    }
    assert await mine(ada) == before


async def test_other_servers_know_at_once(parley: Parley, ada: Client) -> None:
    """Those that keep who somebody is."""
    async with serving(parley.database_url) as second:
        there = Client(second.http, ada.handle, ada.token)
        assert await mine(there) == await mine(ada)
        await update(ada, name="The Countess")
        while (await mine(there))[0] != "The Countess":
            pass


@pytest.fixture
async def crowd(parley: Parley, ada: Client) -> str:
    """Some people, and what is in all their handles and in no other's."""
    mark = f"crowd{parley.suffix}"
    people = [
        ("x-Jonathan", "Jon O'Brien-Smith"),
        ("x.mary_ann", "Mary Ann  van Öst"),
        ("x'quo\\te", None),
        ("X9", "Ägir"),
    ]
    for handle, name in people:
        await parley.user(f"{mark}-{handle}", name=name or "").id()
    return mark


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("JONA", ["x-Jonathan"]),
        ("natha", ["x-Jonathan"]),
        ("brien", ["x-Jonathan"]),
        ("o'br", ["x-Jonathan"]),
        ("smith jon", ["x-Jonathan"]),
        ("mith", []),
        ("ann", ["x.mary_ann"]),
        ("öst mary", ["x.mary_ann"]),
        ("quo\\", ["x'quo\\te"]),
        ("x'", ["x'quo\\te"]),
        ("ä", ["X9"]),
        ("", ["X9", "x'quo\\te", "x-Jonathan", "x.mary_ann"]),
        ("x", ["X9", "x'quo\\te", "x-Jonathan", "x.mary_ann"]),
    ],
)
async def test_people_are_found(parley: Parley, ada: Client, crowd: str, query: str, found: list[str]) -> None:
    """By what is anywhere in the handle, and by the beginnings of words of the name; by all that is asked for."""
    nodes = (await ada.run(FIND, query=f"{crowd} {query}"))["users"]["nodes"]
    assert sorted(node["handle"] for node in nodes) == sorted(f"{crowd}-{handle}{parley.suffix}" for handle in found)


async def test_whatever_is_looked_for_is_its_words(parley: Parley) -> None:
    """Quotes, backslashes and operators mean nothing but themselves."""
    chance = random.Random(5)  # noqa: S311  (no secret)
    connection = await asyncpg.connect(parley.database_url)
    for _ in range(300):
        words = ["".join(chance.choices("'\\:*&|!()<->a\u2028é\"", k=chance.randrange(1, 6))) for _ in range(3)]
        words = " ".join(words).lower().split()
        if words:
            text = directory._tsquery(" ".join(words))
            nodes = await connection.fetchval("SELECT numnode(CAST($1::text AS tsquery))", text)
            assert nodes == 2 * len(words[:5]) - 1, text
            vector = await connection.fetchval(
                "SELECT array_to_tsvector($1::text[]) @@ CAST($2::text AS tsquery)", words, text
            )
            assert vector is True, text
    await connection.close()


async def test_pages_are_exact_on_either_way(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether those who are found were met, or told by the index; without a query too."""
    await run(
        database_url,
        "INSERT INTO parley.users (id, handle, name, created_at) SELECT gen_random_uuid(), 'u' || to_char(n, 'FM000'), "
        "CASE n % 3 WHEN 0 THEN 'Often' WHEN 1 THEN 'Often Rare' END, now() FROM generate_series(1, 90) n; "
        "UPDATE parley.users SET name = 'Often' WHERE name LIKE '%Rare' AND handle > 'u020'",
    )
    database = await Database.open(database_url, pool_size=1)
    async with database.system() as connection:
        for walk in (1, 10, 2_000):
            monkeypatch.setattr(directory, "_WALK", walk)
            for query in ("oft", "rare oft", "nobody", None):
                wanted = [user.handle for user in (await directory.page(connection, Cut(100), query)).rows]
                assert len(wanted) == {"oft": 60, "rare oft": 7, "nobody": 0, None: 90}[query]
                found: list[str] = []
                while True:
                    cut = Cut(8, after=(found[-1],) if found else None)
                    page = await directory.page(connection, cut, query)
                    assert page.has_previous == bool(found)
                    found += [user.handle for user in page.rows]
                    assert page.has_next == (len(found) < len(wanted))
                    if not page.has_next:
                        break
                assert found == wanted
    await database.close()


async def test_the_directory_is_bounded(ada: Client) -> None:
    """In what may be asked for."""
    answer = await ada.post(FIND, query="x" * (users.LONGEST_QUERY + 1))
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
