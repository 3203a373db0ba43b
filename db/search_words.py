"""Where words begin and end, for messages and for what is searched in them: alike, or the one is not found in the other.

PostgreSQL's parser takes what stands in angle brackets for markup and drops it, keeps an address, a path or `either/or` as
one word, and a sentence in a script without spaces too. So it is shown where to part them: behind punctuation, and around
each character of such a script and each emoji, is a character that is in no text. Several words that were written as one
are searched for in this order.
"""

PART = "\x01"
"""Is in no text that is searched: what has it is rid of it."""

_PUNCTUATION = "[<&/.@_~+:-]"
_BY_THEMSELVES = (
    r"[\u2600-\u27bf\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff]"
)


def parted(expression: str) -> str:
    """The SQL of a text whose words are parted."""
    clean = f"replace({expression}, chr(1), '')"
    return (
        rf"regexp_replace(regexp_replace({clean}, '{_PUNCTUATION}', '\&' || chr(1), 'g'), "
        rf"'{_BY_THEMSELVES}', chr(1) || '\&' || chr(1), 'g')"
    )
