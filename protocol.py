"""The protocols of the server: uvicorn's, where it can be written to at once, and websockets end within a bounded time.

A transport that is closed first writes out what it holds. To a peer that is gone without a word, or that reads no more,
it never can: the connection would stay for good with all that was meant for it, and the application would not hear of
its end. So every end that uvicorn begins gets a deadline here.

ASGI's `send` is a coroutine that waits for the transport. To one socket that is right; an event for a thousand of them
would be a thousand tasks. The extension PUSH of the connection's scope is a function that writes frames, ready-made, if
the transport takes them now, and else says no. It goes past websockets' connection, which keeps no account of whole
messages that are sent, as long as no extension of the websocket was agreed on; then PUSH is not offered.

Over HTTP an answer takes `send` twice, which looks at each header with two expressions. The extension ANSWER writes one that
is there as a whole, and BODY takes a body that is, for which `receive` waits nevertheless. HEADERS are those of the request
by their names, made once for all who look something up in them.

Nearly all requests of a connection begin with the same line, so what their scopes have in common is made once for them.
uvicorn's `limit_concurrency`, which nothing here sets, is not looked at. Read from uvicorn 0.54 and websockets 17.4.
"""

import asyncio
from functools import partial
from typing import Any, cast
from urllib.parse import unquote
from weakref import ref

from httptools import parse_url
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN

from web.extensions import ANSWER, BODY, HEADERS, PUSH

_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})
"""The headers that uvicorn's middleware looks for."""

_GRACE = 1.0  # seconds for what is still to be written
_NO_PONG = 1013, "a ping was not answered; connect again"


class HttpProtocol(HttpToolsProtocol):
    """Offers ANSWER, BODY and HEADERS, and passes uvicorn's middleware for proxies where no header is a proxy's.

    uvicorn sets a timer behind each answer, and takes it back with the next request. Here one that is set stays, and sees
    when it is due for how long the connection has been idle.
    """

    _idle_since: float | None = None
    """By the loop's clock; None: it is not."""

    _line: tuple[bytes, bytes, str] | None = None
    """Method, URL and version of the last request."""
    _alike: HTTPScope
    """What its scope has in common with that of the next one that begins like it."""

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None  # something has come

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_in(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return  # the next answer looks again
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_in(left)
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def _look_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        line = self.parser.get_method(), self.url, self.parser.get_http_version()
        if line != self._line:
            self._line, self._alike = line, self._scope_of(*line)
        self.scope = {**self._alike, "headers": self.headers, "state": self.app_state.copy()}
        if self.parser.should_upgrade() and self._should_upgrade():
            return
        before = cast("RequestResponseCycle | None", self.cycle)
        self.cycle = _Exchange(self)
        if before is not None and not before.response_complete:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def _scope_of(self, method: bytes, url: bytes, version: str) -> HTTPScope:
        """What the scopes of all requests of this connection have in common that begin with this line."""
        parsed = parse_url(url)
        root = self.root_path
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": root,
            "method": method.decode("ascii"),
            "path": root + unquote(parsed.path.decode("ascii")),
            "raw_path": root.encode("ascii") + parsed.path,
            "query_string": parsed.query or b"",
            "headers": [],
            "state": {},
        }

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        extensions = cast("dict[str, Any]", cycle.scope)["extensions"]
        if type(app) is ProxyHeadersMiddleware and _FORWARDED.isdisjoint(extensions[HEADERS]):
            app = app.app
        super()._start_asgi_task(cycle, app)


class _Exchange(RequestResponseCycle):
    """A request and its answer, as uvicorn makes them; what is the same in the beginning of each is the class's."""

    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding = None
    expected_content_length = 0

    def __init__(self, protocol: HttpProtocol) -> None:
        """Of the protocol's scope."""
        self.scope = scope = protocol.scope
        self.transport = protocol.transport
        self.flow = protocol.flow
        self.logger = protocol.logger
        self.access_logger = protocol.access_logger
        self.access_log = protocol.access_log
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = protocol.on_response_complete
        self.keep_alive = scope["http_version"] != "1.0" and protocol.parser.should_keep_alive()
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.body = bytearray()
        of = ref(self)  # more than that, and both would wait for the garbage collector
        cast("dict[str, Any]", scope)["extensions"] = {
            ANSWER: partial(_answer, of),
            BODY: partial(_body, of),
            HEADERS: dict(scope["headers"]),
        }


def _body(of: "ref[_Exchange]") -> bytes | None:
    """The body in the place of `receive`, which does the same; None: it has not come as a whole, or the peer is gone.

    `of` is the request, as below.
    """
    cycle = of()
    if cycle is None or cycle.more_body or cycle.disconnected or cycle.response_complete:
        return None
    cycle.flow.resume_reading()
    cycle.message_event.clear()
    body, cycle.body = bytes(cycle.body), bytearray()
    return body


def _answer(of: "ref[_Exchange]", headers: bytes, body: bytes) -> bool:
    """Answer with the status 200 in the place of `send`, and do what it does; False: not now, or not any more.

    `of` is the request, which has the scope that this is in.
    """
    cycle = of()
    if cycle is None or cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
        return False
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    lines = [STATUS_LINE[200]]
    for name, value in cycle.default_headers:
        lines += name, b": ", value, b"\r\n"
    lines += headers, b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body
    cycle.transport.write(b"".join(lines))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Aborts the connection where its end takes too long."""

    _deadline: asyncio.TimerHandle | None = None

    def keepalive_timeout(self) -> None:
        """Close with a code that clients connect again after; uvicorn's 1011 is final for graphql-ws.

        A laptop that wakes up finds this close waiting.
        """
        self.stop_keepalive()
        if not self.close_sent and not self.transport.is_closing():
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
            self.conn.fail(*_NO_PONG)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        self._abort_in(_GRACE)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._abort_in(_GRACE)

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._abort_in(_GRACE)

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_in(_GRACE)

    def push(self, frames: bytes) -> bool:
        """Write messages in the place of `send`; False: not now, or not any more. Nothing sent before may be under way."""
        # OPEN is from the answer to the handshake to the first close frame, of either side.
        if self.conn.state is not OPEN or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(frames)
        return True

    async def run_asgi(self) -> None:
        if not self.conn.extensions:
            cast("dict[str, object]", self.scope["extensions"])[PUSH] = self.push
        await super().run_asgi()
        # A close of the application's, after which it ends, leaves the peer this long to answer.
        self._abort_in(_GRACE + (self.close_timeout if self.close_timer else 0))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _abort_in(self, seconds: float) -> None:
        """The earliest of several deadlines counts."""
        moment = self.loop.time() + seconds
        # A transport that is lost must be left alone.
        if self.disconnected or (self._deadline and self._deadline.when() <= moment):
            return
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_at(moment, self.transport.abort)
