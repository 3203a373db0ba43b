"""Answers that are written as a whole: byte for byte what ASGI's `send` writes, or left to it."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import ref

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from protocol import HttpProtocol
from tests.flow.client import PATIENCE
from web.extensions import ANSWER, BODY, headers_of

LARGE = 4_000_000  # bytes, which no socket here takes at once
POST = b"POST /%s HTTP/1.1\r\nhost: here\r\ncontent-length: 4\r\n%s\r\nbody"


@asynccontextmanager
async def served(
    app: ASGIApp, keep_alive: float = 3600, protocol: type[HttpToolsProtocol] = HttpProtocol
) -> AsyncIterator[int]:
    """The port of a server of this application, and the seconds for which connections may be idle."""
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, access_log=False)
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment]  # any number of seconds
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={"of": "the server"}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
        for connection in list(state.connections):
            connection.transport.close()
        await asyncio.gather(*state.tasks)


async def answered(app: ASGIApp, *requests: bytes, protocol: type[HttpToolsProtocol] = HttpProtocol) -> bytes:
    """All that is answered on one connection, whose last request is to close it."""
    async with asyncio.timeout(PATIENCE), served(app, protocol=protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(requests))
        found = await reader.read()
        writer.close()
        await writer.wait_closed()
        return found


def _headers(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body)), (b"vary", b"Origin")]


def _lines(body: bytes) -> bytes:
    """The same, as they are written."""
    return b"".join(b"%b: %b\r\n" % header for header in _headers(body))


def _body(scope: Scope) -> bytes:
    return b"x" * LARGE if scope["path"] == "/large" else f"{scope['path']}\r\n\r\n".encode()


async def sending(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as any application does."""
    await receive()
    body = _body(scope)
    await send({"type": "http.response.start", "status": 200, "headers": _headers(body)})
    await send({"type": "http.response.body", "body": body})
    assert await receive() == {"type": "http.disconnect"}


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers as a whole where that can be done, and but once; who waits for the end hears of it."""
    await receive()
    end = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    body, answer = _body(scope), scope["extensions"][ANSWER]
    if not answer(_lines(body), body):
        await send({"type": "http.response.start", "status": 200, "headers": _headers(body)})
        await send({"type": "http.response.body", "body": body})
    assert not answer(_lines(body), body)
    assert await end == {"type": "http.disconnect"}


@pytest.mark.parametrize(
    "requests",
    [
        (POST % (b"a", b"connection: close\r\n"),),
        (POST % (b"a", b""), POST % (b"b", b""), POST % (b"c", b"connection: close\r\n")),
        ((POST % (b"a", b"")).replace(b"HTTP/1.1", b"HTTP/1.0"),),
        (POST % (b"large", b""), POST % (b"b", b"connection: close\r\n")),
        (POST % (b"a", b"expect: 100-continue\r\nconnection: close\r\n"),),
    ],
    ids=["close", "pipelined", "1.0", "large", "continue"],
)
async def test_what_is_answered_as_a_whole_is_what_is_sent(requests: tuple[bytes, ...]) -> None:
    """On connections that go on and that end, of either version, and where more is asked than the socket takes."""
    found = await answered(answering, *requests)
    assert found == await answered(sending, *requests)
    assert found.count(b"200 OK") == len(requests)


async def test_a_body_is_taken_as_a_whole_or_not_at_all() -> None:
    """What `receive` would have given, once it is all there; then that waits for the end as behind its own."""
    taken: list[bytes | None] = []
    looked, end = asyncio.Event(), {"type": "http.disconnect"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        take = scope["extensions"][BODY]
        taken.append(take())
        looked.set()
        body = b"" if taken[-1] is None else taken[-1]
        while len(body) < 4:
            body += (await receive())["body"]
        ending = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not ending.done()
        await send({"type": "http.response.start", "status": 200, "headers": _headers(body)})
        await send({"type": "http.response.body", "body": body})
        assert await ending == end
        assert take() is None

    async with asyncio.timeout(PATIENCE), served(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = POST % (b"a", b"")
        writer.write(whole)
        await reader.readuntil(b"\r\n\r\nbody")
        looked.clear()
        writer.write(whole[:-2])
        await looked.wait()
        writer.write(whole[-2:])
        await reader.readuntil(b"\r\n\r\nbody")
        writer.close()
    assert taken == [b"body", None]


async def test_to_a_full_socket_nothing_is_answered_at_once() -> None:
    """It waits, as `send` does, until the peer has read."""
    tried: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        body = _body(scope)
        tried.append(scope["extensions"][ANSWER](_lines(body), body))
        if not tried[-1]:
            await send({"type": "http.response.start", "status": 200, "headers": _headers(body)})
            await send({"type": "http.response.body", "body": body})

    found = await answered(app, POST % (b"large", b""), POST % (b"b", b"connection: close\r\n"))
    assert tried == [True, False]
    assert found.endswith(b"/b\r\n\r\n")


async def test_who_is_gone_is_not_answered() -> None:
    """And nobody is told of it."""
    gone = asyncio.Event()
    tried: list[bool] = []

    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        assert await receive() == {"type": "http.disconnect"}
        tried.append(scope["extensions"][ANSWER](_lines(b""), b""))
        gone.set()

    async with asyncio.timeout(PATIENCE), served(app) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST % (b"a", b""))
        await writer.drain()
        writer.close()
        await gone.wait()
    assert tried == [False]


async def test_what_was_answered_is_no_garbage() -> None:
    """A request and its scope refer to each other by what it is answered with, and are gone at once all the same."""
    scopes: list[ref[_Left]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["left"] = left = _Left()
        scopes.append(ref(left))
        await answering(scope, receive, send)

    gc.disable()
    try:
        await answered(app, POST % (b"a", b""), POST % (b"b", b"connection: close\r\n"))
        assert scopes[0]() is None
    finally:
        gc.enable()


class _Left:
    """What an application leaves in a scope."""


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [(b"", "http"), (b"x-forwarded-proto: https\r\n", "https"), (b"x-forwarded-for: 10.0.0.1\r\n", "http")],
)
async def test_what_a_proxy_says_is_heard(headers: bytes, scheme: str) -> None:
    """By uvicorn's middleware, which is passed where there is nothing to hear."""
    found: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(dict(scope))
        await sending(scope, receive, send)

    await answered(app, POST % (b"a", headers + b"connection: close\r\n"))
    assert found[0]["scheme"] == scheme
    assert (found[0]["client"][0] == "10.0.0.1") == (b"forwarded-for" in headers)


async def test_the_scopes_of_a_connection_are_those_of_uvicorn() -> None:
    """Whatever the request before was, and whatever its application did to its scope."""
    requests = (
        POST % (b"a", b"x-forwarded-proto: https\r\nx-forwarded-for: 10.0.0.1\r\n"),
        POST % (b"a", b""),
        POST % (b"a?b=%20c", b""),
        POST % (b"%C3%BC/a", b""),
        (POST % (b"a", b"")).replace(b"POST", b"PUT"),
        POST % (b"a", b"x-one: 1\r\n"),
        (POST % (b"a", b"")).replace(b"HTTP/1.1", b"HTTP/1.0"),
    )

    async def scopes(protocol: type[HttpToolsProtocol]) -> list[Scope]:
        found: list[Scope] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            found.append({name: scope[name] for name in sorted(scope.keys() - {"extensions", "server", "client"})})
            found[-1].update(state=dict(scope["state"]), client=scope["client"][0])
            scope["state"]["left"] = scope["path"] = "here"
            await sending(scope, receive, send)

        await answered(app, *requests, protocol=protocol)
        return found

    found = await scopes(HttpProtocol)
    assert found == await scopes(HttpToolsProtocol)
    assert len(found) == len(requests)


async def test_headers_are_offered_by_their_names() -> None:
    """As those of the scope, from which they are made where they are not offered."""
    found: list[dict[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.extend([headers_of(scope), headers_of({**scope, "extensions": {}}), dict(scope["headers"])])
        await sending(scope, receive, send)

    await answered(app, POST % (b"a", b"X-One: 1\r\nconnection: close\r\n"))
    assert found[0] == found[1] == found[2]
    assert found[0][b"x-one"] == b"1"


async def test_an_idle_connection_is_closed_in_its_time() -> None:
    """So long after its last answer, however many there were before it; a request that takes longer is not cut off."""
    loop, idle = asyncio.get_running_loop(), 0.2

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep({"/quick": 0, "/slow": 2 * idle}[scope["path"]])
        await sending(scope, receive, send)

    async with asyncio.timeout(PATIENCE), served(app, idle) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in (b"quick", b"slow", b"quick"):
            writer.write(POST % (path, b""))
            await reader.readuntil(b"/%s\r\n\r\n" % path)
            await asyncio.sleep(idle / 2)
        writer.write(POST % (b"quick", b""))
        await reader.readuntil(b"/quick\r\n\r\n")
        answered_at = loop.time()
        assert await reader.read() == b""
        assert loop.time() - answered_at > 0.9 * idle
        writer.close()


async def test_a_connection_that_ends_leaves_no_timer() -> None:
    """Which would keep it for as long as it might have been idle."""
    async with asyncio.timeout(PATIENCE), served(sending) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST % (b"a", b""))
        await reader.readuntil(b"/a\r\n\r\n")
        [kept] = [each for each in gc.get_objects() if type(each) is HttpProtocol and each in each.connections]
        timer = kept.timeout_keep_alive_task
        assert timer is not None
        writer.close()
        while kept in kept.connections:  # noqa: ASYNC110  (uvicorn says it to nobody)
            await asyncio.sleep(0)
        assert timer.cancelled()
