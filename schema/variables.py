"""Variables: Python source that takes their values in, from JSON to what a resolver is given, in one step.

graphql-core coerces a value by its type, and strawberry makes objects of the inputs in what comes of it. Most values are
coerced to themselves. What a function made here takes is such a value, with objects for its inputs; any other is a
surprise, and graphql-core finds out what it is, and what to say of it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    Undefined,
)

from schema.fields import Input, NotConvertibleError
from schema.sources import SurpriseError, indented, unless

Take = Callable[[Any], Any]
"""What a resolver is given for a value as it comes from JSON. Raises SurpriseError or any other exception."""

_KINDS = {GraphQLID: "str", GraphQLString: "str", GraphQLBoolean: "bool"}


def takes(types: Mapping[str, GraphQLInputType], schema: GraphQLSchema) -> list[tuple[str, Take]] | None:
    """For each variable what takes its values, but for null; None where strawberry has to convert one of them."""
    source = _Source(schema)
    try:
        return [(name, source.take(type_)) for name, type_ in types.items()]
    except (NotConvertibleError, RecursionError):  # inputs may hold themselves
        return None


class _Source:
    """Python source in the making: a function for each input."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._converter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]  # noqa: SLF001  (strawberry 0.341)
        self._names: dict[str, Any] = {"Surprise": SurpriseError, "absent": object(), "new": object.__new__}
        self._inputs: dict[str, str] = {}

    def take(self, type_: GraphQLInputType) -> Take:
        bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        take: Take = self._names[self._function(self._present(bare, "v"))]
        return take

    def _function(self, body: list[str]) -> str:
        """The name of a function that makes of `v` what the body makes of it."""
        name = f"take{len(self._names)}"
        exec("\n".join([f"def {name}(v):", *indented(body), "    return v"]), self._names)  # noqa: S102  (its every word is from this module or quoted)
        return name

    def _value(self, type_: GraphQLInputType, v: str) -> list[str]:
        """What makes of a value what a resolver is given."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type, v)
        return [f"if {v} is not None:", *indented(self._present(type_, v))]

    def _present(self, type_: Any, v: str) -> list[str]:
        """The same, where null is none of the values."""
        if type_ in _KINDS:
            return [unless(f"type({v}) is {_KINDS[type_]}")]
        if isinstance(type_, GraphQLInputObjectType):
            if type_.name not in self._inputs:
                self._inputs[type_.name] = self._function(self._object(type_))
            return [f"{v} = {self._inputs[type_.name]}({v})"]
        if isinstance(type_, GraphQLList):
            take = self._function(self._value(type_.of_type, "v"))
            return [unless(f"type({v}) is list"), f"{v} = [{take}(each) for each in {v}]"]
        return ["raise Surprise"]

    def _object(self, type_: GraphQLInputObjectType) -> list[str]:
        """What makes an input object of `v`."""
        definition = type_.extensions.get("strawberry-definition")
        if definition is None:
            raise NotConvertibleError
        made = Input(definition.origin, self._converter)
        # Strawberry 0.341 has a function of its own look at those of which one field is given, and at no others.
        is_one_of = type_.is_one_of or definition.is_one_of
        is_made = type_.out_type is not GraphQLInputObjectType.out_type and not is_one_of
        if is_made or any(field.out_name for field in type_.fields.values()):
            return ["raise Surprise"]
        body = [unless("type(v) is dict")]
        if is_one_of:
            body += [unless("len(v) == 1 and None not in v.values()")]
        optional: list[str] = []
        attributes: list[str] = []
        for number, (name, field) in enumerate(type_.fields.items()):
            f, default = f"f{number}", f"default{len(self._names)}"
            attribute = made.fields[name][0]
            if _is_needed(field):
                body += [f"{f} = v[{name!r}]", *self._value(field.type, f)]
            else:
                self._names[default] = made.defaults[attribute]
                optional.append(f)
                given = ["found += 1", *self._value(field.type, f)]
                body += [
                    f"{f} = v.get({name!r}, absent)",
                    f"if {f} is absent: {f} = {default}",
                    "else:",
                    *indented(given),
                ]
            attributes.append(f"{attribute!r}: {f}")
        needed = len(type_.fields) - len(optional)
        new = f"type{len(self._names)}"
        self._names[new] = made.type
        # The rest is what the generated `__init__` of the input does, without a call that names each field.
        return [
            f"found = {needed}",
            *body,
            unless("found == len(v)"),
            f"v = new({new})",
            f"v.__dict__ = {{{', '.join(attributes)}}}",
        ]


def _is_needed(field: GraphQLInputField) -> bool:
    """Whether an input that lacks the field is not taken: it is required, or coercion has a default for it."""
    has_default = field.default is not None or field.default_value is not Undefined
    return isinstance(field.type, GraphQLNonNull) or has_default
