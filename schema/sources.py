"""Python source for selections: a function for each object, in which every field is a comparison or two."""

import itertools
import keyword
from collections.abc import Callable, Iterable, Iterator
from types import CoroutineType, GeneratorType
from typing import Any, NamedTuple, Protocol

import orjson
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
    get_nullable_type,
    is_abstract_type,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.type import TypeNameMetaFieldDef
from orjson import Fragment

from db.rows import CachedList, CachedMessage
from schema.fields import Field


class Told(dict[int, dict[int, tuple[Any, Any]]]):
    """What was told of objects in this execution: for each place in the source by the object's id, with the object."""

    def __init__(self, ask: Callable[[Field], Any]) -> None:
        self._ask = ask
        self._asked: dict[Field, Any] = {}

    def __missing__(self, place: int) -> dict[int, tuple[Any, Any]]:
        made = self[place] = {}
        return made

    def asked(self, field: Field) -> Any:
        """What the field asks for, which is the same for all rows; `ask` says it."""
        found = self._asked.get(field)
        if found is None:
            found = self._asked[field] = self._ask(field)
        return found


Read = Callable[[Any, Told], Any]
"""What is told of a value; any exception means that graphql-core has to."""


class SurpriseError(Exception):
    """A value is not as the schema promises, or not as simple as it is for compiled selections."""


class NotCompilableError(Exception):
    """A selection holds what only graphql-core can do."""


class Selections(Protocol):
    """What knows of the fields that are selected: an executor."""

    @property
    def is_awaitable(self) -> Callable[[Any], Any]: ...

    def collect_subfields(self, return_type: GraphQLObjectType, details: FieldDetailsList, /) -> CollectedFields: ...

    def field(self, details: FieldDetailsList, /) -> Field | None: ...


_places = itertools.count()


class Gap(NamedTuple):
    """A field that a compiled selection leaves to the executor."""

    name: str
    """As the response has it."""
    details: FieldDetailsList


class Row(NamedTuple):
    """The compiled selection of an object."""

    read: Read
    gaps: list[Gap]


class Source:
    """Python source in the making: a function for each object of a selection, and the names that they use."""

    def __init__(self, executor: Selections, *, is_whole: bool = False, is_only: bool = False) -> None:
        """`is_whole`: there are to be no gaps, so that more is worth a try.

        What fields with resolvers find along with their rows is taken from there, and lists of abstract types, which are
        mostly those of errors, as long as they are empty. `is_only`: there is one such value in an execution.
        """
        self._executor = executor
        self._is_whole = is_whole
        self._is_only = is_only  # until a list begins
        self._lines: list[str] = []
        self._names: dict[str, Any] = {
            "Surprise": SurpriseError,
            "CachedList": CachedList,
            "CachedMessage": CachedMessage,
        }
        self._alongs = 0

    def value(self, field: Field) -> Read | None:
        """The function for a field's values; None where graphql-core has to be asked."""
        try:
            body = self._value(field.type, field.details, "v")
        except NotCompilableError:
            return None
        self._lines += ["def read(v, told):", *indented(body), "    return v"]
        return self._run("read")

    def row(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Row | None:
        """The function for a row that is known to be of the type; None as for a value."""
        gaps: list[Gap] = []
        try:
            return Row(self._run(self._function(type_, details, gaps)), gaps)
        except NotCompilableError:
            return None

    def _run(self, name: str) -> Read:
        exec("\n".join(self._lines), self._names)  # noqa: S102  (its every word is from this module or a checked identifier)
        read: Read = self._names[name]
        return read

    def _name(self, kind: str, value: Any) -> str:
        """A name for a value that the source refers to."""
        name = f"{kind}{len(self._names)}"
        self._names[name] = value
        return name

    def _function(self, type_: GraphQLObjectType, details: FieldDetailsList, gaps: list[Gap] | None) -> str:
        """The name of a new function that tells of a row; without `gaps` there must be none."""
        body, data = self._body(type_, details, gaps)
        function = self._name("row", None)
        self._lines += [f"def {function}(row, told):", *indented(body), f"    return {data}"]
        return function

    def _body(
        self, type_: GraphQLObjectType, details: FieldDetailsList, gaps: list[Gap] | None
    ) -> tuple[list[str], str]:
        """What finds out what is told of a `row`, and an expression for it."""
        body: list[str] = []
        told: list[str] = []
        for name, each in self._collect(type_, details).items():
            variable = f"v{len(told)}"
            try:
                body += self._field(type_, each, variable)
            except NotCompilableError:
                if gaps is None:
                    raise
                gaps.append(Gap(name, each))
                variable = "None"
            told.append(f"{name!r}: {variable}")
        return body, f"{{{', '.join(told)}}}"

    def _collect(self, type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        try:
            return self._executor.collect_subfields(type_, details).grouped_field_set
        except Exception as error:  # a null for `@skip(if:)`: an error of the field that graphql-core meets it in
            raise NotCompilableError from error

    def _field(self, parent: GraphQLObjectType, details: FieldDetailsList, variable: str) -> list[str]:
        """What sets the variable to a field of `row`."""
        field = self._executor.field(details)
        if field is None:
            raise NotCompilableError
        if field.definition is TypeNameMetaFieldDef:
            return [f"{variable} = {parent.name!r}"]
        if field.along is not None and self._is_whole:
            self._alongs += 1
            of, key = self._name("along", field.along.of), self._name("field", field)
            found = f"{variable} = {of}(row, {key}.asked or told.asked({key}))"
            return [found, unless(f"{variable} is not None"), *self._value(field.type, details, variable)]
        if field.attribute is None or not field.attribute.isidentifier() or keyword.iskeyword(field.attribute):
            raise NotCompilableError
        return [f"{variable} = row.{field.attribute}", *self._value(field.type, details, variable)]

    def _value(self, type_: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str]:
        """What turns a value of the type into what is told of it."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type, details, v)
        return [f"if {v} is not None:", *indented(self._present(type_, details, v))]

    def _present(self, type_: Any, details: FieldDetailsList, v: str) -> list[str]:
        """The same, where null is none of the values."""
        if isinstance(type_, GraphQLList):
            is_only, self._is_only = self._is_only, False
            found = self._list(type_.of_type, details, v)
            self._is_only = is_only
            return found
        if isinstance(type_, GraphQLObjectType):
            return [f"{v} = {self._object(type_, details, v)}"] if self._is_only else self._shared(type_, details, v)
        if isinstance(type_, GraphQLEnumType):
            return [unless(f"type({v}) is str"), f"{v} = {self._name('names', _names_of(type_))}[{v}]"]
        if isinstance(type_, GraphQLScalarType):
            return self._scalar(type_, v)
        raise NotCompilableError  # abstract

    def _scalar(self, type_: GraphQLScalarType, v: str) -> list[str]:
        if type_ is GraphQLString or type_ is GraphQLID:
            return [unless(f"type({v}) is str")]
        if type_ is GraphQLInt:
            return [unless(f"type({v}) is int and -2147483648 <= {v} <= 2147483647")]
        if type_ is GraphQLBoolean:
            return [unless(f"type({v}) is bool")]
        coerce = self._name("coerce", type_.coerce_output_value)
        absent = self._name("Undefined", Undefined)
        return [f"{v} = {coerce}({v})", unless(f"{v} is not None and {v} is not {absent}")]

    def _list(self, item: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str]:
        # Other iterables can be read but once, so that there would be nothing left to do again after a surprise.
        checked = unless(f"type({v}) is list or type({v}) is tuple or type({v}) is CachedList")
        if self._is_whole and is_abstract_type(get_nullable_type(item)):
            return [checked, unless(f"not {v}"), f"{v} = []"]
        if isinstance(item, GraphQLNonNull) and isinstance(item.of_type, GraphQLObjectType):
            return [checked, f"{v} = {self._rows(item.of_type, details)}({v}, told)"]
        function = self._name("item", None)
        self._lines += [f"def {function}(i, told):", *indented(self._value(item, details, "i")), "    return i"]
        return [checked, f"{v} = [{function}(i, told) for i in {v}]"]

    def _rows(self, type_: GraphQLObjectType, details: FieldDetailsList) -> str:
        """The name of a new function that tells of a list of objects, without a call for each."""
        field, function = self._executor.field(details), self._name("rows", None)
        if field is not None and field.is_shared:
            place, alongs = next(_places), self._alongs
            self._lines += [
                f"def {function}(rows, told):",
                f"    known = told[{place}]",
                "    for row in rows:",
                f"        if id(row) not in known: known[id(row)] = row, {self._object(type_, details, 'row')}",
                "    return [known[each][1] for each in map(id, rows)]",
            ]
            return self._once(function, "CachedList") if self._alongs == alongs else function
        body, data = self._body(type_, details, None)
        known = self._name("known", KnownRows(type_, self._executor.is_awaitable))
        cached = []
        if _describes(type_, CachedMessage):
            one = self._object(type_, details, "row")
            cached = [f"        if type(row) is CachedMessage: found.append({one}); continue"]
        self._lines += [
            f"def {function}(rows, told):",
            "    found = []",
            "    for row in rows:",
            *cached,
            f"        if type(row) not in {known}: {known}.check(row)",
            *indented(indented(body)),
            f"        found.append({data})",
            "    return found",
        ]
        return function

    def _once(self, function: str, kind: str) -> str:
        """The name of a new function that does the same, but for rows of this kind once for all executions."""
        place, once, keep = next(_places), self._name("once", None), self._name("keep", _keep)
        self._lines += [
            f"def {once}(v, told):",
            f"    if type(v) is not {kind}: return {function}(v, told)",
            f"    found = v.told.get({place})",
            f"    return found or {keep}(v.told, {place}, {function}(v, told))",
        ]
        return once

    def _shared(self, type_: GraphQLObjectType, details: FieldDetailsList, v: str) -> list[str]:
        """What tells of an object that other rows may refer to as well: once. With it the object is kept, and its id."""
        place = next(_places)
        return [
            f"t = told[{place}].get(id({v}))",
            f"if t is None: t = told[{place}][id({v})] = {v}, {self._object(type_, details, v)}",
            f"{v} = t[1]",
        ]

    def _object(self, type_: GraphQLObjectType, details: FieldDetailsList, v: str) -> str:
        """An expression for what is told of the object in a variable."""
        alongs = self._alongs
        function = self._function(type_, details, None)
        if _describes(type_, CachedMessage) and self._alongs == alongs:
            function = self._once(function, "CachedMessage")
        known = self._name("known", KnownRows(type_, self._executor.is_awaitable))
        return f"{function}({v} if type({v}) in {known} else {known}.check({v}), told)"


_MOST_TOLD = 8
"""Selections of one row that are kept with it."""


def _keep(told: dict[int, Any], place: int, data: Any) -> Fragment:
    """What is told of a row, as JSON, from now on."""
    if len(told) >= _MOST_TOLD:
        told.clear()
    found = told[place] = Fragment(orjson.dumps(data))
    return found


def _describes(type_: GraphQLObjectType, kind: type) -> bool:
    """Whether rows of this class are of the type."""
    described = getattr(type_.is_type_of, "described", None)
    return described is not None and issubclass(kind, described)


def unless(condition: str) -> str:
    return f"if not ({condition}): raise Surprise"


def indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"    {line}" for line in lines)


def _names_of(type_: GraphQLEnumType) -> dict[str, str]:
    """What is told of each value of an enum that is a text, as its rows have them."""
    values = [each.value for each in type_.values.values()]
    return {value: type_.coerce_output_value(value) for value in values if type(value) is str}


class KnownRows(set[type]):
    """Classes whose instances are of a type, and neither exceptions nor awaitable."""

    def __init__(self, type_: GraphQLObjectType, is_awaitable: Callable[[Any], bool]) -> None:
        super().__init__()
        if type_.is_type_of is not None and not getattr(type_.is_type_of, "is_by_class", False):
            raise NotCompilableError
        self._is_type_of: Callable[[Any, None], Any] | None = type_.is_type_of  # type: ignore[assignment]  # by class: no Info
        self._is_awaitable = is_awaitable

    def check(self, row: Any) -> Any:
        """The row, if it is one of them; its class is one from then on."""
        is_null = row is None or row is Undefined
        is_other = isinstance(row, Exception | GeneratorType | CoroutineType) or self._is_awaitable(row)
        if (
            is_null
            or is_other
            or hasattr(type(row), "__getattr__")
            or (self._is_type_of and not self._is_type_of(row, None))
        ):
            raise SurpriseError
        self.add(type(row))
        return row
