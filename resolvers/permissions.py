"""Who may do what in a conversation: one table, by which every right is decided.

A right depends on the role of who acts, on whether it is about what is theirs (their message, themselves) or another's,
and, where it is about another person, on the role of that person. Who is no member has no rights at all, but for
moderators: people whose token has the role `moderator`.
"""

from dataclasses import dataclass
from enum import Enum

MODERATOR_ROLE = "moderator"
"""The role of tokens of those who look after everybody."""

_EVERYBODY = frozenset({"OWNER", "ADMIN", "MEMBER"})
_LEADERS = frozenset({"OWNER", "ADMIN"})
_OWNERS = frozenset({"OWNER"})
_NOBODY: frozenset[str] = frozenset()
_RANKS = {"MEMBER": 0, "ADMIN": 1, "OWNER": 2}


class Action(Enum):
    SEND = "send a message"
    REACT = "react to a message"
    EDIT = "edit a message"
    DELETE = "delete a message"
    VIEW_EDITS = "see what a message said before"
    PIN = "pin or unpin a message"
    UPDATE = "change the title and settings of a conversation"
    ADD = "add people"
    REMOVE = "remove somebody, or leave"
    SET_ROLE = "change somebody's role"


@dataclass(frozen=True, slots=True)
class _Rule:
    own: frozenset[str]
    """Roles that may do it with what is theirs."""
    others: frozenset[str]
    """Roles that may do it with what is another's."""
    by_moderators: bool = False
    """Moderators may, members or not."""
    in_direct: bool = True
    """Not in groups alone."""
    below_only: bool = False
    """Of others, only those whose role is less than one's own; an owner is above all."""


RULES: dict[Action, _Rule] = {
    Action.SEND: _Rule(own=_EVERYBODY, others=_NOBODY),
    Action.REACT: _Rule(own=_EVERYBODY, others=_EVERYBODY),
    Action.EDIT: _Rule(own=_EVERYBODY, others=_NOBODY),
    Action.DELETE: _Rule(own=_EVERYBODY, others=_LEADERS, by_moderators=True),
    Action.VIEW_EDITS: _Rule(own=_EVERYBODY, others=_LEADERS, by_moderators=True),
    Action.PIN: _Rule(own=_EVERYBODY, others=_EVERYBODY),
    Action.UPDATE: _Rule(own=_LEADERS, others=_LEADERS, in_direct=False),
    Action.ADD: _Rule(own=_NOBODY, others=_LEADERS, in_direct=False),
    Action.REMOVE: _Rule(own=_EVERYBODY, others=_LEADERS, in_direct=False, below_only=True),
    Action.SET_ROLE: _Rule(own=_OWNERS, others=_OWNERS, in_direct=False),
}


def allows(
    action: Action,
    *,
    role: str | None,
    kind: str,
    is_own: bool = False,
    other_role: str | None = None,
    is_moderator: bool = False,
) -> bool:
    """Whether somebody may.

    `role`: theirs in the conversation, None for who is no member; `kind`: the conversation's; `is_own`: it is about what is
    theirs; `other_role`: of the person whom it is about, where it is about another.
    """
    rule = RULES[action]
    if is_moderator and rule.by_moderators:
        return True
    if role is None or (kind == "DIRECT" and not rule.in_direct):
        return False
    if is_own:
        return role in rule.own
    if rule.below_only and other_role is not None and role != "OWNER" and _RANKS[other_role] >= _RANKS[role]:
        return False
    return role in rule.others
