"""The floor: a text, ready-made, to every socket, and nothing else. What a framework can at best come near."""

import asyncio
import itertools

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.servers import serve

SEQ = "SEQ"
"""Where a text gets its number."""

_sockets: dict[WebSocket, None] = {}
_seqs = itertools.count(1)
_in_order = asyncio.Lock()


async def follow(websocket: WebSocket) -> None:
    await websocket.accept("graphql-transport-ws")
    await websocket.receive_text()
    await websocket.send_text('{"type":"connection_ack"}')
    _sockets[websocket] = None
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        del _sockets[websocket]


async def broadcast(request: Request) -> JSONResponse:
    """Send the body to everybody; one after the other, since a slow socket would let the next text overtake."""
    body = (await request.body()).decode()
    async with _in_order:
        text = body.replace(SEQ, str(next(_seqs)))
        for websocket in list(_sockets):
            await websocket.send_text(text)
    return JSONResponse({"sent": True})


async def healthz(_request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok"})


if __name__ == "__main__":
    serve(
        Starlette(
            routes=[
                WebSocketRoute("/follow", follow),
                Route("/broadcast", broadcast, methods=["POST"]),
                Route("/healthz", healthz),
            ]
        )
    )
