"""Whether a context may be talked about: the host application knows, and is asked before a conversation is started.

A signed POST of JSON, outside any transaction. What makes no answer in time is decided by the operator.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import orjson
import structlog

from db.rows import User
from db.starts import Context
from resolvers.errors import ContextUnavailable, Invalid, RefusedError, UserError

Failure = Literal["allow", "refuse"]
"""What becomes of a context that the host application could not be asked about."""

TIMESTAMP: Final = "X-Parley-Timestamp"
SIGNATURE: Final = "X-Parley-Signature"

_log = structlog.get_logger(__name__)

_PATH = ("input", "context")
_LARGEST = 65_536  # bytes of an answer
_LONGEST_REASON = 200  # characters
LONGEST = 255  # characters of its type, and of its id
LONGEST_TITLE = 200
LONGEST_URL = 2_048
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=20)


def errors(context: Context) -> list[UserError]:
    """Everything that is wrong with it."""
    found: list[UserError] = [
        Invalid(f"a context's {name} has from 1 to {LONGEST} characters", (*_PATH, name))
        for name, value in (("type", context.type), ("id", context.id))
        if not 1 <= len(value) <= LONGEST
    ]
    if context.title is not None and len(context.title) > LONGEST_TITLE:
        found.append(Invalid(f"a context's title has at most {LONGEST_TITLE} characters", (*_PATH, "title")))
    if context.url is not None and not is_web_address(context.url):
        message = f"a context's url is an http or https address of at most {LONGEST_URL} characters"
        found.append(Invalid(message, (*_PATH, "url")))
    return found


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and len(url) <= LONGEST_URL


class Contexts:
    """The host application, as it is asked."""

    def __init__(self, url: str, secret: str, *, seconds: float, failure: Failure) -> None:
        """`seconds` until an answer has to be there."""
        self._url = url
        self._secret = secret.encode()
        self._seconds = seconds
        self._failure = failure
        # Nothing of the environment's: proxies and certificates would be settings that nobody knows of.
        self._client = httpx.AsyncClient(timeout=None, limits=_CONNECTIONS, trust_env=False)  # noqa: S113  (one for all of it)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def examine(self, context: Context, starter: User, participants: Sequence[User]) -> Context:
        """The context, with the title and address that the host application gives it; raises RefusedError."""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(context, starter, participants)
            allowed, reason, given = _read(answer)
        except Exception as error:  # noqa: BLE001  (not ours; however it fails, the operator has said what then)
            _log.warning("context_check_failed", reason=str(error) or type(error).__name__, then=self._failure)
            if self._failure == "allow":
                return context
            allowed, reason, given = False, "it cannot be asked about at the moment; try again later", {}
        if not allowed:
            raise RefusedError(ContextUnavailable(reason[:_LONGEST_REASON], _PATH))
        return replace(context, **given)

    async def _ask(self, context: Context, starter: User, participants: Sequence[User]) -> bytes:
        body = orjson.dumps(
            {
                "context": {"type": context.type, "id": context.id, "title": context.title, "url": context.url},
                "starter": starter.handle,
                "participants": [user.handle for user in participants],
            }
        )
        moment = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: moment,
            SIGNATURE: signature(self._secret, moment, body),
        }
        found = b""
        async with self._client.stream("POST", self._url, content=body, headers=headers) as response:
            if not response.is_success:
                raise ValueError(f"it answers {response.status_code}")
            async for chunk in response.aiter_bytes():
                found += chunk
                if len(found) > _LARGEST:
                    raise ValueError(f"its answer is larger than {_LARGEST} bytes")
        return found


def signature(secret: bytes, moment: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a dot and the body, in hexadecimal."""
    return "sha256=" + hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _read(answer: bytes) -> tuple[bool, str, dict[str, str]]:
    """Whether it is allowed, why not, and what of the context is to be another; raises ValueError."""
    found: Any = orjson.loads(answer)
    allowed = found.get("allowed") if isinstance(found, dict) else None
    if allowed is not True and allowed is not False:
        raise ValueError("its answer is no object with `allowed`, true or false")
    texts = {name: found.get(name) for name in ("reason", "title", "url")}
    if any(not isinstance(text, str | None) or (text and "\0" in text) for text in texts.values()):
        raise ValueError("its reason, title and url are texts")
    given = {name: text for name in ("title", "url") if (text := texts[name]) is not None}
    if wrong := errors(Context("type", "id", **given)):
        raise ValueError(wrong[0].message)
    return allowed, texts["reason"] or "this cannot be talked about", given
