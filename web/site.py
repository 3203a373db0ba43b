"""What a browser is served: GraphiQL at `/`, its files, and in development the demo users' tokens."""

from __future__ import annotations

import base64
import hashlib
import html
import ipaddress
import re
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from web import cdn
from web.assets import Assets

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"  # where `npm run build` puts the page
SOURCES = FOLDER / "src"

DemoUsers = Callable[[], Awaitable[list[dict[str, str]]]]


class Source(Enum):
    """Where the page's libraries come from; the value is for a person at start-up."""

    BUNDLED = "bundled, works offline"
    CDN = f"from {cdn.ORIGIN} (no build in web/static: install Node 20 or later and run `npm ci && npm run build` in web/)"


def source(static: Path = STATIC) -> Source:
    """Which page `routes` would serve now."""
    return Source.BUNDLED if (static / "index.html").is_file() else Source.CDN


def routes(
    *, static: Path = STATIC, graphql_path: str = "/graphql", demo_users: DemoUsers | None = None
) -> list[BaseRoute]:
    """The page at `/`, `/static/…`, `/favicon.svg` and `/demo-users.json`.

    `demo_users` answers the development mode's [{handle, name, token}] and is None outside it: then there is no such route.
    Where `static` holds no build, the page's libraries come from a CDN; `source` tells which it is.
    """
    kind = source(static)
    folder = static if kind is Source.BUNDLED else SOURCES
    page = _page(kind, static, graphql_path, has_demo_users=demo_users is not None)
    found: list[BaseRoute] = [
        Route("/", page),
        Route("/favicon.svg", _favicon),
        Route("/favicon.ico", _favicon),  # asked for unseen, by browsers that show an answer of the API itself
        Mount("/static", Assets(folder, immutable=kind is Source.BUNDLED)),
    ]
    if demo_users is not None:
        found.append(Route("/demo-users.json", _demo_users(demo_users)))
    return found


Endpoint = Callable[[Request], Awaitable[Response]]


def _page(kind: Source, static: Path, graphql_path: str, *, has_demo_users: bool) -> Endpoint:
    if kind is Source.BUNDLED:
        text = (static / "index.html").read_text("utf-8")
    else:
        text = (FOLDER / "index.html").read_text("utf-8")
        text = text.replace("{{assets}}", cdn.ASSETS).replace("{{loading}}", cdn.LOADING)
    path = html.escape(graphql_path.lstrip("/"))  # relative: a proxy's path prefix stays in front
    text = text.replace("{{graphql}}", path).replace("{{demo_users}}", str(has_demo_users).lower())
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'

    async def page(request: Request) -> Response:
        headers = {
            "Content-Security-Policy": content_security_policy(kind, request.headers.get("host", "")),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-cache",
            "ETag": etag,
        }
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(text, headers=headers)

    return page


_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


def content_security_policy(kind: Source, host: str) -> str:
    """What the page may load and run. `host` is the request's Host header: not every browser's 'self' covers websockets."""
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    scripts = workers = styles = ""
    if kind is Source.CDN:
        digest = base64.b64encode(hashlib.sha256(cdn.IMPORT_MAP.encode()).digest()).decode()
        scripts = f" {cdn.ORIGIN} 'sha256-{digest}'"  # the digest is the import map's, the page's only inline script
        workers = " blob:"  # the CDN's workers are one line each that imports the real one
        styles = f" {cdn.ORIGIN}"
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self'{scripts}",
            f"style-src 'self' 'unsafe-inline'{styles}",  # Monaco writes its theme into a style element
            "img-src 'self' data:",
            "font-src 'self' data:",
            f"connect-src 'self'{sockets}{styles}",
            f"worker-src 'self'{workers}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


async def _favicon(_: Request) -> Response:
    return FileResponse(SOURCES / "favicon.svg", media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def _demo_users(demo_users: DemoUsers) -> Endpoint:
    async def tokens(request: Request) -> Response:
        # A page of somebody else whose name was made to point at this machine (DNS rebinding) sends its own name as Host.
        host = request.headers.get("host", "")
        if not is_loopback(host):
            message = f"Demo tokens are only given to pages on this machine, and this one was asked for as {host!r}: open http://localhost or http://127.0.0.1 instead."
            return PlainTextResponse(message, status_code=403)
        if _is_from_elsewhere(request, host):
            return PlainTextResponse("Demo tokens are not for other sites.", status_code=403)
        headers = {
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }
        return JSONResponse(await demo_users(), headers=headers)

    return tokens


def _is_from_elsewhere(request: Request, host: str) -> bool:
    """Whether a page of another origin asks, one on another port of this machine included."""
    # Both headers: CORS, where the application allows it, would let such a page read the answer, and not every
    # browser sends the first one.
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != host


def is_loopback(host: str) -> bool:
    """Whether a Host header names this machine by a name that nobody else can make point elsewhere."""
    name = re.sub(r":\d+$", "", host).removeprefix("[").removesuffix("]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
