"""What a conversation says of itself, in plain English; the row beside it says the same for programs."""

from collections.abc import Sequence

from db.rows import User

MOST_NAMED = 10
"""People whom one message names; of more than that it says how many."""


def added(actor: User, people: Sequence[User]) -> str:
    return f"{actor.name} added {_names(people)}"


def removed(actor: User, user: User) -> str:
    return f"{actor.name} removed {user.name}"


def left(user: User) -> str:
    return f"{user.name} left"


def renamed(actor: User, title: str | None) -> str:
    return f"{actor.name} named the conversation “{title}”" if title else f"{actor.name} took the title away"


def _names(people: Sequence[User]) -> str:
    names = [user.name for user in people[:MOST_NAMED]]
    more = len(people) - len(names)
    if more:
        names.append("1 more" if more == 1 else f"{more} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
