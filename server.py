"""Parley, put together: settings in, an ASGI application out. Run it with `python server.py`; see --help."""

import gc

if __name__ in {"__main__", "__mp_main__"}:  # a command, or one of several serving processes
    # Once in 50,000 objects more than before, not in 700. Loading only adds, and to look for cycles in it took a sixth of
    # a start. Answers are trees of many small objects, which go without the collector as soon as they are sent; it went
    # through all that were under way several times a request.
    gc.set_threshold(50_000, 20, 20)

if __name__ == "__main__":
    # Before everything below is loaded: most commands need little of it, and serving loads it by the module's name.
    import commands

    commands.main()

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

import files
import logs
import settings as configuration
from db import migrate
from db.encryption import Keyring
from db.pool import DatabaseUnavailableError, Observer
from resolvers import attachments, background, demo, development, service, tokens
from resolvers.checks import Check, Checks, Guarded
from resolvers.checks import load as load_check
from resolvers.contexts import Contexts
from resolvers.counters import Counters
from resolvers.floods import Repetitions
from resolvers.identity import Identity
from resolvers.service import Service
from resolvers.tokens import Verifier
from resolvers.words import WordList
from schema import schema
from schema.endpoint import REQUEST_ID, VARY, Endpoint
from schema.registry import Sockets
from settings import Settings
from storage import Blob, Inspection
from storage.local import LocalStorage
from web import site
from web.extensions import headers_of

GRAPHQL = "/graphql"

_DEMO_TOKEN = timedelta(hours=12)
_LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Running(NamedTuple):
    """What is there between start-up and shutdown."""

    service: Service
    identity: Identity


def create_app(settings: Settings | None = None, *, observe: Observer | None = None) -> Starlette:
    """The application; without settings, with those of the environment. `observe` is told of every statement."""
    settings = settings or configuration.load()
    if settings.database_url is None:
        raise ValueError("no database: `server.py serve` starts the embedded one and names it in PARLEY_DATABASE_URL")
    logs.configure(settings.log_level, settings.log_format)
    secret = _secret(settings)
    verifier = _verifier(settings, secret)
    built = schema.build(max_tokens=settings.max_query_tokens, max_depth=settings.max_query_depth)
    holder: list[Running] = []
    counters = Counters()
    kept = files.opened(settings)
    checks = _checks(settings)
    sockets = Sockets(counters, most_per_user=settings.max_sockets_per_user, drain_seconds=settings.drain_seconds)

    def running() -> Running:
        return holder[0]

    @asynccontextmanager
    async def lifespan(_app: Application) -> AsyncIterator[dict[str, Sockets]]:
        async with service.running(
            str(settings.database_url),
            files=kept,
            checks=checks,
            contexts=_contexts(settings),
            keyring=Keyring(settings.keys),
            listen_url=settings.listen_url,
            broker_url=settings.broker_url,
            pool_size=settings.pool_size,
            cache_size=settings.cache_size,
            policy=settings.policy,
            counters=counters,
            observe=observe,
            jobs=background.jobs,
        ) as started:
            identity = Identity(verifier, started.database)
            started.wakeups.attend_profiles(identity.forget)
            holder.append(Running(started, identity))
            yield {"sockets": sockets}  # which the server drains when it stops
            holder.clear()
        await verifier.aclose()

    endpoint = Endpoint(
        built,
        running,
        is_origin_allowed=lambda origin: _is_origin_allowed(settings, origin),
        max_request_bytes=settings.max_request_bytes,
        max_operations=settings.max_operations_per_socket,
        sockets=sockets,
    )
    routes: list[BaseRoute] = [
        WebSocketRoute(GRAPHQL, endpoint),
        Route("/schema.graphql", _sdl(built)),
        Route("/healthz", _healthz),
        Route("/readyz", _readyz(running, sockets)),
        *site.routes(graphql_path=GRAPHQL, demo_users=None if settings.has_token_key else _demo_users(running, secret)),
    ]
    if isinstance(kept.storage, LocalStorage):
        routes += files.FileRoutes(
            kept.storage,
            _complete(running),
            upload_seconds=settings.upload_url_seconds,
            url_seconds=settings.attachment_url_seconds,
        ).routes()
    app = Application(_cors(settings), endpoint, routes, lifespan)
    app.state.counters = counters
    return app


class Application(Starlette):
    """Starlette, with the one route that nearly all requests take in front of its layers, which do nothing for it."""

    def __init__(
        self, cors: Middleware, graphql: ASGIApp, routes: list[BaseRoute], lifespan: Lifespan["Application"]
    ) -> None:
        super().__init__(routes=routes, lifespan=lifespan, middleware=[cors])
        self._own = graphql
        self._foreign = cors.cls(graphql, *cors.args, **cors.kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != GRAPHQL:
            await super().__call__(scope, receive, send)
        elif b"origin" in headers_of(scope):
            scope["extensions"] = {}  # what is answered is more than Endpoint knows of
            await self._foreign(scope, receive, send)
        else:
            await self._own(scope, receive, _varying(send))


def _varying(send: Send) -> Send:
    """`send`, with VARY."""

    def varying(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), VARY]}
        return send(message)

    return varying


def _secret(settings: Settings) -> str | None:
    """What signs tokens, where it is no key set: the configured secret, or one of our own for development."""
    if settings.token_secret:
        return settings.token_secret.get_secret_value()
    return None if settings.has_token_key else development.secret(settings.data_dir)


def _verifier(settings: Settings, secret: str | None) -> Verifier:
    return Verifier(
        secret=secret,
        jwks_url=settings.token_jwks_url,
        jwks_file=settings.token_jwks_file,
        algorithms=settings.token_algorithms or None,
        audience=settings.token_audience,
        issuer=settings.token_issuer,
    )


def _checks(settings: Settings) -> Checks:
    """Of what people want to say, the cheapest first; raises CheckError."""
    found: list[Check] = []
    if settings.max_repeats:
        found.append(Repetitions(most=settings.max_repeats, seconds=60))
    if settings.word_list:
        found.append(WordList.read(settings.word_list))
    if settings.content_check:
        check = load_check(settings.content_check)
        seconds, failure = settings.content_check_timeout, settings.content_check_failure
        found.append(Guarded(check, seconds=seconds, failure=failure))
    return Checks(found)


def _contexts(settings: Settings) -> Contexts | None:
    if settings.context_url is None or settings.context_secret is None:
        return None
    return Contexts(
        settings.context_url,
        settings.context_secret.get_secret_value(),
        seconds=settings.context_timeout,
        failure=settings.context_failure,
    )


def _is_origin_allowed(settings: Settings, origin: str) -> bool:
    """Whether pages of this origin may call: those that are listed, and in development all of this machine."""
    if not settings.has_token_key and _LOOPBACK_ORIGIN.fullmatch(origin):
        return True
    return "*" in settings.allowed_origins or origin in settings.allowed_origins


def _cors(settings: Settings) -> Middleware:
    return Middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
        allow_origin_regex=None if settings.has_token_key else _LOOPBACK_ORIGIN.pattern,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["authorization", "content-type"],
        expose_headers=[REQUEST_ID],
        max_age=600,
    )


def _complete(running: Callable[[], Running]) -> files.Complete:
    async def complete(blob: Blob, found: Inspection) -> bool:
        return await attachments.complete(running().service, blob, found)

    return complete


def _sdl(built: schema.Schema) -> Callable[[Request], Response]:
    text = schema.sdl_of(built)

    def sdl(_request: Request) -> Response:
        return PlainTextResponse(text)

    return sdl


async def _healthz(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


def _readyz(running: Callable[[], Running], sockets: Sockets) -> Callable[[Request], object]:
    head = migrate.head()

    async def readyz(_request: Request) -> Response:
        """The database answers, its tables are the ones this code knows, the listener hears, and this is to go on."""
        problems = ["the server is stopping"] if sockets.is_stopping else []
        try:
            revision = await running().service.database.revision()
            if revision != head:
                problems.append(f"the database is at migration {revision}, this server needs {head}")
        except DatabaseUnavailableError as error:
            problems.append(str(error))
        if not running().service.feed.is_listening:
            problems.append("the listener has no connection")
        if problems:
            return JSONResponse({"status": "unavailable", "problems": problems}, 503)
        return JSONResponse({"status": "ok"})

    return readyz


def _demo_users(running: Callable[[], Running], secret: str | None) -> site.DemoUsers:
    async def demo_users() -> list[dict[str, str]]:
        people = await demo.find_people(running().service)
        return [
            {
                "handle": user.handle,
                "name": user.name,
                "token": tokens.mint(str(secret), user.handle, lifetime=_DEMO_TOKEN),
            }
            for user in people
        ]

    return demo_users
