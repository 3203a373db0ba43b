"""Bodies as HTML that may be put into a page as it is."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable
from html import escape
from typing import Final

import nh3

from resolvers import addresses, markdown
from resolvers.addresses import Address

_CACHED: Final = 8_000_000  # characters of bodies and what was made of them
_AT_ONCE: Final = 1_000  # characters: what is longer is rendered beside the event loop

_REL: Final = "nofollow noopener noreferrer ugc"
_TAGS: Final = frozenset(
    [
        "a",
        "blockquote",
        "br",
        "code",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_ATTRIBUTES: Final = {
    "a": {"href", "title"},
    "code": {"class"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"style"},
    "th": {"style"},
}
_LANGUAGE: Final = re.compile(r"language-[\w.+#-]{1,40}", re.ASCII)


class Bodies:
    """Renders bodies, and remembers those it rendered last."""

    def __init__(self, *, has_images: bool = False) -> None:
        """`has_images`: whether images in Markdown are shown; else they are links to them."""
        self._has_images = has_images
        self._sanitize = nh3.Cleaner(
            tags=_TAGS | ({"img"} if has_images else set()),
            attributes=_ATTRIBUTES,
            attribute_filter=_filter,
            link_rel=_REL,
            url_schemes=set(markdown.SCHEMES),
            url_relative="deny",
            filter_style_properties={"text-align"},
            set_tag_attribute_values={"img": {"loading": "lazy", "referrerpolicy": "no-referrer"}}
            if has_images
            else {},
        ).clean
        self._rendered: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._size = 0

    def html(self, body: str, written: str) -> str | Awaitable[str]:
        """The body, in the format it was written in, as sanitised HTML; empty where the body is."""
        if not body:
            return ""
        found = self._rendered.get((body, written))
        if found is not None:
            self._rendered.move_to_end((body, written))
            return found
        if len(body) <= _AT_ONCE:
            return self._keep(body, written, self.render(body, written))
        return self._render_beside(body, written)

    def render(self, body: str, written: str) -> str:
        """The same, done anew."""
        if written == "MARKDOWN" and markdown.is_modest(body):
            return self._sanitize(markdown.html(body, has_images=self._has_images)).strip()
        return self._sanitize(_plain(body))

    async def _render_beside(self, body: str, written: str) -> str:
        return self._keep(body, written, await asyncio.to_thread(self.render, body, written))

    def _keep(self, body: str, written: str, html: str) -> str:
        if (body, written) not in self._rendered:
            self._rendered[body, written] = html
            self._size += len(body) + len(html)
        while self._size > _CACHED:
            (oldest, _), made = self._rendered.popitem(last=False)
            self._size -= len(oldest) + len(made)
        return html


def _plain(body: str) -> str:
    """Text with its line breaks, in which nothing but addresses is more than text."""
    return f"<p>{''.join(map(_piece, addresses.split(body)))}</p>".replace("\n", "<br>")


def _piece(piece: str | Address) -> str:
    if isinstance(piece, Address):
        return f'<a href="{escape(piece.url)}">{escape(piece.text)}</a>'
    return escape(piece)


def _filter(tag: str, name: str, value: str) -> str | None:
    """A class says which language code is in; nothing else has one."""
    if (tag, name) == ("code", "class"):
        return value if _LANGUAGE.fullmatch(value) else None
    return value
