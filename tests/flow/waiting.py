"""Waiting for what nobody tells of."""

import asyncio
from collections.abc import Callable

from tests.flow.client import PATIENCE


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  (what it looks at has no event)
            await asyncio.sleep(0.01)
