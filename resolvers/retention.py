"""What is removed because it is older than it may become."""

from datetime import UTC, datetime, timedelta

import structlog

from db import retention, turns
from db.pool import Database
from resolvers.jobs import Job

_log = structlog.get_logger(__name__)

_INTERVAL = 600.0  # seconds from the end of one round over all conversations to the beginning of the next
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
