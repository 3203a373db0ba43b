"""Parley's own types, over rows that no database has: whatever can be selected of them without asking one."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

import strawberry
from graphql import GraphQLInterfaceType, GraphQLObjectType
from strawberry.schema.config import StrawberryConfig

from db import rows
from db.keys import MessageKey
from db.paging import Rows
from resolvers import errors
from resolvers.pages import Page
from schema import events
from schema.conversations import Conversation, ConversationConnection
from schema.documents import Prepared
from schema.messages import Message, MessageConnection
from schema.mutations.outcomes import Outcome
from schema.mutations.sending import SendMessagePayload
from schema.nodes import Node
from schema.participants import ParticipantConnection
from schema.scalars import DateTime
from schema.subscriptions import Subscription
from schema.users import User, UserConnection
from tests.schema.compiled.documents import Atlas, Choices, Operation
from tests.schema.compiled.executors import STOCK, Executor
from tests.schema.compiled.recipes import Called, Fresh, Just, Later, Listed, Raise, Recipe, Shared
from tests.schema.compiled.trials import Schema


@strawberry.type
class Query:
    conversation: Conversation | None
    conversations: ConversationConnection
    message: Message | None
    messages: MessageConnection
    users: UserConnection
    user: User
    participants: ParticipantConnection | None
    node: Node | None
    nodes: list[Node | None]
    event: events.ConversationEvent | None
    events: events.ConversationEventConnection
    sent: SendMessagePayload


def build(executor: type[Executor], _variant: str) -> Schema:
    """As schema.schema builds it, with a query that has its rows beneath it."""
    built: Schema = Schema(
        query=Query,
        subscription=Subscription,
        types=events.TYPES,
        config=StrawberryConfig(scalar_map={datetime: DateTime}),
        extensions=[lambda: Prepared(built.documents)],
        execution_context_class=executor,
    )
    return built


_FROM_ROWS: Final = {"edge", "added", "removed", "message"}
"""Fields with resolvers that need no more than the row (and of an event its conversation, which it has here)."""


def atlas() -> Atlas:
    """Without the fields that ask the database."""
    schema = build(STOCK, "")._schema

    def has(type_: str, name: str) -> bool:
        described = schema.type_map[type_]
        assert isinstance(described, GraphQLObjectType | GraphQLInterfaceType)
        definition = described.fields[name].extensions.get("strawberry-definition")
        is_plain = definition is None or definition.base_resolver is None or name in _FROM_ROWS
        is_of_event = name == "conversation" and issubclass(definition.origin, events.ConversationEvent)
        is_along = definition is not None and "along" in definition.metadata
        return is_plain or is_of_event or is_along or type_ == "Subscription"

    return Atlas(schema, has)


def _cursor(row: Any) -> str:
    return f"after {getattr(row, 'id', type(row).__name__)}"


_WORDS: Final = ("a", "", 'ü "\u2028\n', "longer than the others")
_FLAGS: Final = (True, False)
_NUMBERS: Final = (1, 0, 2**31 - 1, 7)
_MOMENTS: Final = (
    datetime(2026, 11, 20, 19, 22, 1, 123456, tzinfo=UTC),
    datetime(1969, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
)
_KEYS: Final = tuple(UUID(int=number) for number in (1, 2**127, 0x0193_0000_0000_7000_8000_0000_0000_0001))
_KINDS: Final = tuple(type_.__name__ for type_ in events.TYPES)
_SURPRISES: Final[tuple[Recipe, ...]] = (
    Just(None),
    Just(True),
    Just(3),
    Just(1.5),
    Just("7"),
    Just(2**31),
    Just(b"bytes"),
    Just(datetime(2026, 1, 1)),  # noqa: DTZ001  (that is the surprise)
    Fresh(list),
    Fresh(lambda: ["a", None]),
    Fresh(object),
    Fresh(lambda: errors.NotFoundError("nothing there")),
    Later(Just("a")),
    Later(Raise(lambda: errors.NotFoundError("nothing there"))),
)


class _Whatever:
    """Is what was asked for, whatever it is."""

    def __eq__(self, _other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # nothing looks for it


class Nature:
    """Makes the rows of one execution; of a hundred, `surprises` have a value that their type does not allow."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._surprises = choices.of((0, 0, 8, 30))

    def roots(self, operation: Operation) -> list[Recipe]:
        if operation.kind == "subscription":
            return [self._event() for _ in range(self._choices.of((2, 1, 3)))]
        makers = {
            "conversation": self._conversation,
            "conversations": lambda: self._page(self._conversation),
            "message": self._message,
            "messages": lambda: self._page(self._message),
            "users": lambda: self._page(self._user),
            "user": self._user,
            "participants": lambda: self._page(self._participant),
            "node": self._node,
            "nodes": lambda: self._several(self._node),
            "event": self._event,
            "events": lambda: self._page(self._event),
            "sent": self._outcome,
        }
        return [Called(Root, {name: makers[name]() for name in operation.wanted})]

    def _row(self, of: type, **attributes: Recipe | Sequence[Any]) -> Recipe:
        """With one of the values of each attribute; which, is one choice for all of them."""
        choice = self._choices.below(60)
        recipes = {
            name: Just(it[(choice + choice // 7 * number) % len(it)]) if isinstance(it, Sequence) else it
            for number, (name, it) in enumerate(attributes.items())
        }
        if self._choices.is_so(self._surprises):
            recipes[self._choices.of(list(recipes))] = self._choices.of(_SURPRISES)
        return Called(of, recipes)

    def _maybe(self, maker: Callable[[], Recipe]) -> Recipe:
        return maker() if self._choices.below(4) else Just(None)

    def _several(self, maker: Callable[[], Recipe]) -> Recipe:
        items = [maker() for _ in range(self._choices.of((2, 1, 0, 3)))]
        if items and self._choices.is_so(10):
            items = [Shared(items[0])] * 2
        if self._choices.is_so(self._surprises):
            items.append(self._choices.of(_SURPRISES))
        return Listed(items, self._choices.of((list, tuple, rows.CachedList)))

    def _page(self, maker: Callable[[], Recipe]) -> Recipe:
        return self._row(
            Page,
            nodes=self._several(maker),
            has_previous=_FLAGS,
            has_next=_FLAGS,
            total_count=_NUMBERS,
            cursor=Just(_cursor),
        )

    def _node(self) -> Recipe:
        return self._choices.of((self._message, self._user, self._conversation))()

    def _user(self) -> Recipe:
        addresses = ("https://example.org/a.png", None)
        return self._row(rows.User, key=_KEYS, handle=_WORDS, given_name=("Ada", None), avatar_url=addresses)

    def _watermarks(self) -> Recipe:
        keys, numbers = (None, *_KEYS), (None, *_NUMBERS)
        return self._row(
            rows.Watermarks,
            last_reader=keys,
            read=numbers,
            read_next=numbers,
            last_receiver=keys,
            delivered=numbers,
            delivered_next=numbers,
        )

    def _message(self, *, is_reply: bool = False) -> Recipe:
        return self._row(
            self._choices.of((rows.Message, rows.CachedMessage)),
            conversation_key=_KEYS,
            seq=(1, 2, 50),
            sender_key=(None, *_KEYS),
            client_message_id=("mine", None),
            kind=("TEXT", "SYSTEM", "NOTIFICATION"),
            format=("PLAIN", "MARKDOWN"),
            body=_WORDS,
            reply_to_seq=(None,),
            created_at=_MOMENTS,
            edited_at=(None, *_MOMENTS),
            deleted_at=(None, *_MOMENTS),
            user=self._maybe(self._user),
            reply_to=Just(None) if is_reply else self._maybe(lambda: self._message(is_reply=True)),
            watermarks=self._watermarks(),
            mentions=self._several(self._user),
            reply_count=_NUMBERS,
            notice=self._maybe(self._notice),
        )

    def _notice(self) -> Recipe:
        return self._row(
            rows.Notice,
            kind=("PARTICIPANT_LEFT", "TITLE_CHANGED"),
            actor=self._maybe(self._user),
            users=self._several(self._user),
            title=(None, *_WORDS),
        )

    def _context(self) -> Recipe:
        return self._row(rows.ConversationContext, type=_WORDS, id=_WORDS, title=(*_WORDS, None), url=(None, *_WORDS))

    def _viewer_state(self) -> Recipe:
        return self._row(
            rows.ViewerState,
            role=("OWNER", "MEMBER"),
            last_seq=_NUMBERS,
            last_read_seq=_NUMBERS,
            last_delivered_seq=_NUMBERS,
            archived_seq=(None, *_NUMBERS),
            is_pinned=_FLAGS,
            muted_until=(None, *_MOMENTS),
            unread_from_seq=(None, *_NUMBERS),
        )

    def _conversation(self) -> Recipe:
        return self._row(
            rows.Conversation,
            key=_KEYS,
            kind=("DIRECT", "GROUP"),
            title=(*_WORDS, None),
            context=self._maybe(self._context),
            created_at=_MOMENTS,
            last_activity_at=_MOMENTS,
            last_seq=_NUMBERS,
            revision=_NUMBERS,
            history=("ALL", "FROM_JOINING"),
            viewer_state=self._viewer_state(),
            others=(("Ada", "Grace"), ()),
            others_count=(5, 0),
            last_message=self._maybe(self._message),
            along_messages=self._along(self._several(self._message)),
            along_participants=self._along(
                self._row(
                    Rows,
                    rows=self._several(self._participant),
                    has_previous=_FLAGS,
                    has_next=_FLAGS,
                    total=(None, *_NUMBERS),
                )
            ),
        )

    def _along(self, read: Recipe) -> Recipe:
        """Pages that were read along, mostly; to read any other there is no database here."""
        if self._choices.is_so(5):
            return Just(None)
        return Listed([Just(_Whatever() if self._choices.below(20) else None), read], tuple)

    def _participant(self) -> Recipe:
        return self._row(
            rows.Participant,
            conversation_key=_KEYS,
            user=self._user(),
            role=("OWNER", "ADMIN", "MEMBER"),
            joined_at=_MOMENTS,
            last_read_seq=_NUMBERS,
            last_read_at=(None, *_MOMENTS),
            last_delivered_seq=_NUMBERS,
        )

    def _event(self) -> Recipe:
        return self._row(
            rows.Event,
            conversation_key=_KEYS,
            kind=("MessageSent", *_KINDS),
            at=_MOMENTS,
            actor=self._maybe(self._user),
            revision=(0, 3),
            message=self._maybe(self._message),
            participant=self._maybe(self._participant),
            state=self._maybe(self._viewer_state),
            is_typing=_FLAGS,
            reason=_WORDS,
            conversation=self._conversation(),
            cursor=_WORDS,
        )

    def _outcome(self) -> Recipe:
        refusal = errors.Invalid("no", ("input", "body"))
        conflict = errors.IdempotencyConflict("other", (), MessageKey(_KEYS[0], 1))
        refusals = ((), (refusal,), (errors.NotFound("none", ()), conflict), (errors.PermissionDenied("never", ()),))
        return self._row(Outcome, message=self._maybe(self._message), deduplicated=_FLAGS, errors=refusals)


class Root:
    """What a query begins with."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)
