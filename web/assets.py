from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os

    from starlette.responses import Response
    from starlette.types import Scope

# By hand: on Windows `mimetypes` asks the registry, where .js can be text/plain, which no browser runs as a module.
MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "ttf": "font/ttf",
    "txt": "text/plain; charset=utf-8",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # in the order of preference
FOREVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """The files of one folder: only the types above, compressed siblings (`x.js.br`, `x.js.gz`) where the browser takes them.

    `immutable` says that a name never changes its content, as the build's hashed names do.
    """

    def __init__(self, directory: os.PathLike[str], *, immutable: bool) -> None:
        super().__init__(directory=directory)
        self.cache_control = FOREVER if immutable else "no-cache"

    async def get_response(self, path: str, scope: Scope) -> Response:
        media_type = MEDIA_TYPES.get(path.rpartition(".")[2])
        if media_type is None:
            raise HTTPException(status_code=404)
        encoding = self._encoding(path, Headers(scope=scope))
        response = await super().get_response(path + ENCODINGS.get(encoding, ""), scope)
        if encoding:
            response.headers["Content-Encoding"] = encoding
        if response.status_code == 200:  # noqa: PLR2004
            response.headers["Content-Type"] = media_type
        response.headers["Cache-Control"] = self.cache_control
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.add_vary_header("Accept-Encoding")
        return response

    def _encoding(self, path: str, headers: Headers) -> str:
        accepted = {item.partition(";")[0].strip() for item in headers.get("accept-encoding", "").split(",")}
        for encoding, suffix in ENCODINGS.items():
            if encoding in accepted and self.lookup_path(path + suffix)[1] is not None:
                return encoding
        return ""
