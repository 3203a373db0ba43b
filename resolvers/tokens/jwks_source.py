"""Where a JWK set is read from: an http(s) URL or a file."""

import asyncio
import ipaddress
from pathlib import Path
from typing import Final, Protocol

import httpx
import structlog

from resolvers.tokens.errors import KeyConfigurationError, KeySetError, shown

MAXIMUM_BYTES: Final = 256 * 1024
"""Of a JWK set: a hundred keys with certificate chains fit, an endless answer does not."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class KeySetSource(Protocol):
    """Something a JWK set can be read from, again and again."""

    name: str
    """For the log: without user, password and query."""

    async def read(self) -> bytes:
        """The document as it is now. Raises KeySetError."""


class UrlSource:
    """A JWK set behind a URL, fetched anew each time.

    Redirects are not followed: they would let another address choose the keys.
    """

    def __init__(self, url: str, timeout: float) -> None:
        """`timeout` in seconds bounds the whole fetch. Raises KeyConfigurationError for what is no http(s) URL."""
        self._url = _checked_url(url)
        self._timeout = timeout
        self._tls = httpx.create_ssl_context()  # reads the certificate store, so once and not while serving
        self.name = str(self._url.copy_with(userinfo=b"", query=None, fragment=None))

    async def read(self) -> bytes:
        # The client's own timeout is per read: an answer that drips would never meet it.
        try:
            async with asyncio.timeout(self._timeout), httpx.AsyncClient(verify=self._tls, timeout=None) as client:  # noqa: S113
                return await self._fetched(client)
        except TimeoutError as error:
            raise KeySetError(f"no complete answer within {self._timeout:g} s") from error
        except httpx.HTTPError as error:
            raise KeySetError(f"{type(error).__name__}: {error}") from error

    async def _fetched(self, client: httpx.AsyncClient) -> bytes:
        # Compressed bytes say nothing about the size of what is in them, so none are asked for or accepted.
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        async with client.stream("GET", self._url, headers=headers) as response:
            if response.status_code != httpx.codes.OK:
                raise KeySetError(f"the answer is HTTP {response.status_code}, not 200")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise KeySetError("the answer is compressed though it was asked not to be")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                _check_size(len(body))
            return bytes(body)


class FileSource:
    """A JWK set in a file, read anew each time: replacing the file rotates the keys."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    async def read(self) -> bytes:
        return await asyncio.to_thread(self._content)

    def _content(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(MAXIMUM_BYTES + 1)
        except OSError as error:
            raise KeySetError(f"{type(error).__name__}: {error.strerror}") from error
        _check_size(len(content))
        return content


def _check_size(size: int) -> None:
    if size > MAXIMUM_BYTES:
        raise KeySetError(f"the JWK set is larger than {MAXIMUM_BYTES // 1024} KiB")


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise KeyConfigurationError(f"The URL of the JWK set is malformed: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise KeyConfigurationError(
            f"The URL of the JWK set must be https://… or http://…; its scheme is {shown(url.scheme)}, its host {shown(url.host)}."
        )
    if url.scheme == "http" and not _is_loopback(url.host):
        log.warning("token keys unprotected", host=url.host, reason="plain http lets the network choose the keys")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
