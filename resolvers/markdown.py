"""Markdown as people write it to each other: CommonMark with tables and strikethrough; a line break is one.

Not HTML, which is shown as it was typed, and not link reference definitions: one that is long and used often would make
a body a thousand times as large.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from resolvers import addresses

SCHEMES: Final = frozenset({"http", "https", "mailto"})
"""Of what may be linked to."""

# What takes longer than its length, or makes more than a multiple of it. The worst that is left takes about 0.1 s.
_LONGEST: Final = 20_000  # characters
_MOST_BRACKETS: Final = 500  # each may be the beginning of a link, which is looked for up to the end
_MOST_CELLS: Final = 5_000  # of tables: rows that are cut short are filled up

_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def is_modest(body: str) -> bool:
    """Whether it is rendered in reasonable time; what nobody writes by hand is not."""
    if len(body) > _LONGEST or body.count("[") > _MOST_BRACKETS:
        return False
    lines = body.split("\n")
    return max(line.count("|") for line in lines) * len(lines) <= _MOST_CELLS


def html(body: str, *, has_images: bool) -> str:
    """Of a modest body; not sanitised. Without images, they are links."""
    rendered: str = (_WITH_IMAGES if has_images else _WITHOUT_IMAGES).render(body)
    return rendered


def texts(body: str) -> Iterator[str]:
    """What of a modest body is text, and neither code nor an address."""
    for block in _WITHOUT_IMAGES.parse(body):
        for token in block.children or ():
            if token.type == "text":
                yield token.content


def _address(state: StateInline, silent: bool) -> bool:
    """A rule: an address is a link, also where nobody marked it up."""
    if state.linkLevel > 0 or not addresses.BEGINS.match(state.src, state.pos):
        return False
    found = addresses.at(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(found.url)}
        state.push("address", "", 0).content = found.text
        state.push("link_close", "a", -1)
    state.pos += len(found.text)
    return True


def _text(state: StateInline, silent: bool) -> bool:
    """A rule: text ends where another rule may begin, or an address."""
    stop = _STOPS.search(state.src, state.pos + 1)
    end = stop.start() if stop else state.posMax
    end = min(end, state.posMax)
    if _MARKS.match(state.src, state.pos):
        return False
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True


_MARKS: Final = re.compile(r"[\n!#$%&*+\-:<=>@\[\\\]^_`{}~]")
_STOPS: Final = re.compile(f"{_MARKS.pattern}|{addresses.BEGINS.pattern}", re.IGNORECASE)


class _Renderer(RendererHTML):
    def address(self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
        return escapeHtml(tokens[index].content)


class _RendererWithoutImages(_Renderer):
    def image(self, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: EnvType) -> str:
        source = str(tokens[index].attrGet("src") or "")
        return f'<a href="{escapeHtml(source)}">{escapeHtml(tokens[index].content or source)}</a>'


def _leads_somewhere(url: str) -> bool:
    """A path alone would lead into the application that shows the message, with its user's cookies."""
    found = _SCHEME.match(url)
    return found is not None and found.group(1).lower() in SCHEMES


def _parser(renderer: Callable[[MarkdownIt], RendererHTML]) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "xhtmlOut": False}, renderer_cls=renderer)
    parser.enable(["table", "strikethrough"]).disable("reference")
    parser.inline.ruler.at("text", _text)
    parser.inline.ruler.before("text", "address", _address)
    parser.validateLink = _leads_somewhere  # type: ignore[method-assign]  # the library's own way to say so
    return parser


_WITH_IMAGES: Final = _parser(_Renderer)
_WITHOUT_IMAGES: Final = _parser(_RendererWithoutImages)
