"""Extensions of ASGI: what the server's protocols offer in a connection's scope, and the application looks for there."""

from collections.abc import Callable

ANSWER = "http.answer"

Answer = Callable[[list[tuple[bytes, bytes]], bytes], bool]
"""ANSWER: writes headers and body of a whole answer, as valid as `send` wants them, if that can be done at once."""

PUSH = "websocket.push"

Push = Callable[[bytes], bool]
"""PUSH: writes whole messages in frames as a server sends them, if that can be done at once."""
