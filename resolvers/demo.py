"""A small friendly demo: four people, a direct and a group conversation, and something unread for everybody."""

from datetime import UTC, datetime

from db import users
from db.keys import MessageKey, new_key
from db.rows import User
from resolvers import reactions, receipts, sending, starting
from resolvers.contents import Content
from resolvers.identity import Caller
from resolvers.service import Service
from resolvers.starting import StartRequest

PEOPLE = {
    "ada": "Ada Lovelace",
    "grace": "Grace Hopper",
    "linus": "Linus Torvalds",
    "margaret": "Margaret Hamilton",
}

# Who says what, and what it answers (by its place in the list). The first line starts the conversation.
_DIRECT = [
    ("ada", "Grace, do you have the notes on the compiler?", None),
    ("grace", "Of course. Which chapter?", 0),
    ("ada", "The one with the moth, please 🦋", 1),
    ("grace", "Taped to page 92. Mind the wings.", 2),
]
_GROUP = [
    ("margaret", "Welcome aboard! Launch rehearsal is on Thursday.", None),
    ("ada", "I will bring the punched cards.", 0),
    ("linus", "Is there a patch for the priority display?", None),
    ("margaret", "There is now. Please review it before lunch.", 2),
    ("grace", "Reading it. In under a nanosecond, I promise.", 3),
]


async def seed(service: Service) -> None:
    """Add what of the demo is not there yet: everything in it has a key, so a second call adds nothing."""
    callers = await _people(service)
    pair = await _talk(service, callers, "demo-direct", None, ("grace",), _DIRECT)
    crew = await _talk(service, callers, "demo-group", "Apollo crew", ("ada", "grace", "linus"), _GROUP)
    await receipts.mark(service, callers["linus"].user, crew[0].conversation, crew[0].seq, is_read=True)
    await reactions.add(service, callers["grace"].user, pair[2], "🦋")
    for handle in ("ada", "linus"):
        await reactions.add(service, callers[handle].user, crew[0], "🚀")


async def find_people(service: Service) -> list[User]:
    """Those of the demo's people who are there."""
    async with service.database.system() as connection:
        return await users.by_handles(connection, list(PEOPLE))


async def _people(service: Service) -> dict[str, Caller]:
    now = datetime.now(UTC)
    async with service.database.system() as connection:
        found = [
            await users.upsert(connection, key=new_key(), handle=handle, name=name, avatar_url=None, roles=(), at=now)
            for handle, name in PEOPLE.items()
        ]
    return {user.handle: Caller(user, (), now) for user in found}


async def _talk(
    service: Service,
    callers: dict[str, Caller],
    key: str,
    title: str | None,
    others: tuple[str, ...],
    lines: list[tuple[str, str, int | None]],
) -> list[MessageKey]:
    """One conversation; returns the keys of its messages."""
    (starter, opening, _), *rest = lines
    request = StartRequest(
        participants=tuple(callers[handle].user.key for handle in others),
        title=title,
        first_message=Content(opening, client_message_id=f"{key}-0"),
    )
    started = await starting.start(service, callers[starter], request)
    if started.message is None:
        raise RuntimeError("a conversation that is started with a message has one")
    said = [started.message]
    for index, (speaker, body, answers) in enumerate(rest, start=1):
        content = Content(body, f"{key}-{index}", said[answers] if answers is not None else None)
        sent = await sending.send(service, callers[speaker], content, conversation=started.conversation)
        said.append(sent.key)
    return said
