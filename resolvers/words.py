"""Words that are not to be said."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

from db.rows import User
from resolvers.checks import Allow, CheckError, Flag, Reject, Verdict
from resolvers.contents import Content

_FLAGGED = "?"
"""In front of a line of the list: its words are not rejected, but flagged."""

_COMMENT = "#"

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_LEET = str.maketrans("013457@$!", "oieastasi")
_WORD = re.compile(r"[^\W_]+")
_LEET_WORD = re.compile(r"[^\W_](?:[^\W_]|[@$!](?=[^\W_]))*|[@$](?:[^\W_]|[@$!](?=[^\W_]))+")


class WordList:
    """A check for whole words and phrases, in any case, and as letters or as the digits that stand for them."""

    def __init__(self, lines: Iterable[str]) -> None:
        """A word or phrase in each line; those behind a `?` are flagged, the others rejected."""
        self._rejected: set[tuple[str, ...]] = set()
        self._flagged: set[tuple[str, ...]] = set()
        for line in map(str.strip, lines):
            if not line or line.startswith(_COMMENT):
                continue
            words = tuple(_words(line.removeprefix(_FLAGGED)))
            (self._flagged if line.startswith(_FLAGGED) else self._rejected).add(words)
        self._longest = max(map(len, self._rejected | self._flagged), default=0)

    @classmethod
    def read(cls, path: Path) -> "WordList":
        """Of a file in UTF-8; raises CheckError."""
        try:
            return cls(path.read_text(encoding="utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise CheckError(f"the word list {path} cannot be read: {error}") from error

    async def check(self, content: Content, _sender: User, _conversation: UUID | None) -> Verdict:
        said = {*self._phrases(list(_words(content.body))), *self._phrases(list(_leet_words(content.body)))}
        if said & self._rejected:
            return Reject("it has a word in it that is not allowed here")
        if said & self._flagged:
            return Flag("It may be offensive.")
        return Allow()

    def _phrases(self, words: list[str]) -> Iterator[tuple[str, ...]]:
        """Every run of words that is no longer than the longest of the list."""
        for length in range(1, self._longest + 1):
            yield from zip(*(words[start:] for start in range(length)), strict=False)


def _words(text: str) -> list[str]:
    return _WORD.findall(_plain(text))


def _leet_words(text: str) -> list[str]:
    return [word.translate(_LEET) for word in _LEET_WORD.findall(_plain(text))]


def _plain(text: str) -> str:
    """Without what cannot be seen, and in the one form of letters that look or mean alike."""
    return unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()
