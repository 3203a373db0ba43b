"""One execution per event, however many subscribe.

Subscriptions that are equal in document, variables but the cursor, and visibility are a group. The group executes each
event once and encodes the answer once, and the messages of events that come together are written to a socket as one
(`schema/answers.py`). Who is behind shares too, with those who read the same part of the log in the same seconds.

Measured per subscriber: 72 µs to execute, 1.3 to prepare, and what a system call takes, 3 to 12, however many events.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import replace
from inspect import isawaitable
from time import perf_counter
from typing import Any
from uuid import UUID

import orjson
import structlog
from graphql import (
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLSchema,
    create_source_event_stream,
    execute_subscription_event,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation

from db.events import OPTIONAL
from db.rows import Event
from resolvers import reactions
from resolvers.positions import Position
from resolvers.reader import Audience, Reader
from resolvers.stream import Hub
from schema.answers import CURSOR, Answer, Run, message
from schema.context import Context
from schema.documents import Document
from schema.faults import present
from schema.following import Following
from schema.limits import NUL_REFUSED, holds_nul
from schema.outbox import Outbox
from schema.plans import plan_of
from schema.watching import Solo, Watching

_log = structlog.get_logger(__name__)

_REMEMBERED = 256  # answers of a group, and as many older ones

_LONG = 0.001  # seconds of writing that are followed by as long a pause

_PERSONAL = {"AccessRevoked", "ResyncRequired"}
"""Events of one subscription alone."""


_Key = tuple[str, str | None, bytes, UUID | None]
"""Text, name of the operation, variables, and whose eyes the answers are for; None: for all."""


class Fanout:
    """The groups of this process."""

    def __init__(self, schema: GraphQLSchema, executor_class: type[Executor[Any]]) -> None:
        self._schema = schema
        self._executor_class = executor_class
        self._groups: dict[_Key, Group] = {}

    async def subscribe(
        self, operation: Operation[Context, None], document: Document, context: Context, outbox: Outbox
    ) -> Reader | Solo | list[GraphQLError]:
        """Who is to bring the events of a (valid) subscription to the outbox; or why it cannot begin."""
        begun = await self._begin(operation, document, context, outbox)
        return present(begun, context.request_id) if isinstance(begun, list) else begun

    async def _begin(
        self, operation: Operation[Context, None], document: Document, context: Context, outbox: Outbox
    ) -> Reader | Solo | list[GraphQLError]:
        variables = operation.variables or {}
        if holds_nul(variables):
            return [GraphQLError(NUL_REFUSED)]
        plan = plan_of(self._schema, document, operation.operation_name)
        executor = self._executor_class.build(
            self._schema, plan.document, None, context, variables, operation.operation_name
        )
        if isinstance(executor, list):
            return executor
        source = create_source_event_stream(executor)
        if isawaitable(source):
            source = await source
        if isinstance(source, Watching):
            return Solo(executor, source.rows, context, outbox, operation.id)
        if not isinstance(source, Following):
            return (source.errors or []) if isinstance(source, ExecutionResult) else []
        given = {name: value for name, value in variables.items() if name != plan.cursor_variable}
        variables_text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
        viewer = context.viewer.key if plan.is_per_viewer else None
        group = self._group((document.text, operation.operation_name, variables_text, viewer), executor, source.hub)
        sink = _Sink(group, context, outbox, operation.id)
        reader = sink.reader = Reader(source.hub, source.source, group, sink)
        return reader

    def _group(self, key: _Key, executor: Executor[Any], hub: Hub) -> "Group":
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(
                hub,
                executor,
                is_shared=key[-1] is None,
                # A document without the word does not ask for the part.
                needs=frozenset(part for part in OPTIONAL if part in key[0]),
                forget=lambda group: self._forget(key, group),
            )
            hub.counters.groups = len(self._groups)
        return group

    def _forget(self, key: _Key, group: "Group") -> None:
        if self._groups.get(key) is group:
            del self._groups[key]
        group.hub.counters.groups = len(self._groups)


class Group(Audience):
    """Subscriptions that get the same answers. What the hub hands on is executed and passed on in its order."""

    def __init__(
        self,
        hub: Hub,
        executor: Executor[Any],
        *,
        is_shared: bool,
        needs: frozenset[str],
        forget: Callable[["Group"], None],
    ) -> None:
        """`executor` is that of any of them: but for the cursor they are equal."""
        super().__init__(hub, needs=needs)
        self.run = Run()
        """What is being offered to the readers."""
        self._executor = executor
        self._is_shared = is_shared
        self._forget = forget
        self._heard: deque[Event | int | tuple[Reader, Event]] = deque()
        """Events, horizons behind those before them, and events for a single reader."""
        self._worker: asyncio.Task[None] | None = None
        self._answers: dict[Hashable, Answer | asyncio.Future[Answer]] = {}
        self._older: dict[Hashable, Answer | asyncio.Future[Answer]] = {}

    def leave(self, reader: Reader) -> None:
        super().leave(reader)
        if not self.members:
            self._forget(self)

    def hear(self, event: Event) -> None:
        self._heard.append(event)
        self._work()

    def tell(self, reader: Reader, event: Event) -> None:
        self._heard.append((reader, event))
        self._work()

    def advance(self, horizon: int) -> None:
        self._heard.append(horizon)
        self._work()

    async def answer(self, event: Event, context: Context) -> "Answer":
        """The answer to an event, from memory if it was given a moment ago. `context` is the asking subscription's."""
        if event.kind in _PERSONAL:
            own = self._execute(event, context.for_event())
            return await own if isawaitable(own) else own
        key = event.identity
        found = self._answers.get(key) or self._older.get(key)
        if found is None:
            if len(self._answers) >= _REMEMBERED:
                self._forget_older()
            executing = self._execute(event, context.for_event(is_shared=self._is_shared))
            found = self._answers[key] = asyncio.ensure_future(executing) if isawaitable(executing) else executing
        return await asyncio.shield(found) if isinstance(found, asyncio.Future) else found

    def _work(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._pass_on(), name="group")

    async def _pass_on(self) -> None:
        while self._heard:
            heard = self._heard.popleft()
            if isinstance(heard, int):
                self._forget_older()
                super().advance(heard)
            elif isinstance(heard, tuple):
                await self._tell(*heard)
            elif self.readers(heard.conversation_key):
                begun = perf_counter()
                await self._offer(heard)
                # A burst to many sockets takes a while. Everybody else gets as long, and what they send comes as one.
                pause = took if (took := perf_counter() - begun) > _LONG else 0
                if pause:
                    self.hub.rest(heard.conversation_key, pause)
                await asyncio.sleep(pause)

    async def _offer(self, first: Event) -> None:
        """Offer the event, and those that follow it and were heard while what was before them was written."""
        self.run = Run()
        event: Event | None = first
        while event is not None and (answer := await self._shown(event)):
            self.run.add(event, answer)
            event = self._follower()
        if self.run.events:
            for reader in self.readers(first.conversation_key):
                reader.offer(self.run.events)
        if event is not None:
            self.miss(first.conversation_key)  # to the log, where the viewer's rights are looked at

    async def _tell(self, reader: Reader, event: Event) -> None:
        if answer := await self._shown(event):
            self.run = Run()
            self.run.add(event, answer)
            super().tell(reader, event)
        else:
            reader.fall_behind()

    async def _shown(self, event: Event) -> Answer | None:
        """The answer that all may see, if there is one."""
        try:
            answer = await self.answer(event, self._executor.context_value)
        except Exception:  # noqa: BLE001  (a fault of ours: it is told, and each reader meets it and tells its client)
            _log.exception("event_failed", kind=event.kind, revision=event.revision)
            return None
        return None if answer.is_refused else answer

    def _follower(self) -> Event | None:
        """Take what was heard next, if the run goes on with it."""
        following = self._heard[0] if self._heard else None
        if not isinstance(following, Event) or not self.run.goes_on_with(following):
            return None
        self._heard.popleft()
        return following

    def _forget_older(self) -> None:
        """Answers are remembered for one or two looks of the hub, in which those who were cut off together come back."""
        self._answers, self._older = {}, self._answers

    def _execute(self, event: Event, context: Context) -> Answer | Coroutine[Any, Any, Answer]:
        """At once, where nothing has to be read for it."""
        self.hub.counters.executions += 1
        event = event if self._is_shared else reactions.seen_by(event, context.viewer.key)
        executor = self._executor.build_per_event_executor(replace(event, cursor=CURSOR))
        executor.context_value = context
        result = execute_subscription_event(executor)
        return _answer(result, context) if isawaitable(result) else Answer(result, context.request_id)


async def _answer(result: Awaitable[ExecutionResult], context: Context) -> Answer:
    return Answer(await result, context.request_id)


class _Sink:
    """A subscription on a socket: the sink of its reader."""

    reader: Reader

    def __init__(self, group: Group, context: Context, outbox: Outbox, id_: str) -> None:
        self._group = group
        self._context = context
        self._outbox = outbox
        self._id = orjson.dumps(id_)

    def push(self, _events: Sequence[Event], position: Position) -> bool:
        outbox = self._outbox
        if not outbox.has_room:
            return False
        prepared = self._group.run.prepare(position, len(self._id))
        if not outbox.write(self._id.join(prepared.frames)):
            for payload in prepared.payloads:
                outbox.push(message(self._id, payload))
        self._group.hub.counters.deliveries += len(prepared.payloads)
        return True

    async def send(self, event: Event) -> None:
        answer = await self._group.answer(event, self._context)
        if not answer.is_refused:
            self._group.hub.counters.deliveries += 1
            await self._outbox.send(message(self._id, answer.payload(self.reader.position)))
