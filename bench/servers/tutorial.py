"""A messaging server as a tutorial for strawberry and broadcaster would have it: every subscriber runs its own subscription.

It asks nobody for a token and checks no rights, and what is broadcast is the whole message, so that subscribers need not
read it from the database: where there was a choice, it is the cheaper one.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import strawberry
from broadcaster import Broadcast
from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.asgi import GraphQL

from bench.servers import serve

_url = os.environ["BENCH_DATABASE_URL"]
_engine = create_async_engine(_url.replace("postgresql://", "postgresql+asyncpg://", 1))
_session = async_sessionmaker(_engine, expire_on_commit=False)
_broadcast = Broadcast(_url)
_publishing = asyncio.Lock()  # broadcaster's one connection fails when two publish at the same time


class Base(DeclarativeBase):
    pass


class UserRow(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class MessageRow(Base):
    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(index=True)
    sender_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sender: Mapped[UserRow] = relationship()


@strawberry.type
class User:
    id: strawberry.ID
    name: str


@strawberry.type
class Message:
    id: strawberry.ID
    seq: int
    body: str
    created_at: datetime
    sender: User


@strawberry.interface
class ConversationEvent:
    cursor: str


@strawberry.type
class MessageSent(ConversationEvent):
    message: Message


@strawberry.type
class Query:
    @strawberry.field
    async def message(self, id: strawberry.ID) -> Message | None:  # noqa: A002
        async with _session() as session:
            row = await session.get(MessageRow, int(id))
            return _message(row, await session.get_one(UserRow, row.sender_id)) if row else None


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def send_message(self, conversation_id: strawberry.ID, sender_id: strawberry.ID, body: str) -> Message:
        async with _publishing:
            async with _session() as session:
                sender = await session.get_one(UserRow, int(sender_id))
                row = MessageRow(
                    conversation_id=int(conversation_id), sender=sender, body=body, created_at=datetime.now(UTC)
                )
                session.add(row)
                await session.commit()
            await _broadcast.publish(f"conversation_{conversation_id}", _text(row, sender))
        return _message(row, sender)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def conversation_events(self, conversation_id: strawberry.ID) -> AsyncGenerator[ConversationEvent, None]:
        async with _broadcast.subscribe(f"conversation_{conversation_id}") as subscriber:
            async for event in subscriber:  # type: ignore[union-attr]  # broadcaster says it may be None, and never is
                said = json.loads(event.message)  # type: ignore[union-attr]
                yield MessageSent(
                    cursor=str(said["id"]),
                    message=Message(
                        id=strawberry.ID(str(said["id"])),
                        seq=said["id"],
                        body=said["body"],
                        created_at=datetime.fromisoformat(said["created_at"]),
                        sender=User(id=strawberry.ID(str(said["sender"]["id"])), name=said["sender"]["name"]),
                    ),
                )


def _message(row: MessageRow, sender: UserRow) -> Message:
    return Message(
        id=strawberry.ID(str(row.id)),
        seq=row.id,
        body=row.body,
        created_at=row.created_at,
        sender=User(id=strawberry.ID(str(sender.id)), name=sender.name),
    )


def _text(row: MessageRow, sender: UserRow) -> str:
    return json.dumps(
        {
            "id": row.id,
            "body": row.body,
            "created_at": row.created_at.isoformat(),
            "sender": {"id": sender.id, "name": sender.name},
        }
    )


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with _engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with _session() as session:
        session.add(UserRow(id=1, name="Ada Lovelace"))
        await session.commit()
    async with _broadcast:
        yield
    await _engine.dispose()


async def healthz(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    schema = strawberry.Schema(Query, Mutation, Subscription, types=[MessageSent])
    endpoint: GraphQL[None, None] = GraphQL(schema)
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
