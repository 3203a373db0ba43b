"""What the live side reads, in nobody's name: the log, and the receipts beside it."""

from collections.abc import Collection, Mapping
from typing import Protocol
from uuid import UUID

from db import conversations, events, memberships, participants, states, users
from db.conversation_parts import ConversationParts
from db.events import Look, Standing
from db.memberships import Membership
from db.pool import Database
from db.rows import Conversation, Event, OwnState, Participant, User

ENTRIES = 200
"""Events of one conversation that are read at a time."""


_OUTSIDE = ConversationParts(others=True)


class Log(Protocol):
    """See DatabaseLog; tests have one in memory."""

    async def after(self, positions: Mapping[UUID, int], *, needs: frozenset[str]) -> list[Event]: ...
    async def look(self, conversations: Collection[UUID], viewers: Collection[UUID], since: int) -> Look: ...
    async def standing(self, viewer: UUID, since: int) -> Standing: ...
    async def reached(self, conversations: Collection[UUID], horizon: int) -> dict[UUID, int]: ...
    async def membership(self, viewer: UUID, conversation: UUID) -> Membership | None: ...
    async def conversation(self, viewer: UUID, key: UUID) -> Conversation | None: ...
    async def receipts(self, keys: Collection[tuple[UUID, UUID]]) -> list[Participant]: ...
    async def receipts_since(self, conversations: Collection[UUID], horizon: int) -> list[Participant]: ...
    async def states(self, keys: Collection[tuple[UUID, UUID]]) -> list[OwnState]: ...
    async def states_since(self, viewers: Collection[UUID], horizon: int) -> list[OwnState]: ...
    async def people(self, keys: Collection[UUID]) -> dict[UUID, User]: ...


class DatabaseLog:
    """The log in the database. Every method raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, positions: Mapping[UUID, int], *, needs: frozenset[str]) -> list[Event]:
        """What followed the given revision in each conversation, at most ENTRIES of each, in order."""
        async with self._database.system() as connection:
            return await events.after(connection, positions, ENTRIES, needs=needs)

    async def look(self, conversations: Collection[UUID], viewers: Collection[UUID], since: int) -> Look:
        """The newest revisions, and what these viewers have joined since a horizon."""
        async with self._database.system() as connection:
            return await events.look(connection, list(conversations), list(viewers), since)

    async def standing(self, viewer: UUID, since: int) -> Standing:
        """How far each of the viewer's conversations is, and which they left at or above a horizon."""
        async with self._database.system() as connection:
            return await events.standing(connection, viewer, since)

    async def reached(self, conversations: Collection[UUID], horizon: int) -> dict[UUID, int]:
        """The last revision of each conversation that lies below the horizon."""
        async with self._database.system() as connection:
            return await events.reached(connection, list(conversations), horizon)

    async def membership(self, viewer: UUID, conversation: UUID) -> Membership | None:
        """Where the conversation is, and what of it is the viewer's to see; None where nothing is."""
        async with self._database.system() as connection:
            return await memberships.find(connection, viewer, conversation)

    async def conversation(self, viewer: UUID, key: UUID) -> Conversation | None:
        """The conversation as it looks to the viewer, who need not be a member."""
        async with self._database.system() as connection:
            return (await conversations.by_keys(connection, viewer, [key], _OUTSIDE)).get(key)

    async def receipts(self, keys: Collection[tuple[UUID, UUID]]) -> list[Participant]:
        """Participants, each a conversation and a user, with their watermarks."""
        async with self._database.system() as connection:
            return list((await participants.by_keys(connection, list(keys))).values())

    async def receipts_since(self, conversations: Collection[UUID], horizon: int) -> list[Participant]:
        """Participants whose watermarks moved at or above the horizon."""
        async with self._database.system() as connection:
            return await participants.changed(connection, list(conversations), horizon)

    async def states(self, keys: Collection[tuple[UUID, UUID]]) -> list[OwnState]:
        """The own sides of conversations, each a conversation and a user who is in it."""
        async with self._database.system() as connection:
            return await states.by_keys(connection, list(keys))

    async def states_since(self, viewers: Collection[UUID], horizon: int) -> list[OwnState]:
        """What these users changed of their own sides at or above the horizon."""
        async with self._database.system() as connection:
            return await states.changed(connection, list(viewers), horizon)

    async def people(self, keys: Collection[UUID]) -> dict[UUID, User]:
        """Those of the users who exist."""
        async with self._database.system() as connection:
            return await users.by_keys(connection, list(keys))
