"""Valid documents over a schema, by walking it: every way to say a selection, and the variables it asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

T = TypeVar("T")
Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
Wanted = dict[str, Any]
"""What is selected of an object: names of fields, each with what is selected of its value."""

_FIELDS = 30  # of a document, about
_DEPTH = 5
_LITERALS: Final[dict[str, Sequence[tuple[str, Any]]]] = {
    "Int": (("1", 1), ("0", 0), ("-7", -7)),
    "Float": (("0.5", 0.5), ("2", 2)),
    "String": (('"a"', "a"), ('""', ""), ('"\\u2028 ü"', "\u2028 ü")),
    "ID": (('"one"', "one"), ("2", 2)),
    "Boolean": (("true", True), ("false", False)),
}


class Choices:
    """What Hypothesis chooses, as plain numbers: they are quick to draw, and the smaller is the simpler.

    They come from its random numbers and not from strategies, whose parts it would copy about in a document that it
    has just tried: of so many documents two thirds would be told twice.
    """

    def __init__(self, random: Random) -> None:
        self._random = random

    def below(self, count: int) -> int:
        return self._random.randrange(count) if count > 1 else 0

    def of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def is_so(self, percent: int) -> bool:
        return percent > 0 and self.below(100) >= 100 - percent


@dataclass
class Variable:
    name: str
    type: GraphQLInputType
    default: str | None

    @property
    def definition(self) -> str:
        return f"${self.name}: {self.type}" + (f" = {self.default}" if self.default is not None else "")

    @property
    def is_required(self) -> bool:
        return isinstance(self.type, GraphQLNonNull) and self.default is None


@dataclass
class Operation:
    name: str | None
    kind: str
    """query, mutation or subscription."""
    root: GraphQLObjectType
    wanted: Wanted
    variables: dict[str, Variable]
    text: str


@dataclass
class Document:
    text: str
    operations: list[Operation]


@dataclass
class _Fragment:
    name: str
    type: Composite
    text: str
    wanted: Wanted
    variables: dict[str, Variable]


def _merge(into: Wanted, other: Wanted) -> None:
    for name, wanted in other.items():
        _merge(into.setdefault(name, {}), wanted)


@dataclass
class Atlas:
    """What a schema has, as far as documents are to go: `has` says of a type's field whether they are to go there."""

    schema: GraphQLSchema
    has: Callable[[str, str], bool] = lambda _type, _name: True
    _fields: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    _overlapping: dict[str, list[Composite]] = field(default_factory=dict)

    def fields(self, of: Composite) -> tuple[list[str], list[str]]:
        """Names of fields: leaves (lists of them more than once, to be chosen more often), and those that have something selected of them."""
        found = self._fields.get(of.name)
        if found is None:
            every = {} if isinstance(of, GraphQLUnionType) else of.fields
            kept = {name: it.type for name, it in every.items() if self.has(of.name, name)}
            leaves = [name for name, type_ in kept.items() if is_leaf_type(get_named_type(type_))]
            branches = [name for name in kept if name not in leaves]
            lists = [name for name in leaves if isinstance(get_nullable_type(kept[name]), GraphQLList)]
            found = self._fields[of.name] = [*leaves, *lists, *lists], branches
        return found

    def overlapping(self, with_: Composite) -> list[Composite]:
        """Types that fragments may be on where this type is, itself first."""
        found = self._overlapping.get(with_.name)
        if found is None:
            every = [it for it in self.schema.type_map.values() if isinstance(it, Composite)]
            others = [it for it in every if it is not with_ and any(self.fields(it)) and self._overlap(it, with_)]
            found = self._overlapping[with_.name] = [with_, *others]
        return found

    def _overlap(self, one: Composite, other: Composite) -> bool:
        return any(type_ in self.possible(other) for type_ in self.possible(one))

    def possible(self, of: Composite) -> Sequence[GraphQLObjectType]:
        """What a value of this type may be."""
        return [of] if isinstance(of, GraphQLObjectType) else self.schema.get_possible_types(of)


class Author:
    """Writes one document."""

    def __init__(self, atlas: Atlas, choices: Choices) -> None:
        self._atlas = atlas
        self._choices = choices
        self._room = _FIELDS
        self._fragments: list[_Fragment] = []
        self._variables: dict[str, Variable] = {}
        self._used: list[dict[str, Variable]] = []
        """Variables used in the operation that is being written, and in each fragment in it."""
        self._claims: dict[str, str] = {}
        """What stands under each name of the answers: the same everywhere, so that selections can be merged."""

    def document(self) -> Document:
        count = self._choices.of((1, 1, 1, 2, 3))
        is_named = count > 1 or self._choices.is_so(30)
        operations = [self._operation(f"O{number}" if is_named else None) for number in range(count)]
        texts = [operation.text for operation in operations] + [fragment.text for fragment in self._fragments]
        if self._choices.is_so(30):
            texts.reverse()
        return Document("\n".join(texts), operations)

    def _operation(self, name: str | None) -> Operation:
        schema = self._atlas.schema
        roots = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}
        kinds = [kind for kind, root in roots.items() if root is not None]
        kind = self._choices.of(["query", "query", *kinds])
        root = roots[kind]
        assert root is not None
        wanted: Wanted = {}
        self._used.append({})
        selections = self._one(root, wanted) if kind == "subscription" else self._selections(root, 0, wanted)
        variables = self._used.pop()
        self._room = max(self._room, _FIELDS // 2)
        definitions = ", ".join(variable.definition for variable in variables.values())
        head = f"{kind} {name or ''}{f'({definitions})' if definitions else ''}"
        return Operation(name, kind, root, wanted, variables, f"{head} {selections}")

    def _one(self, root: GraphQLObjectType, wanted: Wanted) -> str:
        """The one field of a subscription."""
        leaves, branches = self._atlas.fields(root)
        return f"{{ {self._field(root, self._choices.of(leaves + branches), 0, wanted, may_be_left_out=False)} }}"

    def _selections(self, of: Composite, depth: int, wanted: Wanted) -> str:
        made: list[str] = []
        parts = [self._selection(of, depth, wanted, made) for _ in range(self._choices.of((2, 1, 3, 4, 5)))]
        return f"{{ {' '.join(parts)} }}"

    def _selection(self, of: Composite, depth: int, wanted: Wanted, made: list[str]) -> str:
        leaves, branches = self._atlas.fields(of)
        is_open = depth < _DEPTH and self._room > 0
        way = self._choices.below(20)
        if is_open and way >= 16:
            return self._fragment(of, depth, wanted)
        if isinstance(of, GraphQLUnionType):
            return self._fragment(of, depth, wanted) if is_open else self._typename()
        if way == 15 and of is self._atlas.schema.query_type and self._choices.below(2):
            return self._named("__schema", "__schema", "", "__Schema!") + " { queryType { name } }"
        if way == 15 or not (leaves or (branches and is_open)):
            return self._typename()
        if made and way >= 12:
            name = self._choices.of(made)  # once more, to be merged
        elif branches and is_open and (way >= (6 if depth else 2) or not leaves):
            name = self._choices.of(branches)
        elif leaves:
            name = self._choices.of(leaves)
        else:
            return self._typename()
        made.append(name)
        return self._field(of, name, depth, wanted)

    def _typename(self) -> str:
        alias = self._choices.of(("__typename", "__typename", "kindOf"))
        return self._named(alias, "__typename", "", "String!") + self._directives()

    def _field(
        self,
        of: GraphQLObjectType | GraphQLInterfaceType,
        name: str,
        depth: int,
        wanted: Wanted,
        *,
        may_be_left_out: bool = True,
    ) -> str:
        self._room -= 1
        definition = of.fields[name]
        inner = wanted.setdefault(name, {})
        text = self._named(self._response_name(of, name), name, self._arguments(definition), str(definition.type))
        if may_be_left_out:
            text += self._directives()
        named = get_named_type(definition.type)
        return f"{text} {self._selections(named, depth + 1, inner)}" if isinstance(named, Composite) else text

    def _response_name(self, of: GraphQLObjectType | GraphQLInterfaceType, name: str) -> str:
        way = self._choices.below(10)
        if way == 9:
            return self._choices.of(("a", "b", "Z"))
        if way == 8:
            leaves, branches = self._atlas.fields(of)
            return self._choices.of(leaves + branches)
        return name

    def _named(self, response_name: str, name: str, arguments: str, type_: str) -> str:
        """With an alias that nothing else has, where the name of the answer is not the field's."""
        claim, number = f"{name}{arguments}: {type_}", 1
        given = response_name
        while self._claims.setdefault(given, claim) != claim:
            number += 1
            given = f"{response_name}{number}"
        return f"{name}{arguments}" if given == name else f"{given}: {name}{arguments}"

    def _arguments(self, of: GraphQLField) -> str:
        given = [self._argument(name, argument) for name, argument in of.args.items()]
        present = [text for text in given if text]
        return f"({', '.join(present)})" if present else ""

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        has_default = argument.default_value is not Undefined or argument.default is not None
        is_required = isinstance(argument.type, GraphQLNonNull) and not has_default
        if not is_required and not self._choices.is_so(50):
            return ""
        if self._choices.is_so(40):
            return f"{name}: ${self._variable(argument.type, has_default=has_default).name}"
        return f"{name}: {self.literal(argument.type)[0]}"

    def _directives(self) -> str:
        names = {19: ("skip",), 18: ("include",), 17: ("include", "skip")}.get(self._choices.below(20), ())
        return "".join(f" @{name}(if: {self._condition()})" for name in names)

    def _condition(self) -> str:
        way = self._choices.below(4)
        if way < 2:
            return ("true", "false")[way]
        return f"${self._variable(GraphQLNonNull(GraphQLBoolean), has_default=False).name}"

    def _variable(self, position: GraphQLInputType, *, has_default: bool) -> Variable:
        """One that may stand in such a position."""
        bare = position.of_type if isinstance(position, GraphQLNonNull) else position
        kinds: list[tuple[GraphQLInputType, bool]] = [(GraphQLNonNull(bare), False), (bare, True)]
        if has_default or bare is position:
            kinds.append((bare, False))
        type_, with_default = self._choices.of(kinds)
        same = [
            it
            for it in self._variables.values()
            if str(it.type) == str(type_) and (it.default is not None) == with_default
        ]
        if same and self._choices.is_so(40):
            variable = self._choices.of(same)
        else:
            default = self.literal(bare, may_be_null=False)[0] if with_default else None
            variable = Variable(f"v{len(self._variables)}", type_, default)
            self._variables[variable.name] = variable
        self._used[-1][variable.name] = variable
        return variable

    def literal(self, type_: GraphQLInputType, *, may_be_null: bool = True) -> tuple[str, Any]:
        """A value, as it stands in a document and as it stands in variables."""
        if isinstance(type_, GraphQLNonNull):
            return self.literal(type_.of_type, may_be_null=False)
        if may_be_null and self._choices.is_so(10):
            return "null", None
        if isinstance(type_, GraphQLList):
            items = [self.literal(type_.of_type) for _ in range(self._choices.below(3))]
            return f"[{', '.join(text for text, _ in items)}]", [value for _, value in items]
        if isinstance(type_, GraphQLEnumType):
            name = self._choices.of(list(type_.values))
            return name, name
        if isinstance(type_, GraphQLInputObjectType):
            fields = {
                name: self.literal(it.type)
                for name, it in type_.fields.items()
                if (isinstance(it.type, GraphQLNonNull) and it.default_value is Undefined and it.default is None)
                or self._choices.is_so(50)
            }
            text = ", ".join(f"{name}: {text}" for name, (text, _) in fields.items())
            return f"{{{text}}}", {name: value for name, (_, value) in fields.items()}
        return self._choices.of(_LITERALS[get_named_type(type_).name])

    def _fragment(self, of: Composite, depth: int, wanted: Wanted) -> str:
        """One without a name, one with a name, or one that is there already."""
        on = self._choices.of(self._atlas.overlapping(of))
        way = self._choices.below(6)
        if way < 3:
            condition = f"on {on.name} " if way or on is not of else ""
            return f"... {condition}{self._directives()} {self._selections(on, depth + 1, wanted)}"
        fitting = [fragment for fragment in self._fragments if fragment.type in self._atlas.overlapping(of)]
        fragment = self._choices.of(fitting) if fitting and way < 5 else self._new_fragment(on, depth)
        _merge(wanted, fragment.wanted)
        self._used[-1].update(fragment.variables)
        return f"...{fragment.name}{self._directives()}"

    def _new_fragment(self, on: Composite, depth: int) -> _Fragment:
        wanted: Wanted = {}
        self._used.append({})
        selections = self._selections(on, depth + 1, wanted)
        variables = self._used.pop()
        name = f"F{len(self._fragments)}"
        fragment = _Fragment(name, on, f"fragment {name} on {on.name} {selections}", wanted, variables)
        self._fragments.append(fragment)
        return fragment


def variables_for(operation: Operation, author: Author, choices: Choices) -> dict[str, Any]:
    """Values of its variables: some are left out, some null, and few are none that the type takes."""
    values: dict[str, Any] = {}
    for variable in operation.variables.values():
        way = choices.below(20)
        if way >= 15 and not variable.is_required:
            continue
        is_null = way == 14 and not isinstance(variable.type, GraphQLNonNull)
        values[variable.name] = (
            None if is_null else {"no": "such"} if way == 13 and choices.is_so(20) else author.literal(variable.type)[1]
        )
    return values
