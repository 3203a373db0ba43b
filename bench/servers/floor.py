"""The floor of HTTP: raw ASGI and asyncpg, and answers that PostgreSQL has made into JSON. No GraphQL, no tokens.

It takes the bodies that the others take, one path for each operation, and the viewer's key in place of a token.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import asyncpg
import uvicorn

Message = MutableMapping[str, Any]
Json = dict[str, Any]

_SETTINGS = {"plan_cache_mode": "force_generic_plan", "jit": "off"}  # as Parley's

# Rows that become JSON as a whole cost half of what json_build_object does.
_PEOPLE = "(SELECT id, name FROM users)"
_MESSAGE = """m.conversation_id || ':' || m.seq AS id, m.seq, m.body, m.created_at AS "createdAt", sender"""

_PAGE = f"""
SELECT row_to_json(answer)::text FROM (SELECT (SELECT data FROM (SELECT conversation FROM (
    SELECT c.id, c.kind, c.title,
        (SELECT page FROM (
            SELECT json_agg(message ORDER BY message.seq) AS nodes,
                json_build_object('hasPreviousPage', min(message.seq) > 1, 'startCursor', min(message.seq)::text) AS "pageInfo"
            FROM (
                SELECT {_MESSAGE} FROM messages m JOIN {_PEOPLE} sender ON sender.id = m.sender_id
                WHERE m.conversation_id = c.id ORDER BY m.seq DESC LIMIT 50
            ) message) page) AS messages,
        (SELECT page FROM (
            SELECT json_agg(participant) AS nodes FROM (
                SELECT "user", p.role, p.last_read_seq AS "lastReadSeq"
                FROM participants p JOIN {_PEOPLE} "user" ON "user".id = p.user_id
                WHERE p.conversation_id = c.id ORDER BY p.joined_at, p.user_id LIMIT 20
            ) participant) page) AS participants
    FROM participants own JOIN conversations c ON c.id = own.conversation_id
    WHERE own.conversation_id = $2::uuid AND own.user_id = $1::uuid
) conversation) data) AS data) answer
"""

_INBOX = f"""
WITH page AS (
    SELECT c.*, own.last_read_seq FROM participants own JOIN conversations c ON c.id = own.conversation_id
    WHERE own.user_id = $1::uuid ORDER BY c.last_activity_at DESC, c.id DESC LIMIT 21
), node AS (
    SELECT page.id, page.title, page.last_activity_at AS "lastActivityAt",
        (SELECT state FROM (SELECT page.last_seq - page.last_read_seq AS "unreadCount") state) AS "viewerState",
        (SELECT message FROM (
            SELECT {_MESSAGE} FROM messages m JOIN {_PEOPLE} sender ON sender.id = m.sender_id
            WHERE m.conversation_id = page.id AND m.seq = page.last_seq
        ) message) AS "lastMessage",
        (SELECT people FROM (
            SELECT json_agg(participant) AS nodes FROM (
                SELECT "user" FROM participants p JOIN {_PEOPLE} "user" ON "user".id = p.user_id
                WHERE p.conversation_id = page.id ORDER BY p.joined_at, p.user_id LIMIT 20
            ) participant) people) AS participants
    FROM page ORDER BY page.last_activity_at DESC, page.id DESC LIMIT 20
)
SELECT json_build_object('data', json_build_object('conversations', json_build_object(
    'nodes', (SELECT json_agg(node) FROM node),
    'pageInfo', json_build_object('hasNextPage', (SELECT count(*) > 20 FROM page),
        'endCursor', (SELECT id::text FROM page ORDER BY last_activity_at, id LIMIT 1)))))::text
"""

_SEND = """
WITH original AS (
    SELECT seq, created_at FROM messages
    WHERE conversation_id = $2::uuid AND sender_id = $1::uuid AND client_message_id = $3
), conversation AS (
    UPDATE conversations
    SET last_seq = last_seq + 1, last_activity_at = greatest(last_activity_at, clock_timestamp())
    WHERE id = $2::uuid AND NOT EXISTS (SELECT FROM original)
    RETURNING last_seq AS seq, last_activity_at AS at
), message AS (
    INSERT INTO messages (conversation_id, seq, sender_id, client_message_id, body, created_at)
    SELECT $2::uuid, seq, $1::uuid, $3, $4, at FROM conversation
), receipt AS (
    UPDATE participants p SET last_read_seq = conversation.seq FROM conversation
    WHERE p.conversation_id = $2::uuid AND p.user_id = $1::uuid
), sent AS (
    SELECT seq, at, false AS deduplicated FROM conversation UNION ALL SELECT seq, created_at, true FROM original
)
SELECT json_build_object('data', json_build_object('sendMessage', json_build_object(
    'message', json_build_object('id', $2 || ':' || seq, 'seq', seq, 'createdAt', at),
    'deduplicated', deduplicated, 'errors', json_build_array())))::text
FROM sent
"""


def _page(variables: Json) -> list[object]:
    return [variables["id"]]


def _inbox(_variables: Json) -> list[object]:
    return []


def _send(variables: Json) -> list[object]:
    content = variables["input"]
    return [content["to"]["conversationId"], content["clientMessageId"], content["body"]]


_OPERATIONS: dict[str, tuple[str, Callable[[Json], list[object]]]] = {
    "/page": (_PAGE, _page),
    "/inbox": (_INBOX, _inbox),
    "/send": (_SEND, _send),
}


class Floor:
    """The application."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Any = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        answer = b"{}" if scope["path"] == "/healthz" else await self._answer(scope, receive)
        heads = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": heads})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Message, receive: Callable[[], Awaitable[Message]]) -> bytes:
        statement, values = _OPERATIONS[scope["path"]]
        viewer = dict(scope["headers"])[b"authorization"].decode().removeprefix("Bearer ")
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part.get("more_body"):
                break
        text: str = await self._pool.fetchval(statement, viewer, *values(json.loads(body)["variables"]))
        return text.encode()

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()
        self._pool = await asyncpg.create_pool(self._url, min_size=10, max_size=10, server_settings=_SETTINGS)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._pool.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(
        Floor(os.environ["BENCH_DATABASE_URL"]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=False,
        server_header=False,
        log_level="warning",
    )
