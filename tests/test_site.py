import base64
import hashlib
import json
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from web import cdn, site
from web.site import Source

ADA = {"handle": "ada", "name": "Ada Lovelace", "token": "x.y.z"}
SCRIPT = b"console.log('a page')"


def client_of(routes: list[BaseRoute]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Starlette(routes=routes))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def demo_users() -> list[dict[str, str]]:
    return [ADA]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A folder as `npm run build` leaves it, with one script."""
    page = (
        (site.FOLDER / "index.html")
        .read_text("utf-8")
        .replace("{{assets}}", '<script src="static/main-1.js"></script>')
    )
    (tmp_path / "index.html").write_text(page, "utf-8")
    for name, content in {"main-1.js": SCRIPT, "main-1.js.br": b"as brotli", "main-1.js.gz": b"as gzip"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "font-1.woff2").write_bytes(b"a font")
    return tmp_path


@pytest.fixture
def client(build: Path) -> httpx.AsyncClient:
    return client_of(site.routes(static=build, demo_users=demo_users))


@pytest.fixture
def unbuilt(tmp_path: Path) -> httpx.AsyncClient:
    return client_of(site.routes(static=tmp_path / "nothing", demo_users=demo_users))


async def policy(client: httpx.AsyncClient, **headers: str) -> dict[str, list[str]]:
    """The page's Content-Security-Policy: directive → sources."""
    text = (await client.get("/", headers=headers)).headers["content-security-policy"]
    return {name: sources for name, *sources in (part.split() for part in text.split("; "))}


def test_a_build_is_found(build: Path) -> None:
    """Where there is a build, the page is bundled."""
    assert site.source(build) is Source.BUNDLED


def test_no_build_is_a_cdn(tmp_path: Path) -> None:
    """Where there is none, the libraries come from the CDN."""
    assert site.source(tmp_path) is Source.CDN


def test_start_up_can_say_which_cdn() -> None:
    """What start-up prints names the CDN and what to do about it."""
    assert cdn.ORIGIN in Source.CDN.value
    assert "npm ci && npm run build" in Source.CDN.value


async def test_the_page_is_html(client: httpx.AsyncClient) -> None:
    """`/` is the page."""
    response = await client.get("/")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Parley</title>" in response.text


async def test_the_page_names_the_endpoint_relatively(build: Path) -> None:
    """A proxy may serve Parley below a path of its own."""
    client = client_of(site.routes(static=build, graphql_path="/api/graphql"))
    assert 'data-graphql="api/graphql"' in (await client.get("/")).text


@pytest.mark.parametrize(("kind", "flag"), [("development", "true"), ("configured keys", "false")])
async def test_the_page_knows_whether_there_are_demo_users(build: Path, kind: str, flag: str) -> None:
    """The page asks for demo users only where there can be some: a 404 would be an error in the console."""
    users = demo_users if kind == "development" else None
    client = client_of(site.routes(static=build, demo_users=users))
    assert f'data-demo-users="{flag}"' in (await client.get("/")).text


async def test_nothing_is_left_to_fill_in(client: httpx.AsyncClient, unbuilt: httpx.AsyncClient) -> None:
    """No placeholder reaches a browser."""
    assert "{{" not in (await unbuilt.get("/")).text
    assert "{{" not in (await client.get("/")).text.replace("{{loading}}", "")  # which the build itself fills in


async def test_an_unchanged_page_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """The entity tag answers 304."""
    etag = (await client.get("/")).headers["etag"]
    response = await client.get("/", headers={"if-none-match": etag})
    assert (response.status_code, response.content) == (304, b"")


async def test_the_bundled_page_may_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    """Scripts, workers, styles and fonts come from here alone, and nothing is evaluated."""
    assert (await policy(client)) == {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'", "ws://localhost:8000", "wss://localhost:8000"],
        "worker-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }


@pytest.mark.parametrize("host", ["a b", "x;script-src *", "evil.example/", "", "a,b", "[::1"])
async def test_a_strange_host_stays_out_of_the_policy(client: httpx.AsyncClient, host: str) -> None:
    """The Host header is the client's to write."""
    assert (await policy(client, host=host))["connect-src"] == ["'self'"]


@pytest.mark.parametrize("host", ["parley.example", "127.0.0.1:8000", "[::1]:8000"])
async def test_sockets_may_go_to_the_page_s_own_host(client: httpx.AsyncClient, host: str) -> None:
    """Not every browser's 'self' covers websockets."""
    assert (await policy(client, host=host))["connect-src"] == ["'self'", f"ws://{host}", f"wss://{host}"]


async def test_the_cdn_page_may_load_from_one_host_more(unbuilt: httpx.AsyncClient) -> None:
    """Without a build one CDN is allowed, and of inline scripts only the import map."""
    import_map = re.search(r'<script type="importmap">(.*?)</script>', (await unbuilt.get("/")).text, re.DOTALL)
    assert import_map is not None
    digest = base64.b64encode(hashlib.sha256(import_map[1].encode()).digest()).decode()
    found = await policy(unbuilt)
    assert found["script-src"] == ["'self'", cdn.ORIGIN, f"'sha256-{digest}'"]
    assert found["style-src"] == ["'self'", "'unsafe-inline'", cdn.ORIGIN]
    assert found["worker-src"] == ["'self'", "blob:"]


def test_every_library_from_the_cdn_has_an_exact_version() -> None:
    """No address of the CDN can change its content by a release."""
    imports = json.loads(cdn.IMPORT_MAP)["imports"].values()
    remote = [address for address in imports if address.startswith("https:")]
    assert [
        address for address in remote if not re.match(re.escape(cdn.ORIGIN) + r"/[^?]+@\d+\.\d+\.\d+([/?]|$)", address)
    ] == []


def test_the_digests_are_of_what_is_imported() -> None:
    """A digest for an address that nobody loads protects nothing."""
    import_map = json.loads(cdn.IMPORT_MAP)
    assert set(import_map["integrity"]) <= set(import_map["imports"].values())


async def test_the_cdn_page_is_made_of_the_same_sources(unbuilt: httpx.AsyncClient) -> None:
    """Without a build the sources themselves are served, and asked for anew."""
    response = await unbuilt.get("/static/main.js")
    assert response.text == (site.SOURCES / "main.js").read_text("utf-8")
    assert response.headers["cache-control"] == "no-cache"


async def test_the_cdn_page_says_what_to_do_offline(unbuilt: httpx.AsyncClient) -> None:
    """With no network no script runs: the page itself says how to build it."""
    assert "npm ci &amp;&amp; npm run build" in (await unbuilt.get("/")).text


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br", "br", b"as brotli"),
        ("gzip;q=1.0, deflate", "gzip", b"as gzip"),
        ("identity", None, SCRIPT),
    ],
)
async def test_a_file_goes_out_compressed(build: Path, accepted: str, encoding: str | None, content: bytes) -> None:
    """The smallest sibling that the browser takes is sent, under the type of the file itself."""
    client = client_of(site.routes(static=build))
    async with client.stream("GET", "/static/main-1.js", headers={"accept-encoding": accepted}) as response:
        assert b"".join([part async for part in response.aiter_raw()]) == content
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["vary"] == "Accept-Encoding"


async def test_a_file_with_a_hashed_name_is_kept_by_the_browser(client: httpx.AsyncClient) -> None:
    """The name changes with the content, so there is never a reason to ask again."""
    response = await client.get("/static/font-1.woff2")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", ["missing.js", "index.html", "../site.py", "%2e%2e/site.py", "main-1.js.br", ""])
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    """Only files of the page's own types, and only from its folder."""
    assert (await client.get(f"/static/{path}")).status_code == 404


@pytest.mark.parametrize("path", ["/favicon.svg", "/favicon.ico"])
async def test_there_is_a_favicon(client: httpx.AsyncClient, path: str) -> None:
    """Both names are answered: browsers ask for the second one by themselves."""
    assert (await client.get(path)).headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "parley.localhost", "127.0.0.1:8000", "127.1.2.3", "[::1]:8000"]
)
async def test_demo_users_are_told_on_this_machine(client: httpx.AsyncClient, host: str) -> None:
    """In development the page finds the demo users with their tokens."""
    response = await client.get("/demo-users.json", headers={"host": host})
    assert (response.status_code, response.json()) == (200, [ADA])


@pytest.mark.parametrize(
    "host", ["evil.example", "192.168.1.7:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""]
)
async def test_demo_users_are_not_told_to_a_name_from_elsewhere(client: httpx.AsyncClient, host: str) -> None:
    """DNS rebinding: somebody's page whose name was made to point at this machine gets no token."""
    response = await client.get("/demo-users.json", headers={"host": host})
    assert response.status_code == 403
    assert "localhost" in response.text
    assert ADA["token"] not in response.text


@pytest.mark.parametrize(
    ("site_header", "status"), [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
)
async def test_demo_users_are_for_the_page_alone(client: httpx.AsyncClient, site_header: str, status: int) -> None:
    """Another page on this machine, on another port say, gets no token either."""
    assert (await client.get("/demo-users.json", headers={"sec-fetch-site": site_header})).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost:8000", 200), ("http://localhost:3000", 403), ("null", 403)]
)
async def test_no_other_origin_may_read_demo_users(client: httpx.AsyncClient, origin: str, status: int) -> None:
    """A browser that does not tell where a page comes from still tells its origin."""
    assert (await client.get("/demo-users.json", headers={"origin": origin})).status_code == status


async def test_demo_users_are_kept_nowhere(client: httpx.AsyncClient) -> None:
    """No CORS, no cache, no embedding."""
    headers = (await client.get("/demo-users.json")).headers
    assert "access-control-allow-origin" not in headers
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_outside_development_there_are_no_demo_users(build: Path) -> None:
    """With configured keys the route does not exist."""
    client = client_of(site.routes(static=build))
    assert (await client.get("/demo-users.json")).status_code == 404
