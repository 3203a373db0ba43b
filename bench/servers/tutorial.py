"""A messaging server as tutorials for strawberry, SQLAlchemy and broadcaster would have it: the ORM's objects made into
GraphQL types, a DataLoader where there would be a query for each row, a subscription that every subscriber runs.

Where there was a choice it is the cheaper one: no limits, no event log, on websockets no tokens, and what is broadcast is
the whole message, so that subscribers need not read it from the database.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import jwt
import strawberry
from broadcaster import Broadcast
from sqlalchemy import DateTime, ForeignKey, select, tuple_
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from bench.servers import serve

_url = os.environ["BENCH_DATABASE_URL"]
_engine = create_async_engine(_url.replace("postgresql://", "postgresql+asyncpg://", 1))
_session = async_sessionmaker(_engine, expire_on_commit=False)
_broadcast = Broadcast(_url)
# broadcaster's one connection fails when two publish at the same time; held from the commit on, what is told is in order.
_publishing = asyncio.Lock()


class Base(DeclarativeBase):
    pass


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    handle: Mapped[str]
    name: Mapped[str]


class ConversationRow(Base):
    __tablename__ = "conversations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    title: Mapped[str | None]
    last_activity_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_seq: Mapped[int]


class ParticipantRow(Base):
    __tablename__ = "participants"

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    role: Mapped[str]
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_read_seq: Mapped[int]
    conversation: Mapped[ConversationRow] = relationship()
    user: Mapped[UserRow] = relationship()


class MessageRow(Base):
    __tablename__ = "messages"

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    sender_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    client_message_id: Mapped[str | None]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sender: Mapped[UserRow] = relationship()


class Context:
    """Of one request."""

    def __init__(self, handle: str | None) -> None:
        self._handle = handle
        self.participants = DataLoader(load_fn=_load_participants)
        self.messages = DataLoader(load_fn=_load_messages)

    async def viewer(self) -> UserRow:
        async with _session() as session:
            return (await session.scalars(select(UserRow).where(UserRow.handle == self._handle))).one()


Info = strawberry.Info[Context, None]


async def _load_participants(keys: list[UUID]) -> list[list[ParticipantRow]]:
    statement = (
        select(ParticipantRow)
        .where(ParticipantRow.conversation_id.in_(keys))
        .options(joinedload(ParticipantRow.user))
        .order_by(ParticipantRow.joined_at, ParticipantRow.user_id)
    )
    found: dict[UUID, list[ParticipantRow]] = {key: [] for key in keys}
    async with _session() as session:
        for row in await session.scalars(statement):
            found[row.conversation_id].append(row)
    return [found[key] for key in keys]


async def _load_messages(keys: list[tuple[UUID, int]]) -> list[MessageRow | None]:
    statement = (
        select(MessageRow)
        .where(tuple_(MessageRow.conversation_id, MessageRow.seq).in_(keys))
        .options(joinedload(MessageRow.sender))
    )
    async with _session() as session:
        found = {(row.conversation_id, row.seq): row for row in await session.scalars(statement)}
    return [found.get(key) for key in keys]


@strawberry.type
class User:
    id: strawberry.ID
    name: str

    @classmethod
    def of(cls, row: UserRow) -> "User":
        return cls(id=strawberry.ID(str(row.id)), name=row.name)


@strawberry.type
class Message:
    id: strawberry.ID
    seq: int
    body: str
    created_at: datetime
    sender: User

    @classmethod
    def of(cls, row: MessageRow, sender: UserRow) -> "Message":
        return cls(
            id=strawberry.ID(f"{row.conversation_id}:{row.seq}"),
            seq=row.seq,
            body=row.body,
            created_at=row.created_at,
            sender=User.of(sender),
        )


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class MessageConnection:
    nodes: list[Message]
    page_info: PageInfo


@strawberry.type
class Participant:
    user: User
    role: str
    last_read_seq: int


@strawberry.type
class ParticipantConnection:
    nodes: list[Participant]


@strawberry.type
class ViewerState:
    unread_count: int


@strawberry.type
class Conversation:
    id: strawberry.ID
    kind: str
    title: str | None
    last_activity_at: datetime
    viewer_state: ViewerState
    row: strawberry.Private[ConversationRow]

    @classmethod
    def of(cls, own: ParticipantRow) -> "Conversation":
        row = own.conversation
        return cls(
            id=strawberry.ID(str(row.id)),
            kind=row.kind,
            title=row.title,
            last_activity_at=row.last_activity_at,
            viewer_state=ViewerState(unread_count=row.last_seq - own.last_read_seq),
            row=row,
        )

    @strawberry.field
    async def messages(self, last: int = 50) -> MessageConnection:
        statement = (
            select(MessageRow)
            .where(MessageRow.conversation_id == self.row.id)
            .options(joinedload(MessageRow.sender))
            .order_by(MessageRow.seq.desc())
            .limit(last + 1)
        )
        async with _session() as session:
            rows = (await session.scalars(statement)).all()
        nodes = [Message.of(row, row.sender) for row in reversed(rows[:last])]
        return MessageConnection(nodes=nodes, page_info=_info(nodes, has_previous=len(rows) > last))

    @strawberry.field
    async def last_message(self, info: Info) -> Message | None:
        row = await info.context.messages.load((self.row.id, self.row.last_seq))
        return Message.of(row, row.sender) if row else None

    @strawberry.field
    async def participants(self, info: Info, first: int = 20) -> ParticipantConnection:
        rows = await info.context.participants.load(self.row.id)
        return ParticipantConnection(
            nodes=[
                Participant(user=User.of(row.user), role=row.role, last_read_seq=row.last_read_seq)
                for row in rows[:first]
            ]
        )


@strawberry.type
class ConversationConnection:
    nodes: list[Conversation]
    page_info: PageInfo


@strawberry.interface
class ConversationEvent:
    cursor: str


@strawberry.type
class MessageSent(ConversationEvent):
    message: Message


def _info(
    nodes: "list[Message] | list[Conversation]", *, has_next: bool = False, has_previous: bool = False
) -> PageInfo:
    start, end = (str(nodes[0].id), str(nodes[-1].id)) if nodes else (None, None)
    return PageInfo(has_next_page=has_next, has_previous_page=has_previous, start_cursor=start, end_cursor=end)


@strawberry.type
class Query:
    @strawberry.field
    async def conversation(self, info: Info, id: strawberry.ID) -> Conversation | None:  # noqa: A002
        viewer = await info.context.viewer()
        async with _session() as session:
            own = await session.get(ParticipantRow, (UUID(id), viewer.id), options=[_WITH_CONVERSATION])
        return Conversation.of(own) if own else None

    @strawberry.field
    async def conversations(self, info: Info, first: int = 20) -> ConversationConnection:
        viewer = await info.context.viewer()
        statement = (
            select(ParticipantRow)
            .join(ParticipantRow.conversation)
            .where(ParticipantRow.user_id == viewer.id)
            .options(_WITH_CONVERSATION)
            .order_by(ConversationRow.last_activity_at.desc(), ConversationRow.id.desc())
            .limit(first + 1)
        )
        async with _session() as session:
            rows = (await session.scalars(statement)).all()
        nodes = [Conversation.of(own) for own in rows[:first]]
        return ConversationConnection(nodes=nodes, page_info=_info(nodes, has_next=len(rows) > first))


_WITH_CONVERSATION = joinedload(ParticipantRow.conversation)


@strawberry.input
class MessageTarget:
    conversation_id: strawberry.ID


@strawberry.input
class SendMessageInput:
    to: MessageTarget
    body: str
    client_message_id: str


@strawberry.type
class NotFoundError:
    message: str


@strawberry.type
class IdempotencyConflictError:
    message: str


@strawberry.type
class SendMessagePayload:
    message: Message | None = None
    deduplicated: bool = False
    errors: list[NotFoundError | IdempotencyConflictError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def send_message(self, info: Info, input: SendMessageInput) -> SendMessagePayload:  # noqa: A002
        sender = await info.context.viewer()
        key = UUID(input.to.conversation_id)
        async with _session() as session:
            conversation = await session.get(ConversationRow, key, with_for_update=True)
            own = await session.get(ParticipantRow, (key, sender.id))
            if conversation is None or own is None:
                return SendMessagePayload(errors=[NotFoundError(message="There is no such conversation.")])
            original = (
                await session.scalars(
                    select(MessageRow).where(
                        MessageRow.conversation_id == key,
                        MessageRow.sender_id == sender.id,
                        MessageRow.client_message_id == input.client_message_id,
                    )
                )
            ).one_or_none()
            if original is not None:
                return _repeated(original, sender, input.body)
            conversation.last_seq += 1
            conversation.last_activity_at = datetime.now(UTC)
            own.last_read_seq = conversation.last_seq
            row = MessageRow(
                conversation_id=key,
                seq=conversation.last_seq,
                sender_id=sender.id,
                client_message_id=input.client_message_id,
                body=input.body,
                created_at=conversation.last_activity_at,
            )
            session.add(row)
            async with _publishing:
                await session.commit()
                await _broadcast.publish(f"conversation_{key}", _text(row, sender))
        return SendMessagePayload(message=Message.of(row, sender))


def _repeated(original: MessageRow, sender: UserRow, body: str) -> SendMessagePayload:
    if original.body != body:
        return SendMessagePayload(errors=[IdempotencyConflictError(message="The key was used before.")])
    return SendMessagePayload(message=Message.of(original, sender), deduplicated=True)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def conversation_events(self, conversation_id: strawberry.ID) -> AsyncGenerator[ConversationEvent, None]:
        async with _broadcast.subscribe(f"conversation_{conversation_id}") as subscriber:
            async for event in subscriber:  # type: ignore[union-attr]  # broadcaster says it may be None, and never is
                said = json.loads(event.message)  # type: ignore[union-attr]
                yield MessageSent(
                    cursor=str(said["seq"]),
                    message=Message(
                        id=strawberry.ID(said["id"]),
                        seq=said["seq"],
                        body=said["body"],
                        created_at=datetime.fromisoformat(said["created_at"]),
                        sender=User(id=strawberry.ID(said["sender"]["id"]), name=said["sender"]["name"]),
                    ),
                )


def _text(row: MessageRow, sender: UserRow) -> str:
    return json.dumps(
        {
            "id": f"{row.conversation_id}:{row.seq}",
            "seq": row.seq,
            "body": row.body,
            "created_at": row.created_at.isoformat(),
            "sender": {"id": str(sender.id), "name": sender.name},
        }
    )


class Endpoint(GraphQL[Context, None]):
    """Strawberry's view, with the viewer of the token."""

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:  # noqa: ARG002
        header = request.headers.get("authorization")
        if header is None:
            return Context(None)
        token = header.removeprefix("Bearer ")
        claims: dict[str, Any] = jwt.decode(token, os.environ["BENCH_TOKEN_SECRET"], algorithms=["HS256"])
        return Context(claims["sub"])


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with _broadcast:
        yield
    await _engine.dispose()


async def healthz(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    schema = strawberry.Schema(Query, Mutation, Subscription, types=[MessageSent])
    endpoint = Endpoint(schema)
    serve(
        Starlette(
            routes=[
                Route("/healthz", healthz),
                Route("/graphql", endpoint, methods=["GET", "POST"]),
                WebSocketRoute("/graphql", endpoint),
            ],
            lifespan=lifespan,
        )
    )
