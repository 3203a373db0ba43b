"""Operations, and what does not change about them from one execution to the next."""

from collections.abc import Callable
from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    VariableNode,
    Visitor,
    get_named_type,
    is_leaf_type,
    is_required_input_field,
    visit,
)
from graphql import Executor as GraphQLExecutor
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import Path, RefMap

from schema.fields import Field
from schema.sources import Read, Row, Selections, Source

Data = dict[str, Any]

MOST_ERRORS: Final = 50
"""About variables, as graphql-core has it."""

_COLLECTIONS: Final = list, dict, set, RefMap, CollectedErrors

_COMBINATIONS: Final = 32  # of the variables in one operation's directives, that are remembered


class Variant:
    """What is known of an operation, for one combination of the variables in its directives.

    Details are collected once a variant, and each list of them is one object for all executions: by its id a field is known.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self.fields: dict[int, Field] = {}
        self.collected: dict[tuple[GraphQLObjectType, int], CollectedFields] = {}
        self.only: tuple[str, Field, Path] | None = None
        """The one field of the root, if it has one, with its name in the answer; not known before the first execution."""
        self._schema = schema
        self._root: GroupedFieldSet | None = None
        self._readers: dict[Field, Read | None] = {}
        self._rows: dict[tuple[GraphQLObjectType, int], Row | None] = {}

    def begin(self, root_type: GraphQLObjectType, fields: GroupedFieldSet, *, is_all: bool) -> GroupedFieldSet:
        """The root fields as they were collected the first time; whether they are all that there is to be executed."""
        if self._root is None:
            self._root = fields
            self._add(root_type, fields)
            name, details = next(iter(fields.items()), ("", []))
            field = self.fields.get(id(details))
            is_only = is_all and len(fields) == 1
            self.only = (name, field, Path(None, name, root_type.name)) if field and is_only else None
        return self._root

    def collect(self, parent: GraphQLObjectType, details: FieldDetailsList, found: CollectedFields) -> None:
        self.collected[parent, id(details)] = found
        self._add(parent, found.grouped_field_set)

    def reader(self, executor: Selections, field: Field) -> Read | None:
        """What tells of the field's values, where all that is selected of them is compiled."""
        if field not in self._readers:
            is_leaf = is_leaf_type(get_named_type(field.type))
            self._readers[field] = None if is_leaf else Source(executor, is_whole=True).value(field)
        return self._readers[field]

    def row(self, executor: Selections, type_: GraphQLObjectType, details: FieldDetailsList) -> Row | None:
        """What tells of a row of this type; None for a field that is not of this variant."""
        key = type_, id(details)
        if key not in self._rows and id(details) in self.fields:
            self._rows[key] = Source(executor).row(type_, details)
        return self._rows.get(key)

    def _add(self, parent: GraphQLObjectType, fields: GroupedFieldSet) -> None:
        for details in fields.values():
            definition = self._schema.get_field(parent, details[0].node.name.value)
            if definition is not None and definition.resolve is not None:
                self.fields[id(details)] = Field(self._schema, definition, parent, details)


class Attributes:
    """Those of executors that have executed nothing yet, which takes less to copy than to find out again.

    Their collections, of which most executions fill none, are left out until they are asked for.
    """

    def __init__(self, executor: GraphQLExecutor[Any]) -> None:
        shared = executor.fragment_definitions, executor.fragments
        own = {name: value for name, value in vars(executor).items() if not any(value is each for each in shared)}
        self.collections = {name: type(value) for name, value in own.items() if isinstance(value, _COLLECTIONS)}
        """What makes each of them, empty."""
        self._all = {name: value for name, value in vars(executor).items() if name not in self.collections}

    def anew(self) -> Data:
        """Those of one more, without collections."""
        return self._all.copy()


class Operation:
    """What does not change about an operation from one execution to the next."""

    def __init__(self, document: DocumentNode, executor: GraphQLExecutor[Any]) -> None:
        """`executor` is one of this operation, as graphql-core has built it."""
        self.node = executor.operation
        self.fragment_definitions = executor.fragment_definitions
        self.fragments = executor.fragments
        self._document = document  # is kept, so that its id stays its own
        self._schema = executor.schema
        sources = executor.variable_values.sources
        self._signatures = {name: source.signature for name, source in sources.items()}
        self._checks = {name: _check_of(signature.type, {}) for name, signature in self._signatures.items()}
        conditions = _Conditions()
        for node in (self.node, *self.fragment_definitions.values()):
            visit(node, conditions)
        self._conditions = sorted(conditions.names)
        self._variants: dict[tuple[Any, ...], Variant] = {}
        self.attributes: Attributes | None = None

    def variables(self, given: Data) -> VariableValues | list[GraphQLError]:
        """The values of its variables, coerced; or what is wrong with them, which graphql-core finds out."""
        sources: dict[str, VariableValueSource] = {}
        for name, signature in self._signatures.items():
            value = given.get(name)
            if value is None or not self._checks[name](value):
                definitions = self.node.variable_definitions or ()
                return get_variable_values(self._schema, definitions, given, max_errors=MOST_ERRORS)
            sources[name] = VariableValueSource(signature, value)
        return VariableValues(sources, {name: source.value for name, source in sources.items()})

    def variant(self, variables: Data) -> Variant:
        key = tuple(map(variables.get, self._conditions))
        variant = self._variants.get(key)
        if variant is None:
            if len(self._variants) >= _COMBINATIONS:
                self._variants.clear()
            variant = self._variants[key] = Variant(self._schema)
        return variant


Check = Callable[[Any], bool]
"""Whether coercion would return a value, as it comes from JSON, as it is."""


def _check_of(type_: GraphQLInputType, known: "dict[str, _Input]") -> Check:
    """`known` are the checks of input objects, which may hold themselves."""
    if isinstance(type_, GraphQLNonNull):
        return _check_of_present(type_.of_type, known)
    if type_ is GraphQLID or type_ is GraphQLString:
        return lambda value: type(value) is str or value is None
    check = _check_of_present(type_, known)
    return lambda value: value is None or check(value)


def _check_of_present(type_: Any, known: "dict[str, _Input]") -> Check:
    if type_ is GraphQLID or type_ is GraphQLString:
        return lambda value: type(value) is str
    if type_ is GraphQLBoolean:
        return lambda value: type(value) is bool
    if isinstance(type_, GraphQLInputObjectType):
        if type_.name not in known:
            known[type_.name] = _Input()
            known[type_.name].learn(type_, known)
        return known[type_.name]
    if isinstance(type_, GraphQLList):
        check = _check_of(type_.of_type, known)
        return lambda value: type(value) is list and all(map(check, value))
    return lambda _value: False


class _Input:
    """The check of an input object; one that lacks what has a default is not as it would be."""

    def learn(self, type_: GraphQLInputObjectType, known: "dict[str, _Input]") -> None:
        definition = type_.extensions.get("strawberry-definition")
        # Strawberry 0.341 has a function of its own look at those of which one field is given, and at no others.
        self._is_one_of = type_.is_one_of or getattr(definition, "is_one_of", False)
        is_made = type_.out_type is not GraphQLInputObjectType.out_type and not self._is_one_of
        self._is_plain = not is_made and not any(field.out_name for field in type_.fields.values())
        self._checks = {name: _check_of(field.type, known) for name, field in type_.fields.items()}
        self._needed = {
            name
            for name, field in type_.fields.items()
            if is_required_input_field(field) or field.default is not None or field.default_value is not Undefined
        }

    def __call__(self, value: Any) -> bool:
        if type(value) is not dict or not self._is_plain or not self._needed <= value.keys():
            return False
        if self._is_one_of and (len(value) != 1 or None in value.values()):
            return False
        checks = self._checks
        for name, item in value.items():  # a generator would take as long as the checks
            check = checks.get(name)
            if check is None or not check(item):
                return False
        return True


class _Conditions(Visitor):
    """Finds the variables in directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        used = (argument.value for argument in node.arguments or ())
        self.names |= {value.name.value for value in used if isinstance(value, VariableNode)}
