"""Whom a body mentions, by handles: before it is known who is there."""

import re
from collections.abc import Iterable
from typing import Final

from resolvers import markdown

MOST: Final = 100
"""Handles that are looked for; those after them are not."""

# Neither within a word or an address, nor right after a path's slash. A handle of other characters stands in braces.
_MENTION: Final = re.compile(r"(?<![\w/])@(?:\{([^{}\n]{1,255})\}|(\w+(?:[.@+-]+\w+)*))")


def handles(body: str, written: str) -> list[str]:
    """The handles that a body in this format names after an @, each once, in order.

    It is the longest run of letters, digits, underscores, and dots, hyphens, plus and @ signs between those; or what
    stands in braces. In Markdown, code names nobody.
    """
    if "@" not in body:
        return []
    is_marked_up = written == "MARKDOWN" and markdown.is_modest(body)
    found = dict.fromkeys(_found(markdown.texts(body) if is_marked_up else (body,)))
    return list(found)[:MOST]


def _found(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        for match in _MENTION.finditer(text):
            yield match[1] or match[2]
