"""Websocket frames of a server: whole texts, not masked, no extension (RFC 6455, 5.2)."""

_TEXT = b"\x81"  # the last frame of its message, and the first
_LENGTH_16, _LENGTH_64 = 126, 127  # where the length follows in two bytes, or in eight


def head(size: int) -> bytes:
    """What stands before a text of so many bytes."""
    if size < _LENGTH_16:
        return _TEXT + size.to_bytes(1)
    if size < 1 << 16:
        return _TEXT + _LENGTH_16.to_bytes(1) + size.to_bytes(2)
    return _TEXT + _LENGTH_64.to_bytes(1) + size.to_bytes(8)


def frame(text: str) -> bytes:
    payload = text.encode()
    return head(len(payload)) + payload
