"""What the live side of this process counts, for whoever operates it."""

from collections.abc import Callable
from dataclasses import dataclass


def _never() -> bool:
    return False


@dataclass(slots=True)
class Counters:
    """Gauges say how it is now, the others how often something happened since the start."""

    sockets: int = 0
    """Open websockets that said who they are."""
    subscriptions: int = 0
    """Subscriptions that run."""
    live: int = 0
    """Those of them that are up to date: they take events as these are read, and read nothing themselves."""
    groups: int = 0
    """Sets of subscriptions that share one execution of each event."""
    followed: int = 0
    """Conversations with subscriptions here."""
    events: int = 0
    """Events the hub has read and handed on."""
    executions: int = 0
    """GraphQL executions of events."""
    deliveries: int = 0
    """Events that were given to a subscription."""
    catch_ups: int = 0
    """Readings of the log by subscriptions that were not up to date."""
    fallen_behind: int = 0
    """Subscriptions that did not take events fast enough and went to the log."""
    lag: float = 0.0
    """Seconds from the commit of the newest event to its being read here."""
    is_listening: Callable[[], bool] = _never
    """Whether what other processes tell would be heard now."""
    resyncs: int = 0
    """Times the hub was told that wake-ups may have been lost."""
