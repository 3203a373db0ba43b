"""The way in and out: HTTP, server-sent events and websockets, with one answer to the question who is asking."""

from collections.abc import Callable
from datetime import timedelta
from random import getrandbits
from types import NoneType
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from db.pool import DatabaseUnavailableError
from resolvers.errors import BadUserInputError, RequestError, UnauthenticatedError, UnavailableError
from resolvers.identity import Caller, Identity
from resolvers.service import Service
from resolvers.tokens.bearer import bearer
from resolvers.tokens.errors import InvalidTokenError
from schema import limits
from schema.context import Context
from schema.faults import MASKED
from schema.registry import Sockets
from schema.schema import Schema
from schema.sockets import SocketAdapter, SocketHandler
from web.extensions import ANSWER, BODY, Answer, headers_of

_log = structlog.get_logger(__name__)

REQUEST_ID = "x-request-id"
"""The response header that names a request as its errors and the log do."""

_REQUEST_ID = REQUEST_ID.encode()
VARY = b"vary", b"Origin"
"""All that a browser's rules are to an answer of the same origin: a cache must not give it to another."""

_HEADERS = b"content-type: application/json\r\ncontent-length: %%b\r\n%b: %%b\r\n%b: %b\r\n" % (_REQUEST_ID, *VARY)
"""Of an answer at once, which there is none to another origin; without its length and the request's ID."""

_BEARER = b"Bearer "
_INIT_TIMEOUT = timedelta(seconds=5)
_JSON = b"application/json"
_TEXT, _OBJECT = (str, NoneType), (dict, NoneType)
_STATUS = {"UNAUTHENTICATED": 401, "UNAVAILABLE": 503}
_NOT_FOUND = 404  # what the view says of a GET without a query
_NO_QUERY = "there is no query: POST one as JSON, { query, variables }; the GraphiQL page is at /"


class _TooLargeError(BadUserInputError):
    """The body of the request."""


class Endpoint(GraphQL[Context, None]):
    """Strawberry's ASGI view, for callers with tokens."""

    graphql_transport_ws_handler_class = SocketHandler
    websocket_adapter_class = SocketAdapter

    def __init__(
        self,
        schema: Schema,
        running: Callable[[], tuple[Service, Identity]],
        *,
        is_origin_allowed: Callable[[str], bool],
        max_request_bytes: int,
        max_operations: int,
        sockets: Sockets,
    ) -> None:
        """`running` gives what is there once the application has started."""
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
            connection_init_wait_timeout=_INIT_TIMEOUT,
            max_subscriptions_per_connection=max_operations,
        )
        self.schema: Schema = schema
        self.documents = schema.documents
        self._running = running
        self._is_origin_allowed = is_origin_allowed
        self._max_request_bytes = max_request_bytes
        self.sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await super().__call__(scope, receive, send)
            return
        headers = headers_of(scope)
        try:
            if scope["method"] == "POST" and _is_single(headers):
                await self._answer(scope, headers, receive, send)
                return
            response = await self.run(Request(scope, self._limited(receive)))
        except _TooLargeError as error:
            response = _refusal(error, 413)
        except RequestError as error:
            response = _refusal(error, _STATUS.get(error.code, 400))
        except HTTPException as error:
            reason = _NO_QUERY if error.status_code == _NOT_FOUND else error.reason
            response = _refusal(BadUserInputError(reason), error.status_code)
        except CannotGetOperationTypeError as error:
            response = _refusal(BadUserInputError(error.as_http_error_reason()), 400)
        except MissingQueryError:
            response = _refusal(BadUserInputError("the body has no query"), 400)
        except ClientDisconnect:
            return  # in the middle of its request: there is nobody to answer
        except Exception:  # noqa: BLE001  (it is logged, and told as far as clients may know)
            response = _fault()
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        """One operation, as JSON to JSON: what strawberry's view does with it, without an object for each step of it."""
        authorization = headers.get(b"authorization")
        context = self.new_context(self._remembered(authorization) or await self._caller(authorization))
        taken: bytes | None = scope.get("extensions", {}).get(BODY, _nothing)()
        raw = await self._body_of(receive) if taken is None else taken
        self._check_size(len(raw))
        context.is_free_of_nul = limits.ESCAPED_NUL not in raw
        body = self.parse_json(raw)
        query, variables = body.get("query"), body.get("variables")
        if not isinstance(query, _TEXT):
            raise HTTPException(400, "query must be a string")
        if not isinstance(variables, _OBJECT):
            raise HTTPException(400, "variables must be an object")
        if not isinstance(body.get("extensions"), _OBJECT):
            raise HTTPException(400, "extensions must be an object")
        result = await self.schema.execute(query, variables, context, operation_name=body.get("operationName"))
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        payload = orjson.dumps(answer)
        length, request_id = b"%d" % len(payload), context.request_id.encode()
        at_once: Answer = scope.get("extensions", {}).get(ANSWER, _never)
        if not at_once(_HEADERS % (length, request_id), payload):
            told = [(b"content-type", _JSON), (b"content-length", length), (_REQUEST_ID, request_id)]
            await send({"type": "http.response.start", "status": 200, "headers": told})
            await send({"type": "http.response.body", "body": payload})

    def is_websocket_origin_allowed(self, _request: WebSocket, origin: str) -> bool:
        return self._is_origin_allowed(origin)

    def _remembered(self, authorization: bytes | None) -> Caller | None:
        """Who sends this header, where that is known without waiting for anything; None: `_caller` has to look."""
        if authorization is None or not authorization.startswith(_BEARER):
            return None  # which has other spellings, that are looked at closer
        return self._running()[1].remembered(authorization[len(_BEARER) :])

    def new_context(self, caller: Caller | None) -> Context:
        return Context(self._running()[0], caller, _request_id(), stopping=self.sockets.stopping)

    async def caller_of(self, token: str | None) -> Caller:
        """Who sends this token; raises UnauthenticatedError or UnavailableError."""
        if token is None:
            raise UnauthenticatedError("there is no token in connection_init: { Authorization: 'Bearer …' }")
        try:
            return await self._running()[1].caller(token)
        except DatabaseUnavailableError as error:
            raise UnavailableError(str(error)) from error

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        if isinstance(request, WebSocket) or isinstance(response, WebSocket):
            return self.new_context(None)
        header = request.headers.get("authorization")
        context = self.new_context(await self._caller(header.encode("latin-1") if header is not None else None))
        response.headers[REQUEST_ID] = context.request_id
        return context

    async def _caller(self, authorization: bytes | None) -> Caller | None:
        """Who sends this header; None: nobody says who it is. Raises as `caller_of` does."""
        if authorization is None:
            return None
        try:
            return await self.caller_of(bearer(authorization.decode("latin-1")))
        except InvalidTokenError as error:
            raise UnauthenticatedError(str(error)) from error

    def parse_json(self, data: str | bytes) -> Any:  # noqa: ANN401  (strawberry's signature)
        try:
            parsed = self.decode_json(data)
        except orjson.JSONDecodeError as error:
            raise HTTPException(400, f"the body is not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise HTTPException(400, "the body must be a JSON object: { query, variables, operationName }")
        if not isinstance(parsed.get("operationName"), _TEXT):
            raise HTTPException(400, "operationName must be a string")
        return parsed

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        return orjson.dumps(data).decode()

    def _limited(self, receive: Receive) -> Receive:
        """`receive`, until the body outgrows the limit."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            self._check_size(seen)
            return message

        return limited

    async def _body_of(self, receive: Receive) -> bytes:
        """The same, all at once."""
        message = await receive()
        body = bytearray(message.get("body", b""))
        self._check_size(len(body))
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
            self._check_size(len(body))
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return bytes(body)

    def _check_size(self, seen: int) -> None:
        if seen > self._max_request_bytes:
            raise _TooLargeError(f"the body is larger than {self._max_request_bytes} bytes")


def _is_single(headers: dict[bytes, bytes]) -> bool:
    """Whether it is JSON that is posted, and no stream that is asked for."""
    kind = headers.get(b"content-type", b"")
    is_json = kind == _JSON or kind.partition(b";")[0].strip().lower() == _JSON
    return is_json and b"text/event-stream" not in headers.get(b"accept", b"")


def _request_id() -> str:
    return getrandbits(128).to_bytes(16).hex()  # it is no secret, and costs no call of the system


def _nothing() -> None:
    """Where there is no body to be taken as a whole."""


def _never(_headers: bytes, _body: bytes) -> bool:
    """Where a whole answer cannot be written at once."""
    return False


def _refusal(error: RequestError, status: int) -> Response:
    """A request that is refused before any GraphQL is run."""
    response = _error_response(str(error), error.code, status, _request_id())
    if status == _STATUS["UNAUTHENTICATED"]:
        response.headers["www-authenticate"] = 'Bearer realm="parley"'
    return response


def _fault() -> Response:
    """A fault of ours outside any GraphQL."""
    request_id = _request_id()
    _log.exception("request_failed", request_id=request_id)
    return _error_response(MASKED, "INTERNAL", 500, request_id)


def _error_response(message: str, code: str, status: int, request_id: str) -> Response:
    body = {"errors": [{"message": message, "extensions": {"code": code, "requestId": request_id}}]}
    return JSONResponse(body, status, {REQUEST_ID: request_id})
