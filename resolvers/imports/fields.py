"""What the fields of a history's lines must be. Each function takes a field's name and value, and raises BadLineError."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from db import keys
from resolvers import emojis
from resolvers.contexts import LONGEST, LONGEST_TITLE, LONGEST_URL, is_web_address
from resolvers.files import LONGEST_NAME, clean_name
from resolvers.imports.bad_lines import BadLineError
from storage.types import canonical

MAXIMUM_KEY: Final = 255
"""Characters of the id of a user, who bears it as handle, and of a conversation."""
MAXIMUM_EMOJI: Final = 64
MAXIMUM_ATTACHMENTS: Final = 100
"""Of a message."""

KINDS: Final = {"group": "GROUP", "direct": "DIRECT"}
MESSAGE_KINDS: Final = {"text": "TEXT", "system": "SYSTEM", "notification": "NOTIFICATION"}
FORMATS: Final = {"plain": "PLAIN", "markdown": "MARKDOWN"}
HISTORIES: Final = {"all": "ALL", "from_joining": "FROM_JOINING"}
ROLES: Final = {"owner": "OWNER", "admin": "ADMIN", "member": "MEMBER"}

_DIRECT: Final = 2  # participants of a direct conversation
_LARGEST: Final = 2**31 - 1  # of the integers that the API knows
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127}")
_SHA256: Final = re.compile("[0-9a-f]{64}")
_FILE: Final = frozenset(("filename", "content_type", "size", "checksum"))
_PIXELS: Final = frozenset(("width", "height"))


def text(field: str, value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise BadLineError("must be a string", field, value)
    if len(value) > limit:
        raise BadLineError(f"has {len(value):,} characters; at most {limit:,} are allowed", field, value)
    return value


def key(field: str, value: object, limit: int) -> str:
    found = text(field, value, limit)
    if not found or found.isspace():
        raise BadLineError("is empty", field, value)
    return found


def plain(field: str, value: str) -> str:
    if _CONTROL.search(value):
        raise BadLineError("must not contain control characters", field, value)
    return value


def label(field: str, value: object, limit: int) -> str | None:
    """A name or title; None where it is blank."""
    return plain(field, text(field, value, limit)).strip() or None


def address(field: str, value: object) -> str | None:
    if value is None:
        return None
    found = text(field, value, LONGEST_URL)
    if not is_web_address(found):
        raise BadLineError("must be an http or https address", field, value)
    return found


def choice(field: str, value: object, choices: Mapping[str, str], default: str | None = None) -> str:
    """One of the words that a file may say, as the word that the database has for it; `default` where there is none."""
    if value is None and default is not None:
        return default
    found = choices.get(value) if isinstance(value, str) else None
    if found is None:
        *some, last = (f'"{word}"' for word in choices)
        raise BadLineError(f"must be {', '.join(some)} or {last}", field, value)
    return found


def objects(
    field: str, value: object, required: frozenset[str], optional: frozenset[str] = frozenset()
) -> list[tuple[str, dict[str, Any]]]:
    """Each object of a list that has these members and at most those, with where it stands. Null is no object."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadLineError("must be a list", field, value)
    found = []
    for index, item in enumerate(value):
        here = f"{field}[{index}]"
        if not isinstance(item, dict) or not required <= item.keys() <= required | optional:
            raise BadLineError(f"must be an object with {' and '.join(sorted(required))}", here, item)
        found.append((here, item))
    return found


def people(field: str, value: object) -> list[str]:
    """Ids of users, each once."""
    if not isinstance(value, list):
        raise BadLineError("must be a list of user ids", field, value)
    found = [key(f"{field}[{index}]", person, MAXIMUM_KEY) for index, person in enumerate(value)]
    _refuse_repeated(field, found)
    return found


def participants(value: object, kind: str, *, may_be_empty: bool) -> list[str | None]:
    """Ids of users; in a direct conversation null for who is nobody any more."""
    if kind == "GROUP" or not isinstance(value, list):
        there: list[str | None] = [*people("participants", value)]
    else:
        there = [
            None if person is None else key(f"participants[{index}]", person, MAXIMUM_KEY)
            for index, person in enumerate(value)
        ]
        _refuse_repeated("participants", there)
    if not there and not may_be_empty:
        raise BadLineError("is empty", "participants", value)
    if kind == "DIRECT" and len(there) != _DIRECT:
        raise BadLineError(
            f"must be two in a direct conversation, not {len(there)}",
            "participants",
            ", ".join(person or "null" for person in there),
        )
    return there


def _refuse_repeated(field: str, there: Sequence[str | None]) -> None:
    first = {person: index for index, person in reversed(list(enumerate(there)))}
    for index, person in enumerate(there):
        if person is not None and first[person] < index:
            raise BadLineError("is there twice", f"{field}[{index}]", person)


def roles(value: object, there: list[str | None], kind: str) -> list[str]:
    """The role of each participant. Where the line does not say: of a group's the first owns it."""
    if kind == "DIRECT":
        if value is not None:
            raise BadLineError("are those of a group; in a direct conversation both are members", "roles", value)
        return ["MEMBER"] * len(there)
    if value is None:
        return ["OWNER", *["MEMBER"] * (len(there) - 1)][: len(there)]
    if not isinstance(value, dict):
        raise BadLineError("must be an object of user ids and roles", "roles", value)
    given = {person: choice(f"roles.{person}", role, ROLES) for person, role in value.items()}
    for person in given.keys() - set(there):
        raise BadLineError("is no participant of the conversation", f"roles.{person}", person)
    if there and "OWNER" not in given.values():
        raise BadLineError("must name an owner", "roles", value)
    return [given.get(person or "", "MEMBER") for person in there]


Context = tuple[str | None, str | None, str | None, str | None]
"""Type, id, title and url; no type: there is none."""


def context(value: object) -> Context:
    if value is None:
        return None, None, None, None
    if not isinstance(value, dict) or not {"type", "id"} <= value.keys() <= {"type", "id", "title", "url"}:
        raise BadLineError("must be an object with type and id, and perhaps title and url", "context", value)
    title = value.get("title")
    return (
        key("context.type", value["type"], LONGEST),
        key("context.id", value["id"], LONGEST),
        None if title is None else text("context.title", title, LONGEST_TITLE),
        address("context.url", value.get("url")),
    )


def reactions(value: object) -> tuple[list[str], list[str]]:
    """Emojis, and who reacted with each."""
    pairs: dict[tuple[str, str], None] = {}
    for field, reaction in objects("reactions", value, frozenset(("emoji", "user"))):
        given = key(f"{field}.emoji", reaction["emoji"], MAXIMUM_EMOJI)
        emoji = emojis.imported(given)
        if emoji is None:
            raise BadLineError("is no emoji", f"{field}.emoji", given)
        pair = (emoji, key(f"{field}.user", reaction["user"], MAXIMUM_KEY))
        if pair in pairs:
            raise BadLineError("is there twice", field, f"{pair[0]} {pair[1]}")
        pairs[pair] = None
    return [emoji for emoji, _ in pairs], [reactor for _, reactor in pairs]


def edits(
    value: object, longest_body: int, time: Callable[[str, object], datetime], since: datetime, until: datetime | None
) -> list[dict[str, object]]:
    """What a message said before, oldest first, from `since` on and not after it was edited last."""
    found: list[dict[str, object]] = []
    for field, edit in objects("edits", value, frozenset(("body", "edited_at")), frozenset(("format",))):
        at = time(f"{field}.edited_at", edit["edited_at"])
        if until is None:
            raise BadLineError("is of a message that was edited: it needs edited_at", field, edit)
        if at < since:
            raise BadLineError("lies before the one before it", f"{field}.edited_at", edit["edited_at"])
        if at > until:
            raise BadLineError("lies after edited_at", f"{field}.edited_at", edit["edited_at"])
        found.append(
            {
                "body": text(f"{field}.body", edit["body"], longest_body),
                "format": choice(f"{field}.format", edit.get("format"), FORMATS, "PLAIN"),
                "edited_at": at,
            }
        )
        since = at
    return found


def attachments(value: object) -> tuple[list[dict[str, object]], list[UUID]]:
    """Files as they are told of, and the keys that they get."""
    files = objects("attachments", value, _FILE, _PIXELS)
    if len(files) > MAXIMUM_ATTACHMENTS:
        raise BadLineError(f"are {len(files)}; at most {MAXIMUM_ATTACHMENTS} are allowed", "attachments", value)
    return [_file(field, file) for field, file in files], [keys.new_key() for _ in files]


def _file(field: str, file: dict[str, Any]) -> dict[str, object]:
    name = clean_name(text(f"{field}.filename", file["filename"], LONGEST_NAME))
    if name is None:
        raise BadLineError("must be a name without a path or control characters", f"{field}.filename", file["filename"])
    content_type = canonical(text(f"{field}.content_type", file["content_type"], MAXIMUM_KEY))
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise BadLineError("must be a type like image/png", f"{field}.content_type", file["content_type"])
    checksum = text(f"{field}.checksum", file["checksum"], 64)
    if not _SHA256.fullmatch(checksum):
        raise BadLineError("must be SHA-256 as 64 lower-case hexadecimal digits", f"{field}.checksum", checksum)
    size = _number(f"{field}.size", file["size"], 0)
    pixels = {
        name: None if file.get(name) is None else _number(f"{field}.{name}", file[name], 1) for name in sorted(_PIXELS)
    }
    return {"filename": name, "content_type": content_type, "size": size, "checksum": checksum, **pixels}


def _number(field: str, value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LARGEST:
        raise BadLineError(f"must be a whole number from {least} to {_LARGEST:,}", field, value)
    return value
