"""What there is to be selected: rows with what a document asks of them, most of them good, some full of surprises."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from types import SimpleNamespace
from typing import Any, Final
from uuid import UUID

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)
from strawberry import UNSET

from resolvers.errors import BadUserInputError, NotFoundError
from tests.schema.compiled import zoo
from tests.schema.compiled.documents import Atlas, Choices, Composite, Operation, Wanted
from tests.schema.compiled.recipes import Fresh, Just, Later, Listed, Made, Raise, Recipe, Shared, Streamed

_ROWS = 40  # of an execution, about


class _Text(str):
    __slots__ = ()


class _Number(IntEnum):
    ONE = 1


class _Sequence(Sequence[Any]):
    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)


class _List(list[Any]):
    pass


def _breaking(items: list[Any]) -> Any:
    yield from items
    raise NotFoundError("the rest is gone")


def _located() -> GraphQLError:
    return GraphQLError("I know where it was.", path=["elsewhere", 1])


_GOOD: Final[dict[str, Sequence[Any]]] = {
    "Int": (1, 0, -5, 2**31 - 1),
    "Float": (0.5, 3, -1e300, 0.1),
    "String": ("a", "", 'ü "\u2028\n', "longer than the others"),
    "ID": ("one", "2", ""),
    "Boolean": (True, False),
    "Mood": ("HAPPY", "WILD", zoo.Mood.SULKY),
    "Size": (1, 2, zoo.Size.SMALL),
    "Chip": ("fine",),
    "DateTime": (
        datetime(2026, 11, 20, 19, 22, 1, 123456, tzinfo=UTC),
        datetime(1969, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ),
}
ERRORS: Final[Sequence[Callable[[], Exception]]] = (
    lambda: ValueError("no value"),
    lambda: BadUserInputError("not like this"),
    lambda: NotFoundError("nothing there"),
    lambda: GraphQLError("said by a resolver", extensions={"code": "MINE", "of": [1]}),
    _located,
    lambda: KeyError("key"),
    lambda: AttributeError("attribute"),
    lambda: TypeError("Cannot return null for non-nullable field Elsewhere.name."),
)
_SURPRISES: Final[Sequence[Recipe]] = (
    Just(None),
    Just(True),
    Just(3),
    Just("7"),
    Just(""),
    Just(1.0),
    Just(1.5),
    Just(-0.0),
    Just(math.nan),
    Just(math.inf),
    Just(2**31),
    Just(-(2**63) - 1),
    Just(10**400),
    Just("SULKY"),
    Just("sulky"),
    Just("broken"),
    Just(_Text("WILD")),
    Just(_Number.ONE),
    Just(zoo.Mood.HAPPY),
    Just(zoo.Size.LARGE),
    Just(Undefined),
    Just(UNSET),
    Just(b"bytes"),
    Just("\ud800"),
    Just(datetime(2026, 1, 1)),  # noqa: DTZ001  (that is the surprise)
    Just(UUID(int=7)),
    Just(object),
    Just(len),
    Fresh(object),
    Fresh(list),
    Fresh(lambda: ["a", None]),
    Fresh(lambda: {"id": "one", "name": "a", "__typename": "Bird"}),
    Fresh(lambda: iter("ab")),
    *(Fresh(error) for error in ERRORS),
    *(Raise(error) for error in ERRORS),
    Later(Just(None)),
    Later(Just("a")),
    Later(Raise(ERRORS[0])),
)
_TEMPTING: Final[dict[str, Sequence[Any]]] = {
    "Int": (True, "7", 1.5, 2**31, False, 1.0, _Number.ONE),
    "Float": (True, 2, "1.5", math.nan, math.inf, 10**400, _Number.ONE),
    "String": (b"bytes", 3, zoo.Mood.HAPPY, True, 1.5, _Text("ours"), "\ud800"),
    "ID": (3, True, 1.0, 1.5, UUID(int=7), 2**70, _Text("ours")),
    "Boolean": (1, 0, "true", 1.5, "", math.nan),
    "Mood": ("sulky", _Text("WILD"), 1, "", zoo.Size.SMALL, zoo.Mood),
    "Size": ("SMALL", True, 1.0, 3, zoo.Mood.WILD, "1"),
    "Chip": ("broken", 3, _Text("ours")),
    "DateTime": (datetime(2026, 1, 1), "2026-01-01T00:00:00Z", 0, timedelta(1)),  # noqa: DTZ001  (that is the surprise)
}
"""Values for a leaf that are nearly right."""

_SHAPES: Final[Sequence[Callable[[list[Any]], Any]]] = (
    iter,
    tuple,
    _Sequence,
    deque,
    _List,
    lambda items: (item for item in items),
    lambda items: dict(enumerate(items)).values(),
    _breaking,
    lambda items: dict(enumerate(items)),
)
_KINDS: Final[dict[str, tuple[Any, dict[str, Recipe]]]] = {
    "Bird": (zoo.Bird, {}),
    "Fish": (zoo.Creature, {"species": Just("Fish")}),
    "Crab": (zoo.Creature, {"species": Just("Crab")}),
    "Keeper": (zoo.Keeper, {}),
    "Cage": (zoo.Cage, {}),
    **{name: (zoo.Root, {}) for name in ("Query", "Mutation", "Subscription")},
}
_MOODY: Final = {row: zoo.moody(row) for row, _ in _KINDS.values()}
_HEIRS: Final = {row: type("Heir", (row,), {}) for row, _ in _KINDS.values()}


@dataclass
class Temper:
    """In how many of a hundred places there is a surprise, and something to be waited for."""

    surprises: int
    waits: int


TEMPERS: Final = tuple(Temper(surprises, waits) for surprises in (0, 6, 25) for waits in (0, 0, 5))


class Nature:
    """Makes the rows of one execution."""

    def __init__(self, atlas: Atlas, choices: Choices) -> None:
        self._atlas = atlas
        self._choices = choices
        self._temper = choices.of(TEMPERS)
        self._room = _ROWS

    def roots(self, operation: Operation) -> list[Recipe]:
        """Root values: the one of an operation, or the events of a subscription one after another."""
        if operation.kind != "subscription":
            return [self._row(operation.root, operation.wanted)]
        [(name, wanted)] = operation.wanted.items()
        type_ = operation.root.fields[name].type
        return [self._value(type_, wanted) for _ in range(self._choices.of((2, 1, 3)))]

    def _value(self, type_: GraphQLOutputType, wanted: Wanted) -> Recipe:
        recipe = self._surprise(type_, wanted) if self._is_surprising() else self._expected(type_, wanted)
        return Later(recipe) if self._choices.is_so(self._temper.waits) else recipe

    def _is_surprising(self) -> bool:
        return self._choices.is_so(self._temper.surprises)

    def _expected(self, type_: GraphQLOutputType, wanted: Wanted) -> Recipe:
        is_nullable = not isinstance(type_, GraphQLNonNull)
        bare = get_nullable_type(type_)
        if is_leaf_type(bare):
            return Just(self._choices.of((*_GOOD[bare.name], None) if is_nullable else _GOOD[bare.name]))
        if is_nullable and (self._room < 0 or self._choices.is_so(8)):
            return Just(None)
        if isinstance(bare, GraphQLList):
            return self._list(bare.of_type, wanted)
        assert isinstance(bare, Composite)
        return self._row(self._choices.of(self._atlas.possible(bare)), wanted)

    def _list(self, of: GraphQLOutputType, wanted: Wanted) -> Recipe:
        count = self._choices.of((2, 1, 0, 3)) if self._room > 0 else 0
        items = [self._value(of, wanted) for _ in range(count)]
        if items and self._choices.is_so(10):
            items.append(Shared(items[0]))
            items[0] = items[-1]
        if self._temper.surprises and is_leaf_type(leaf := get_nullable_type(of)) and self._choices.is_so(20):
            items.append(Just(self._choices.of(_TEMPTING[leaf.name])))
        if self._temper.surprises and self._choices.is_so(20):
            return Streamed(items) if self._choices.is_so(10) else Listed(items, self._choices.of(_SHAPES))
        return Listed(items, tuple if self._choices.is_so(15) else list)

    def _row(self, type_: GraphQLObjectType, wanted: Wanted) -> Recipe:
        self._room -= 1
        row, attributes = _KINDS[type_.name]
        attributes = dict(attributes)
        for name, inner in wanted.items():
            if name in type_.fields and not (self._is_surprising() and self._choices.is_so(30)):  # else it has none
                field = type_.fields[name]
                attributes[field.extensions["strawberry-definition"].python_name] = self._value(field.type, inner)
        way = self._choices.below(40) if self._temper.surprises else 0
        if way == 39 and row is not zoo.Root:
            return Made(self._choices.of((dict, SimpleNamespace)), attributes)
        return Made(_MOODY[row] if way >= 33 else _HEIRS[row] if way >= 30 else row, attributes)

    def _surprise(self, type_: GraphQLOutputType, wanted: Wanted) -> Recipe:
        way = self._choices.below(10)
        if way == 9:
            return self._row(self._choices.of(self._every_type()), wanted)
        if way == 8:
            return Listed([self._expected(type_, wanted)])
        if way == 7:
            return Just(None)
        if way >= 2 and is_leaf_type(named := get_named_type(type_)):
            return Just(self._choices.of(_TEMPTING[named.name]))
        return self._choices.of(_SURPRISES)

    def _every_type(self) -> list[GraphQLObjectType]:
        types = self._atlas.schema.type_map
        return [
            it
            for name in _KINDS
            if isinstance(it := types[name], GraphQLObjectType) and _KINDS[name][0] is not zoo.Root
        ]
