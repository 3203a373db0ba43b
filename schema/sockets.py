"""graphql-transport-ws: strawberry's handler, with who is asking, and hardened where it falls short.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler, Operation

from resolvers.attendance import Attendance
from resolvers.errors import RequestError, UnauthenticatedError, UnavailableError
from resolvers.identity import Caller
from resolvers.tokens.bearer import token_from_params
from resolvers.tokens.errors import ExpiredTokenError, InvalidTokenError
from schema.context import Context
from schema.faults import present
from schema.outbox import Outbox
from schema.registry import STOPPING
from web.extensions import PUSH, Push

if TYPE_CHECKING:
    from schema.endpoint import Endpoint

# Clients take 4401 for fatal and connect again after 4403 with a fresh token: an expired token is the latter.
_UNAUTHORIZED, _FORBIDDEN, _TRY_AGAIN_LATER, _BAD_REQUEST = 4401, 4403, 1013, 4400
_FINISH = 2.0  # seconds that queries and mutations get to end
_LONGEST_REASON = 123  # bytes; RFC 6455, 5.5.1


class SocketAdapter(ASGIWebSocketAdapter):
    """Strawberry's, for reasons of any length: some hold what the client sent, and too long a one closes abnormally."""

    async def close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect):  # the peer went while the close waited to be written
            await super().close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))

    @property
    def push(self) -> Push:
        """Sends frames at once, or says that it cannot: the server's own extension, where it has one."""
        found: Push = self.ws.scope.get("extensions", {}).get(PUSH, _never)
        return found

    async def send_text(self, text: str) -> None:
        try:
            await self.ws.send_text(text)
        except WebSocketDisconnect as error:
            raise WebSocketDisconnected from error


class SocketHandler(BaseGraphQLTransportWSHandler[Context, None]):
    """One socket. Every operation on it has a context of its own, so that nothing loaded for one answers another."""

    view: "Endpoint"
    websocket: SocketAdapter

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  (strawberry's signature)
        super().__init__(*args, **kwargs)
        self._caller: Caller | None = None
        self._expiry: asyncio.Task[None] | None = None
        self._outbox = Outbox(self.websocket.send_text, self.websocket.push)
        self._is_retiring = False
        self._attendance: Attendance | None = None

    @property
    def context(self) -> Context:
        return self.view.new_context(self._caller)

    @context.setter
    def context(self, _context: Context) -> None:
        """Strawberry's own would be one for the whole life of the socket."""

    async def handle_message(self, message: Any) -> None:  # noqa: ANN401  (any JSON)
        complaint = _complaint(message)
        if complaint:
            await self.handle_invalid_message(complaint)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: Any) -> None:  # noqa: ANN401
        if not self.connection_init_received:
            try:
                self._caller = await self.view.caller_of(token_from_params(message.get("payload") or {}))
            except (RequestError, InvalidTokenError) as error:
                self._cancel_init_timeout()
                await self.close(_close_code(error), str(error))
                return
            if refusal := self.view.sockets.enter(self, self._caller.user.id):
                self._cancel_init_timeout()
                await self.close(*refusal)
                return
            self._expiry = asyncio.create_task(self._expire(self._caller.expires_at))
        await super().handle_connection_init({"type": "connection_init", "payload": message.get("payload") or {}})
        if self._caller is not None and self._attendance is None:
            self._attendance = self.context.service.attendance
            self._attendance.enter(self._caller.user.key)

    async def handle_subscribe(self, message: Any) -> None:  # noqa: ANN401
        if self._is_retiring:
            return  # the close that follows has clients send it again elsewhere; an error would be final
        if self.max_subscriptions_per_connection and len(self.operations) >= self.max_subscriptions_per_connection:
            error = GraphQLError(f"{len(self.operations)} operations are under way on this socket; end one first")
            payload = [told.formatted for told in present([error], self.context.request_id)]
            await self.send_message({"id": message["id"], "type": "error", "payload": payload})
            return
        await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[Context, None]) -> None:
        """Queries and mutations are strawberry's to run; subscriptions share their executions."""
        with suppress(WebSocketDisconnected):
            if self._is_subscription(operation):
                await self._follow(operation)
            else:
                await super().run_operation(operation)

    def _is_subscription(self, operation: Operation[Context, None]) -> bool:
        selected = self.view.documents.get(operation.query).operation(operation.operation_name)
        return selected is not None and selected.operation is OperationType.SUBSCRIPTION

    async def _follow(self, operation: Operation[Context, None]) -> None:
        context, document = self.context, self.view.documents.get(operation.query)
        try:
            begun = await self.view.schema.fanout.subscribe(operation, document, context, self._outbox)
            if not isinstance(begun, list):
                await begun.run()
        except WebSocketDisconnected:
            raise
        except Exception as error:  # noqa: BLE001  (whatever it was, the client is told: a stream never ends in silence)
            begun = present([GraphQLError(str(error), original_error=error)], context.request_id)
        if isinstance(begun, list):
            await operation.send_initial_errors(begun)
        else:
            await operation.send_operation_message({"id": operation.id, "type": "complete"})

    async def send_message(self, message: Any) -> None:  # noqa: ANN401  (any of the protocol's messages)
        await self._outbox.send(self.view.encode_json(message))

    async def handle_invalid_message(self, error_message: str) -> None:
        await self.close(_BAD_REQUEST, error_message)

    async def close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnected, RuntimeError):  # it may be closed or closing already
            await self.websocket.close(code, reason)

    async def retire(self) -> None:
        """Begin nothing more, finish what runs, and close."""
        self._is_retiring = True
        running = [each.task for each in self.operations.values() if each.task and not self._is_subscription(each)]
        if running:
            await asyncio.wait(running, timeout=_FINISH)
        await self._outbox.flush()
        await self.close(*STOPPING)

    async def shutdown(self) -> None:
        self.view.sockets.leave(self)
        if self._attendance is not None and self._caller is not None:
            self._attendance.leave(self._caller.user.key)
            self._attendance = None
        if self._expiry:
            self._expiry.cancel()
        await super().shutdown()
        await self._outbox.close()

    @staticmethod
    def _get_pre_execution_close_reason(_error: GraphQLError) -> str | None:
        """A document that does not parse ends its own operation, not its neighbours'."""
        return None

    def _cancel_init_timeout(self) -> None:
        if self.connection_init_timeout_task:
            self.connection_init_timeout_task.cancel()

    async def _expire(self, moment: datetime) -> None:
        await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))
        await self.close(_FORBIDDEN, "the token expired; connect again with a fresh one")


def _never(_frames: bytes) -> bool:
    return False


def _complaint(message: object) -> str | None:
    """What is wrong with a message's shape."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "a message is an object with a type"
    payload = message.get("payload")
    if message["type"] in {"connection_init", "ping", "pong"}:
        return None if isinstance(payload, dict | None) else "a payload is an object"
    if not isinstance(message.get("id"), str) or not message["id"]:
        return "id must be a non-empty string"
    return _subscribe_complaint(payload) if message["type"] == "subscribe" else None


def _subscribe_complaint(payload: object) -> str | None:
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "the payload of subscribe needs a query, which is a string"
    if not isinstance(payload.get("variables"), dict | None):
        return "variables must be an object"
    return None if isinstance(payload.get("operationName"), str | None) else "operationName must be a string"


def _close_code(error: Exception) -> int:
    if isinstance(error, UnavailableError):
        return _TRY_AGAIN_LATER
    expired = isinstance(error, UnauthenticatedError) and isinstance(error.__cause__, ExpiredTokenError)
    return _FORBIDDEN if expired else _UNAUTHORIZED
