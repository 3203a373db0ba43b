"""Texts in which there is nothing to see."""

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # not Cn: an emoji of tomorrow is not assigned yet


def is_blank(text: str) -> bool:
    """Whether it has nothing but spaces, and characters that control something or format others."""
    return all(unicodedata.category(character) in _UNSEEN for character in text)
