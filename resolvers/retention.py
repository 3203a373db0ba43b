"""What is removed because it is older than it may become."""

from datetime import UTC, datetime, timedelta

import structlog

from db import retention, turns
from db.pool import Database
from db.retention import Ages
from resolvers.jobs import Job

_log = structlog.get_logger(__name__)

_INTERVAL = 600.0  # seconds from the end of one round over all conversations to the beginning of the next
_MESSAGES = 500  # of a transaction
_CONVERSATIONS, _EVENTS = 200, 200  # of a transaction: conversations, and events of each


class LogTrimmer:
    """Trims the log of one conversation after the other; who starts again begins again, and finds little to do."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days
        self._place = retention.FIRST

    @property
    def job(self) -> Job:
        return Job("trim the log", _INTERVAL, self.trim)

    async def trim(self) -> bool:
        """One transaction of a round; whether the round goes on."""
        before = datetime.now(UTC) - timedelta(days=self._days)
        async with self._database.system() as connection, connection.transaction():
            if not await turns.take(connection, "trim the log"):
                return False
            trimmed = await retention.trim_log(connection, self._place, before, _CONVERSATIONS, _EVENTS)
        if trimmed.events:
            _log.info("log_trimmed", events=trimmed.events)
        self._place = trimmed.last or retention.FIRST
        return trimmed.last is not None


class MessageTrimmer:
    """Removes the oldest messages of one conversation after the other; who starts again begins again."""

    def __init__(self, database: Database, *, direct_days: int, group_days: int) -> None:
        """Days of 0: for ever."""
        self._database = database
        self._direct_days = direct_days
        self._group_days = group_days
        self._place = retention.FIRST

    @property
    def job(self) -> Job:
        return Job("remove old messages", _INTERVAL, self.trim)

    async def trim(self) -> bool:
        """One piece of a round; whether the round goes on."""
        now = datetime.now(UTC)
        ages = Ages(
            direct=now - timedelta(days=self._direct_days) if self._direct_days else None,
            group=now - timedelta(days=self._group_days) if self._group_days else None,
        )
        async with self._database.system() as connection:
            old, last = await retention.find_old(connection, self._place, ages, _CONVERSATIONS)
            for conversation in old:
                async with connection.transaction():
                    if not await turns.take(connection, "remove old messages"):
                        return False
                    count = await retention.forget_messages(connection, conversation, ages, _MESSAGES)
                _log.info("messages_removed", conversation=str(conversation), messages=count)
                if count == _MESSAGES:  # there may be more of them
                    return True
        self._place = last or retention.FIRST
        return last is not None
