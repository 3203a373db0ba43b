"""Lines that cannot be imported: what exactly is wrong with them, in words and with the value, fit to be shown."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from resolvers.imports import ndjson

SHOWN: Final = 100
"""Characters of a value that are shown."""

_NOTHING: Final = object()
_DEPTH: Final = 3  # levels down to the innermost text of a history line: message, reactions, reaction
_BOM: Final = b"\xef\xbb\xbf"
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class BadLineError(Exception):
    """A line is not what it must be: the field in which, and its value, shortened."""

    def __init__(self, reason: str, field: str | None = None, value: object = _NOTHING) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = None if field is None else shown(field)
        self.value = None if value is _NOTHING else shown(value)


def shown(value: object) -> str:
    """A value as it can be printed anywhere: shortened, without control characters and lone surrogates."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return short if short.isprintable() else "".join(map(_printable, short))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()


def unstorable(text: str) -> str | None:
    """The first character of a text that PostgreSQL cannot keep: NUL or half of a surrogate pair."""
    found = _UNSTORABLE.search(text)
    return found[0] if found else None


def refuse_unstorable(record: dict[str, Any]) -> None:
    """Raises BadLineError where a text in the record cannot be kept."""
    for field, text in _texts(record, ""):
        character = unstorable(text)
        if character == "\0":
            raise BadLineError("contains a NUL character, which no database text can hold", field, text)
        if character is not None:
            raise BadLineError("contains half of a surrogate pair, which is no character", field, text)


def _texts(value: object, path: str, depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    """Every text in a value, names of fields too, and where. What lies deeper is refused whatever it is."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list) and depth:
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]", depth - 1)
    elif isinstance(value, dict) and depth:
        for name, item in value.items():
            yield path, name
            yield from _texts(item, f"{path}.{name}" if path else name, depth - 1)


def parse_again(line: ndjson.Line) -> object:
    """Parse what the strict parser refused; raises BadLineError that says why, where nothing can be made of it."""
    data = line.data.removeprefix(_BOM)  # begins a file that some editors wrote
    try:
        return json.loads(data.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        at = f"byte {error.start + 1}"
        bad = data[error.start : error.start + 8].decode("latin-1").encode("unicode_escape").decode()
        raise BadLineError(f"is not UTF-8 at {at}: {error.reason}", None, bad) from error
    except json.JSONDecodeError as error:
        ending = "; the file ends here without a line end, as if it had been cut off" if line.is_cut else ""
        near = error.doc[error.pos : error.pos + SHOWN]
        raise BadLineError(f"is not JSON at column {error.colno}: {error.msg}{ending}", None, near) from error
    except RecursionError as error:
        raise BadLineError("is nested too deeply") from error
    except ValueError as error:  # NaN, or a number of thousands of digits
        raise BadLineError(f"is not JSON: {str(error).partition(';')[0]}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")
