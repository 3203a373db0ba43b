"""Servers that Parley is compared with. Each is a program of its own: `python -m bench.servers.bare PORT`."""

import sys

import uvicorn
from starlette.applications import Starlette


def serve(application: Starlette) -> None:
    """Serve on the port of the command line, with the settings that Parley serves with."""
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        server_header=False,
        log_level="warning",
    )
