"""The application as it is put together: what it needs, who may call it, and how it says that it is well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from db import migrate
from resolvers import tokens
from schema import schema
from server import create_app
from settings import Settings
from tests.flow.database import run

_HOUR = timedelta(hours=1)
SECRET = SecretStr("a secret for tests that is long enough")
PAGE = "https://app.example.com"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is kept in the folder of whoever runs the tests."""
    monkeypatch.setenv("PARLEY_ATTACHMENTS_DIR", str(tmp_path / "attachments"))


@asynccontextmanager
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Calls of the application, which is started."""
    app = create_app(settings)
    async with (
        asyncio.timeout(30),  # a server that does not stop is a failure, and not the end of all tests
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://parley.test") as http,
    ):
        yield http


def given(database_url: str | None, **more: Any) -> Settings:
    return Settings(database_url=database_url, **{"token_secret": SECRET, **more})


async def ready(http: httpx.AsyncClient, expected: int) -> Any:
    """What /readyz says once it has this status."""
    async with asyncio.timeout(15):
        while (response := await http.get("/readyz")).status_code != expected:
            pass
    return response.json()


async def test_the_process_is_well(database_url: str) -> None:
    """/healthz asks nobody."""
    async with client(given(database_url)) as http:
        response = await http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready(database_url: str) -> None:
    """/readyz is ok where the database answers, at this code's migration, and the listener hears."""
    async with client(given(database_url)) as http:
        assert await ready(http, 200) == {"status": "ok"}


async def test_not_ready_at_another_migration(database_url: str) -> None:
    """503 with both migrations; well again when they agree."""
    async with client(given(database_url)) as http:
        await ready(http, 200)
        await run(database_url, "UPDATE parley.alembic_version SET version_num = 'older'")
        problem = f"the database is at migration older, this server needs {migrate.head()}"
        assert await ready(http, 503) == {"status": "unavailable", "problems": [problem]}
        await run(database_url, f"UPDATE parley.alembic_version SET version_num = '{migrate.head()}'")
        assert await ready(http, 200) == {"status": "ok"}


async def test_not_ready_without_a_listener(database_url: str) -> None:
    """503 that says so, where the listening connection cannot be had; the process is well."""
    nowhere = "postgresql://parley@127.0.0.1:1/parley"
    async with client(given(database_url, listen_url=nowhere)) as http:
        problems = await ready(http, 503)
        health = await http.get("/healthz")
    assert problems == {"status": "unavailable", "problems": ["the listener has no connection"]}
    assert health.status_code == 200


async def test_the_schema_is_served(database_url: str) -> None:
    """/schema.graphql is the text of the schema, for tools and people, without a token."""
    async with client(given(database_url)) as http:
        response = await http.get("/schema.graphql")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text == schema.sdl()


async def preflight(http: httpx.AsyncClient, origin: str) -> httpx.Response:
    """What a browser asks before it sends a page's request."""
    return await http.options(
        "/graphql",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )


async def test_pages_of_listed_origins_may_call(database_url: str) -> None:
    """With a token in the header, and reading the request's id of the answer."""
    async with client(given(database_url, allowed_origins=(PAGE,))) as http:
        asked = await preflight(http, PAGE)
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": PAGE})
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == answer.headers["access-control-allow-origin"] == PAGE
    assert {"authorization", "content-type"} <= set(asked.headers["access-control-allow-headers"].lower().split(", "))
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example.com", "http://localhost:3000", "null"])
async def test_pages_of_other_origins_may_not(database_url: str, origin: str) -> None:
    """Not of another scheme of the same host, nor of this machine where a token key is set."""
    async with client(given(database_url, allowed_origins=(PAGE,))) as http:
        asked = await preflight(http, origin)
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": origin})
    assert asked.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


async def test_every_origin_where_that_is_wanted(database_url: str) -> None:
    """`*` lets all pages call: tokens and not cookies say who is asking."""
    async with client(given(database_url, allowed_origins=("*",))) as http:
        asked = await preflight(http, "https://anywhere.example")
    assert asked.headers["access-control-allow-origin"] in {"*", "https://anywhere.example"}


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5173", "http://[::1]:8080"])
async def test_in_development_pages_of_this_machine_may_call(database_url: str, tmp_path: Path, origin: str) -> None:
    """Without a token key, from any port, and nobody else."""
    async with client(given(database_url, token_secret=None, data_dir=tmp_path)) as http:
        asked = await preflight(http, origin)
        other = await preflight(http, "http://localhost.evil.example")
    assert (asked.status_code, other.status_code) == (200, 400)


async def test_in_development_the_server_has_a_key_of_its_own(database_url: str, tmp_path: Path) -> None:
    """Kept in the data folder for its owner alone, and the same after a restart."""
    settings = given(database_url, token_secret=None, data_dir=tmp_path)
    seen = []
    for _ in range(2):
        async with client(settings) as http:
            (file,) = (path for path in tmp_path.glob("*") if path.is_file())  # noqa: ASYNC240  (of a test)
            token = tokens.mint(file.read_text().strip(), "ada", lifetime=_HOUR)
            response = await http.post(
                "/graphql",
                json={"query": "{ viewer { user { handle } } }"},
                headers={"Authorization": f"Bearer {token}"},
            )
        seen.append((file.read_text(), oct(file.stat().st_mode)[-3:], response.json()))
    assert seen[0] == seen[1]
    assert seen[0][1:] == ("600", {"data": {"viewer": {"user": {"handle": "ada"}}}})


def test_without_a_database_there_is_no_application() -> None:
    """The message says who starts the embedded one."""
    with pytest.raises(ValueError, match=r"no database: `server\.py serve` starts the embedded one"):
        create_app(given(None))


async def test_a_database_that_is_away_is_waited_for(capfd: pytest.CaptureFixture[str]) -> None:
    """The log says so: a worker may take the place of another one in such a moment. (`serve` looks first, and says no.)"""

    async def begin() -> None:
        async with client(given("postgresql://parley@127.0.0.1:1/parley")):
            pass

    starting, said = asyncio.create_task(begin()), ""
    async with asyncio.timeout(15):
        while "database_unreachable" not in said:
            await asyncio.sleep(0)
            said += capfd.readouterr().err
    assert not starting.done()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
