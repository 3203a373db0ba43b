"""Bodies as HTML: what people expect of it, and nothing that runs."""

import asyncio
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers import bodies as module
from resolvers import markdown
from resolvers.bodies import Bodies

REL = "nofollow noopener noreferrer ugc"
BODIES = Bodies()
WITH_IMAGES = Bodies(has_images=True)

ALLOWED = {
    "a": {"href", "title", "rel"},
    "blockquote": set(),
    "br": set(),
    "code": {"class"},
    "em": set(),
    **{f"h{level}": set[str]() for level in range(1, 7)},
    "hr": set(),
    "img": {"src", "alt", "title", "loading", "referrerpolicy"},
    "li": set(),
    "ol": {"start"},
    "p": set(),
    "pre": set(),
    "s": set(),
    "strong": set(),
    "table": set(),
    "tbody": set(),
    "td": {"style"},
    "th": {"style"},
    "thead": set(),
    "tr": set(),
    "ul": set(),
}
VALUES = {
    "href": r"(https?|mailto):[^\s<>\"]*",
    "src": r"https?:[^\s<>\"]*",
    "rel": REL,
    "class": r"language-[\w.+#-]{1,40}",
    "start": r"\d{1,10}",
    "style": r"text-align: ?(left|right|center);?",
    "loading": "lazy",
    "referrerpolicy": "no-referrer",
    "alt": r"(?s).*",
    "title": r"(?s).*",
}
"""What a browser may be given; written down again, so that whoever widens it does so twice."""


class Page(HTMLParser):
    """What a parser makes of HTML: its elements, all of which must be allowed, and its text."""

    def __init__(self, html: str, *, has_images: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self._has_images = has_images
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str | None] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert tag != "img" or self._has_images
        for name, value in attrs:
            assert name in ALLOWED[tag]
            assert re.fullmatch(VALUES[name], value or "", re.IGNORECASE), (name, value)
        if tag == "a":
            given = dict(attrs)
            assert given["rel"] == REL
            self.links.append(given.get("href"))
        self.tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")


def link(url: str, text: str) -> str:
    return f'<a href="{url}" rel="{REL}">{text}</a>'


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("hello", "<p>hello</p>"),
        ("one\ntwo\n\nthree", "<p>one<br>\ntwo</p>\n<p>three</p>"),
        (
            "**bold** _em_ ~~gone~~ `a < b`",
            "<p><strong>bold</strong> <em>em</em> <s>gone</s> <code>a &lt; b</code></p>",
        ),
        ("# Title", "<h1>Title</h1>"),
        ("3. c\n4. d", '<ol start="3">\n<li>c</li>\n<li>d</li>\n</ol>'),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>"),
        ("```py\nx = '<'\n```", "<pre><code class=\"language-py\">x = '&lt;'\n</code></pre>"),
        (
            "|a|b|\n|-|-:|\n|1|2|",
            """<table>
<thead>
<tr>
<th>a</th>
<th style="text-align:right">b</th>
</tr>
</thead>
<tbody>
<tr>
<td>1</td>
<td style="text-align:right">2</td>
</tr>
</tbody>
</table>""",
        ),
        ("[a](https://b.example/ 'c')", f'<p><a href="https://b.example/" title="c" rel="{REL}">a</a></p>'),
        (
            "see https://a.example/__init__.py.",
            f"<p>see {link('https://a.example/__init__.py', 'https://a.example/__init__.py')}.</p>",
        ),
        ("(www.a.example/b_(c))", f"<p>({link('http://www.a.example/b_(c)', 'www.a.example/b_(c)')})</p>"),
        ("to a.b+c@d.example!", f"<p>to {link('mailto:a.b+c@d.example', 'a.b+c@d.example')}!</p>"),
        ("[see https://a.example](https://b.example)", f"<p>{link('https://b.example', 'see https://a.example')}</p>"),
        ("`https://a.example`", "<p><code>https://a.example</code></p>"),
        ("![a cat](https://a.example/cat.png)", f"<p>{link('https://a.example/cat.png', 'a cat')}</p>"),
        ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>"),
        ("[a](/logout) [b](//evil.example) [c](ftp://d)", "<p>[a](/logout) [b](//evil.example) [c](ftp://d)</p>"),
        ("[a]: https://b.example\n\n[a]", f"<p>[a]: {link('https://b.example', 'https://b.example')}</p>\n<p>[a]</p>"),
    ],
)
def test_markdown(body: str, html: str) -> None:
    """As one expects it, but for HTML, which is text, for images, which are links, and for links into the page's own site."""
    assert BODIES.render(body, "MARKDOWN") == html


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("a **b** <i>", "<p>a **b** &lt;i&gt;</p>"),
        ("one\ntwo\n\nthree", "<p>one<br>two<br><br>three</p>"),
        ("see https://a.example/?b=1&c=2, now", None),
    ],
)
def test_plain(body: str, html: str | None) -> None:
    """Text as it is, with its line breaks; addresses are links."""
    url = "https://a.example/?b=1&amp;c=2"
    assert BODIES.render(body, "PLAIN") == (html or f"<p>see {link(url, url)}, now</p>")


def test_images_by_setting() -> None:
    """Where they are wanted, they are shown, and tell their server nothing of the page."""
    html = WITH_IMAGES.render('![a "cat"](https://a.example/cat.png)', "MARKDOWN")
    assert Page(html, has_images=True).tags == ["p", "img"]
    assert 'loading="lazy"' in html
    assert 'referrerpolicy="no-referrer"' in html
    assert Page(WITH_IMAGES.render("![x](data:image/png;base64,AAAA)", "MARKDOWN")).tags == ["p"]


# From the cheat sheets: tags, handlers, schemes and their disguises, broken markup, and what is Markdown's own.
HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src=`javascript:alert(1)`>",
    '<img """><script>alert(1)</script>">',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)>",
    "<embed src=//evil.example/x.swf>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{background:url(javascript:alert(1))}</style>",
    "<style><img src='</style><img src=x onerror=alert(1)>'></style>",
    "<form action=javascript:alert(1)><input type=submit></form>",
    "<button formaction=javascript:alert(1)>x</button>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<div style='width:expression(alert(1))'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!DOCTYPE x [<!ENTITY a 'b'>]>",
    "<?xml-stylesheet href='javascript:alert(1)'?>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "</p></div><script>alert(1)</script>",
    "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x]( javascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A;&#x61;vascript:alert(1))",
    "[x](javascript&#58;alert(1))",
    "[x](java%0ascript:alert(1))",
    "[x](\\javascript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x](<java\nscript:alert(1)>)",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](file:///etc/passwd)",
    "[x](blob:https://a.example/1)",
    "[x](view-source:https://a.example)",
    "[x](//evil.example)",
    "[x](/\\evil.example)",
    "[x](https:javascript:alert(1))",
    '[x](https://a.example" onmouseover="alert(1))',
    "[x](https://a.example 'a\" onmouseover=\"alert(1)')",
    '[x](https://a.example (a" onmouseover="alert(1)))',
    '[x](https://a.example "</a><script>alert(1)</script>")',
    "[<img src=x onerror=alert(1)>](https://a.example)",
    "[x]: javascript:alert(1)\n\n[x]",
    "[x][1]\n\n[1]: <javascript:alert(1)>",
    "<javascript:alert(1)>",
    "<javascript&colon;alert(1)>",
    '<https://a.example/"onmouseover=alert(1)>',
    "<data:text/html,<script>alert(1)</script>>",
    "![x](javascript:alert(1))",
    '![x](https://a.example/x.png"onerror="alert(1))',
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    '!["onerror="alert(1)](https://a.example/x.png)',
    "![<script>alert(1)</script>](https://a.example/x.png)",
    "[![x](https://a.example/x.png)](javascript:alert(1))",
    '[a![b](https://b.example/"><script>alert(1)</script>)](https://a.example)',
    '```"><script>alert(1)</script>\nx\n```',
    '```x" onmouseover="alert(1)\nx\n```',
    "~~~ <script>\nx\n~~~",
    "    <script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "|a|\n|-|\n|<script>alert(1)</script>|",
    "|<img src=x onerror=alert(1)>|\n|:-:|",
    'https://a.example/"onmouseover="alert(1)',
    "https://a.example/<script>alert(1)</script>",
    "https://a.example/'onmouseover='alert(1)",
    "http://javascript:alert(1)@a.example/",
    'www.a.example"><script>alert(1)</script>',
    "javascript://a.example/%0aalert(1)",
    'a@b.example"onmouseover="alert(1)',
    "mailto:a@b.example?body=<script>",
    '<a@b.example"onmouseover=alert(1)>',
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)\\</script>",
    "<scr\x0bipt>alert(1)</script>",
    "\u2028<script>alert(1)</script>",
    "\ufeff<script>alert(1)</script>",
    "\u202e<script>alert(1)</script>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "1<a href=javascript:alert(1)>*x*</a>",
    "*<script>*alert(1)*</script>*",
    "<script\n>alert(1)</script\n>",
    "# <script>alert(1)</script>\n===",
    "> <script>\n> alert(1)\n> </script>",
    "- <script>\n- alert(1)</script>",
]  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("written", ["MARKDOWN", "PLAIN"])
def test_hostile_bodies(body: str, written: str) -> None:
    """A parser finds nothing in them but what is allowed, with images and without."""
    Page(BODIES.render(body, written))
    Page(WITH_IMAGES.render(body, written), has_images=True)


BEYOND = [
    "<a href=/logout>x</a>",
    "<a href=logout>x</a>",
    "<a href=ftp://a.example>x</a>",
    "<a href='https://a.example' target=_top rel=opener class=x id=x>x</a>",
    "<table><tr><td style='text-align: left; background: url(https://a.example)' onclick=x>x</td></tr></table>",
    "<code class='x language-js'>x</code><p class=x style='color: red'>x</p>",
]


@pytest.mark.parametrize("body", HOSTILE + BEYOND)
def test_the_sanitizer_alone(body: str) -> None:
    """Whatever a renderer might let through, taken as HTML: it is the second line, and holds by itself."""
    Page(BODIES._sanitize(body))
    Page(WITH_IMAGES._sanitize(body), has_images=True)


_pieces = st.lists(
    st.one_of(
        st.sampled_from(HOSTILE),
        st.sampled_from(
            [*"[]()<>!*_~`|#\\&;:/@\"'\n \t-+=.", "](", "](<", "![", "```", "~~", "<!--", "-->", "\n|-|\n"]
        ),
        st.sampled_from(["javascript:", "data:", "https://", "www.", "mailto:", "a@b.example", "onerror=", "style="]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@settings(max_examples=250, deadline=None)
@given(_pieces)
def test_any_body(body: str) -> None:
    """The same of whatever is put together of them; and what was rendered once is rendered so again."""
    for written in ("MARKDOWN", "PLAIN"):
        html = WITH_IMAGES.render(body, written)
        Page(html, has_images=True)
        assert html == WITH_IMAGES.render(body, written)
        Page(BODIES.render(body, written))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\x0c"), min_size=1, max_size=60))
def test_plain_text_is_shown_as_it_is(body: str) -> None:
    """Whatever is in it: read as a page, it is the text, with a break where a line ends."""
    html = BODIES.render(body, "PLAIN")
    assert Page(html.replace("<br>", "\n")).text == body


PATHOLOGICAL = {
    **{repr(piece): piece * (10_000 // len(piece)) for piece in ["[", "![", "[a](", "**a ", "*~~_", "- a\n", "a@b.c "]},
    "nested brackets": "[" * 5_000 + "]" * 5_000,
    "a table that is filled up": f"|{'a|' * 200}\n|{'-|' * 200}\n" + "x\n" * 4_500,
    "brackets of an address": f"https://a{'(' * 3000}{')' * 6900}",
    "nested quotes": "".join(f"{'>' * depth}\n" for depth in range(140)),
    "the same definition again and again": f"[a]: https://{'b' * 5_000}\n\n" + "[a]" * 1_600,
    "as long as can be": "*a* " * 250_000,
}


@pytest.mark.parametrize("body", PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_what_would_take_long_is_plain_text(body: str) -> None:
    """Bounded work and bounded size, whatever the body: a hundred times what it takes is still no minute."""
    before = time.process_time()
    html = BODIES.render(body, "MARKDOWN")
    assert time.process_time() - before < 3  # 0.1 here; unbounded, some of them take minutes
    assert len(html) < 30 * len(body)


@pytest.mark.parametrize(
    ("body", "is_modest"),
    [
        ("x" * 20_000, True),
        ("x" * 20_001, False),
        ("[x] " * 500, True),
        ("[x] " * 501, False),
        ("|a|b|\n" * 1_665, True),
        ("|a|b|\n" * 1_666, False),
        ("|" * 5_000, True),
        ("|" * 2_501 + "\n", False),
    ],
)
def test_what_is_modest(body: str, is_modest: bool) -> None:
    """Where rendering ends, for its worst cases take a multiple of what is allowed."""
    assert markdown.is_modest(body) is is_modest


async def test_a_body_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short and long ones, each for its format; what was not wanted for long is forgotten."""
    rendered: list[tuple[str, str]] = []

    class Counted(Bodies):
        def render(self, body: str, written: str) -> str:
            rendered.append((body[:5], written))
            return super().render(body, written)

    monkeypatch.setattr(module, "_CACHED", 20_000)
    bodies = Counted()

    async def html(body: str, written: str) -> str:
        found = bodies.html(body, written)
        return found if isinstance(found, str) else await found

    long = "long " * 1_000
    for _ in range(3):
        assert await html("*x*", "MARKDOWN") == "<p><em>x</em></p>"
        assert await html("*x*", "PLAIN") == "<p>*x*</p>"
        assert await html(long, "PLAIN") == f"<p>{long}</p>"
    assert rendered == [("*x*", "MARKDOWN"), ("*x*", "PLAIN"), ("long ", "PLAIN")]
    await asyncio.gather(*(html(f"{number} {long}", "PLAIN") for number in range(2)))
    await html("*x*", "PLAIN")
    assert rendered.count(("*x*", "PLAIN")) == 2
    assert BODIES.html("", "MARKDOWN") == ""
