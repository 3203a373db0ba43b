"""Extensions of ASGI: what the server's protocols offer in a connection's scope, and the application looks for there."""

from collections.abc import Callable, MutableMapping
from typing import Any

ANSWER = "http.answer"

Answer = Callable[[bytes, bytes], bool]
"""ANSWER: writes the lines of headers and the body of a whole answer, as valid as `send` wants them, if that can be done
at once."""

BODY = "http.body"

Body = Callable[[], bytes | None]
"""BODY: takes the whole body in the place of `receive`, if all of it has come; None where it has not."""

HEADERS = "http.headers"
"""The headers of a request by their names, lowercase, of several with one name the last."""

PUSH = "websocket.push"

Push = Callable[[bytes], bool]
"""PUSH: writes whole messages in frames as a server sends them, if that can be done at once."""


def headers_of(scope: MutableMapping[str, Any]) -> dict[bytes, bytes]:
    """HEADERS, made of the scope where they are not offered."""
    found: dict[bytes, bytes] | None = scope.get("extensions", {}).get(HEADERS)
    return dict(scope["headers"]) if found is None else found
