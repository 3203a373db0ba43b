"""Addresses that carry their own permission: what they are for is signed, and ends by itself."""

import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import jwt

from storage import Blob

_ALGORITHM: Final = "HS256"
_UPLOAD, _DOWNLOAD = "upload", "download"


class InvalidLinkError(Exception):
    """The address was not made here, was changed, or has ended."""


class Links:
    """Signs and reads the last part of addresses."""

    def __init__(
        self, secret: str, *, upload_seconds: int, url_seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._secret = secret
        self._upload_seconds = upload_seconds
        self._url_seconds = url_seconds
        self._clock = clock

    def upload(self, blob: Blob) -> str:
        """For this blob, and for no other bytes."""
        return self._sign(_UPLOAD, blob, int(self._clock()) + self._upload_seconds)

    def download(self, blob: Blob) -> str:
        """For whoever has it. The same for everybody, and for a while: a browser may keep what it has loaded."""
        lifetime = self._url_seconds
        return self._sign(_DOWNLOAD, blob, (int(self._clock()) // lifetime + 2) * lifetime)

    def uploaded(self, token: str) -> Blob:
        """What may be brought with it; raises InvalidLinkError."""
        return self._read(token, _UPLOAD)

    def downloaded(self, token: str) -> Blob:
        """What may be loaded with it; raises InvalidLinkError."""
        return self._read(token, _DOWNLOAD)

    def _sign(self, purpose: str, blob: Blob, end: int) -> str:
        claims = {
            "aud": purpose,
            "sub": blob.key.hex,
            "user": blob.user.hex,
            "exp": end,
            "name": blob.filename,
            "type": blob.content_type,
            "size": blob.size,
            "sha256": blob.checksum,
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def _read(self, token: str, purpose: str) -> Blob:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                [_ALGORITHM],
                audience=purpose,
                options={"require": ["exp", "aud", "sub"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidLinkError("this address was not made by this server") from error
        if claims["exp"] <= self._clock():
            raise InvalidLinkError("this address has ended: ask for a fresh one")
        return Blob(
            UUID(claims["user"]), UUID(claims["sub"]), claims["name"], claims["type"], claims["size"], claims["sha256"]
        )
