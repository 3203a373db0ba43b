"""Addresses in running text: where a link begins although nobody marked it up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# An address begins where no word is under way; an e-mail address may not continue a mention (@ada@example.com) either.
BEGINS = re.compile(
    r"(?<!\w)(?:https?://(?=[^\W_]|\[)|www\.(?=[^\W_]))|(?<![\w.+@/-])(?=[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]{1,63}\.\w)",
    re.IGNORECASE,
)
"""Where an address may begin. Each character is looked at a bounded number of times."""

# Brackets in pairs only: an address may stand in the text of a link.
_PART = r"""[^\s<>"`\\^{}\[\]]"""
_WEB = re.compile(rf"(?:https?://|www\.)(?:{_PART}|\[{_PART}*\])+", re.IGNORECASE)
_MAIL = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", re.ASCII)
_ENDS = "?!.,:;*_~'"


@dataclass(frozen=True, slots=True)
class Address:
    text: str
    """As it stands there."""
    url: str
    """Where it leads."""


def at(text: str, start: int) -> Address | None:
    """The address that begins at `start`, where BEGINS matches; None where it turns out to be none."""
    if found := _WEB.match(text, start):
        shown = _trimmed(found.group())
        return Address(shown, shown if shown[:4].lower() == "http" else f"http://{shown}")
    if found := _MAIL.match(text, start):
        shown = found.group().rstrip("-")
        return Address(shown, f"mailto:{shown}")
    return None


def split(text: str) -> Iterator[str | Address]:
    """The text and the addresses in it, in order."""
    end = position = 0
    while found := BEGINS.search(text, position):
        address = at(text, found.start())
        position = max(found.end(), found.start() + 1)
        if address is not None:
            yield text[end : found.start()]
            yield address
            end = position = found.start() + len(address.text)
    yield text[end:]


def _trimmed(address: str) -> str:
    """Without what ends the sentence that it stands in: punctuation, and a parenthesis that it did not open."""
    end, surplus = len(address), address.count(")") - address.count("(")
    while address[end - 1] in _ENDS or (address[end - 1] == ")" and surplus > 0):
        surplus -= address[end - 1] == ")"
        end -= 1
    return address[:end]
