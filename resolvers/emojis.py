"""One emoji: what a reaction is."""

from functools import cache

import emoji

_PRESENTATIONS = {ord("\ufe0e"): None, ord("\ufe0f"): None}
"""The variation selectors of text and of emoji, which change how a character looks and not which it is."""


def normalised(text: str) -> str | None:
    """The emoji that the text is, in its one full form (Unicode's fully-qualified); None where it is anything else.

    Sequences count as they are recommended for interchange: with skin tone, joined ones, flags, keycaps.
    """
    return _emojis().get(text.translate(_PRESENTATIONS))


@cache
def _emojis() -> dict[str, str]:
    """Every emoji by itself without variation selectors."""
    whole = (emoji.STATUS["component"], emoji.STATUS["fully_qualified"])
    return {text.translate(_PRESENTATIONS): text for text, data in emoji.EMOJI_DATA.items() if data["status"] in whole}
