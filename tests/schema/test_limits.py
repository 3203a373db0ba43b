"""Limits on documents: what they let through, what they refuse, and that they are linear."""

import time
from typing import Any

import pytest
from graphql import build_schema, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from schema import limits

SCHEMA = build_schema(
    "type Query { a: Query b(text: String, list: [String], of: In): Query leaf: Int } input In { x: String }"
)


def refused(document: str, *, depth: int = 5, fields: int = 30) -> list[str]:
    """Messages of the limits' own rules."""
    rules = [limits._size_rule(depth, fields), limits.StorableText]
    return [error.message for error in validate(SCHEMA, parse(document), rules)]


def nested(depth: int) -> str:
    """Fields in fields, the innermost of them the deepest."""
    return "{ a " * (depth - 1) + "{ leaf " + "}" * depth


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_fields_as_deep_as_allowed(depth: int) -> None:
    """The limit itself is not too deep."""
    assert refused(nested(depth)) == []


def test_fields_one_deeper() -> None:
    """The message says how deep they are and how deep they may be."""
    assert refused(nested(6)) == ["fields are nested 6 deep; 5 are allowed"]


@pytest.mark.parametrize(
    "document",
    [
        "{ a { ... { a { ... on Query { a { a { a { leaf } } } } } } } }",
        "{ a { ...F } } fragment F on Query { a { ...G } } fragment G on Query { a { a { a { leaf } } } }",
        "query A { leaf } query B { a { a { a { a { a { leaf } } } } } }",
        "mutation { leaf a { a { a { a { a { leaf } } } } } }",
        "subscription { a { a { a { a { a { leaf } } } } } }",
    ],
    ids=["inline", "fragments", "second operation", "mutation", "subscription"],
)
def test_every_way_to_be_too_deep(document: str) -> None:
    """Fragments add no depth of their own, and every operation is looked at."""
    assert refused(document) == ["fields are nested 6 deep; 5 are allowed"]


def test_fragments_in_fragments_add_no_depth() -> None:
    """Ten of them around one field are as deep as the field."""
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} }} " for n in range(10))
    assert refused("{ ...F0 } " + chain + "fragment F10 on Query { leaf }") == []


def test_as_many_fields_as_allowed() -> None:
    """The limit itself is not too many; one more is."""
    fields = " ".join(f"f{n}: leaf" for n in range(30))
    assert refused(f"{{ {fields} }}") == []
    assert refused(f"{{ {fields} more: leaf }}") == [
        "with all fragments spread there are more than the 30 fields allowed"
    ]


def test_a_fragment_counts_wherever_it_is_spread() -> None:
    """Four spreads of ten fields are forty."""
    ten = "fragment Ten on Query { " + " ".join(f"f{n}: leaf" for n in range(10)) + " }"
    spreads = " ".join(f"a{n}: a {{ ...Ten }}" for n in range(3))
    assert refused(f"{{ {spreads.replace('a2: a { ...Ten }', '')} }} {ten}") == []
    assert len(refused(f"{{ {spreads} }} {ten}")) == 1


@pytest.mark.parametrize("link", ["...F{0} ...F{0}", "x: a {{ ...F{0} }} y: a {{ ...F{0} }}"], ids=["plain", "aliased"])
def test_a_chain_of_fragments_is_measured_at_once(link: str) -> None:
    """Two hundred fragments that spread the next one twice: 2²⁰⁰ fields, counted in no time."""
    chain = " ".join(f"fragment F{n} on Query {{ {link.format(n + 1)} }}" for n in range(200))
    document = parse(f"{{ ...F0 }} {chain} fragment F200 on Query {{ leaf }}")
    begun = time.perf_counter()
    errors = validate(SCHEMA, document, [limits._size_rule(1000, 1000)])
    assert time.perf_counter() - begun < 2
    assert len(errors) == 1


@pytest.mark.parametrize(
    "document",
    [
        "{ ...F } fragment F on Query { ...F leaf }",
        "{ ...F } fragment F on Query { a { ...G } } fragment G on Query { a { ...F } }",
        "{ ...Missing }",
    ],
    ids=["itself", "in a circle", "missing"],
)
def test_what_other_rules_refuse_is_no_trouble(document: str) -> None:
    """Fragments that spread themselves, or that there are none of, are measured and end."""
    assert refused(document) == []


@pytest.mark.parametrize(
    "document",
    [
        '{ b(text: "\\u0000") { leaf } }',
        '{ b(text: """a\0b""") { leaf } }',
        '{ b(list: ["a", "\\u0000"]) { leaf } }',
        '{ b(of: { x: "\\u{0}" }) { leaf } }',
        'query ($v: String = "\\u0000") { b(text: $v) { leaf } }',
        '{ ...F } fragment F on Query { b(text: "\\u0000") { leaf } }',
    ],
)
def test_nul_in_a_literal(document: str) -> None:
    """Wherever in the document it stands."""
    assert refused(document) == ["a string must not contain the NUL character"]


def test_text_without_nul() -> None:
    """Other control characters, and the digits of its escape, are let through."""
    assert refused('{ b(text: "\\u0001 \\\\u0000 0") { leaf } }') == []


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.untraced
@given(json)
def test_nul_in_variables_is_found_wherever_it_is(value: Any) -> None:
    """In a text, in a list, in an object's values and in its keys; and only then."""
    assert limits.holds_nul(value) == ("\0" in _texts(value))


def _texts(value: Any) -> str:
    """All text of a value, one after the other."""
    if isinstance(value, dict):
        return "".join(key + _texts(each) for key, each in value.items())
    if isinstance(value, list):
        return "".join(_texts(each) for each in value)
    return value if isinstance(value, str) else ""


def test_variables_may_be_nested_deeper_than_calls() -> None:
    """A thousand lists in each other, with a NUL in the middle or without."""
    clean: Any = "x"
    dirty: Any = "\0"
    for _ in range(5_000):
        clean, dirty = [clean], {"a": dirty}
    assert (limits.holds_nul(clean), limits.holds_nul(dirty)) == (False, True)
