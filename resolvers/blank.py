"""Texts in which there is nothing to see."""

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # not Cn: an emoji of tomorrow is not assigned yet


def is_blank(text: str) -> bool:
    """Whether it has nothing but spaces, and characters that control something or format others."""
    for character in text:  # noqa: SIM110  (most end at once, and a generator takes longer than that)
        if unicodedata.category(character) not in _UNSEEN:
            return False
    return True
