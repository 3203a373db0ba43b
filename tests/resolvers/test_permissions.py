"""The table of rights, written out: every role, every action, every relation to what it is about."""

import itertools

import pytest

from resolvers.permissions import Action, allows

ROLES = ("OWNER", "ADMIN", "MEMBER", None)

# What each role may: o with what is their own; with what is another's who is an (O)wner, (A)dmin, (M)ember, or nobody
# of these (-), a message or the conversation itself.
GROUP = {
    #                      OWNER    ADMIN    MEMBER
    Action.SEND:         ("o",     "o",     "o"),
    Action.REACT:        ("oOAM-", "oOAM-", "oOAM-"),
    Action.EDIT:         ("o",     "o",     "o"),
    Action.DELETE:       ("oOAM-", "oOAM-", "o"),
    Action.VIEW_EDITS:   ("oOAM-", "oOAM-", "o"),
    Action.PIN:          ("oOAM-", "oOAM-", "oOAM-"),
    Action.UPDATE:       ("oOAM-", "oOAM-", ""),
    Action.ADD:          ("OAM-",  "OAM-",  ""),
    Action.REMOVE:       ("oOAM-", "oM-",   "o"),
    Action.SET_ROLE:     ("oOAM-", "",      ""),
}  # fmt: skip
OTHERS = {"O": "OWNER", "A": "ADMIN", "M": "MEMBER", "-": None}
IN_GROUPS_ALONE = {Action.UPDATE, Action.ADD, Action.REMOVE, Action.SET_ROLE}
OF_MODERATORS = {Action.DELETE, Action.VIEW_EDITS}


def written(action: Action, role: str | None, relation: str) -> bool:
    return role is not None and relation in GROUP[action][ROLES.index(role)]


@pytest.mark.parametrize("action", Action)
def test_the_table(action: Action) -> None:
    """As it is written above; in a direct conversation nobody changes who is in it; moderators see and delete."""
    for role, kind, relation, is_moderator in itertools.product(
        ROLES, ("GROUP", "DIRECT"), ("o", *OTHERS), (False, True)
    ):
        found = allows(
            action,
            role=role,
            kind=kind,
            is_own=relation == "o",
            other_role=OTHERS.get(relation),
            is_moderator=is_moderator,
        )
        expected = written(action, role, relation) and not (kind == "DIRECT" and action in IN_GROUPS_ALONE)
        assert found is (expected or (is_moderator and action in OF_MODERATORS)), (role, kind, relation, is_moderator)


def test_every_action_is_written_out() -> None:
    """One that is new has a row above."""
    assert set(GROUP) == set(Action)
