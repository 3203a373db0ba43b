"""Operations, and what does not change about them from one execution to the next."""

from typing import Any, Final

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    VariableNode,
    Visitor,
    visit,
)
from graphql import Executor as GraphQLExecutor
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.pyutils import Path, RefMap

from schema.fields import Field
from schema.sources import Read, Row, Selections, Source
from schema.variables import takes

Data = dict[str, Any]

MOST_ERRORS: Final = 50
"""About variables, as graphql-core has it."""

_COLLECTIONS: Final = list, dict, set, RefMap, CollectedErrors

_COMBINATIONS: Final = 32  # of the variables in one operation's directives, that are remembered


Only = tuple[str, Field, Path]
"""The one field of an operation, with its name in the answer."""


class Variant:
    """What is known of an operation, for one combination of the variables in its directives.

    Details are collected once a variant, and each list of them is one object for all executions: by its id a field is known.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self.fields: dict[int, Field] = {}
        self.collected: dict[tuple[GraphQLObjectType, int], CollectedFields] = {}
        self.only: Only | None = None
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
            is_only = self.only is not None and self.only[1] is field
            self._readers[field] = Source(executor, is_whole=True, is_only=is_only).value(field)
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
    """Those of executors that have executed nothing yet, which takes less than to find them out again."""

    def __init__(self, executor: GraphQLExecutor[Any]) -> None:
        shared = executor.fragment_definitions, executor.fragments
        own = {name: value for name, value in vars(executor).items() if not any(value is each for each in shared)}
        self.collections = {name: type(value) for name, value in own.items() if isinstance(value, _COLLECTIONS)}
        """What makes each of them, empty."""
        self.others = {name: value for name, value in vars(executor).items() if name not in self.collections}
        """What all executors have alike."""


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
        self._takes = takes({name: signature.type for name, signature in self._signatures.items()}, executor.schema)
        conditions = _Conditions()
        for node in (self.node, *self.fragment_definitions.values()):
            visit(node, conditions)
        self._conditions = sorted(conditions.names)
        self._variants: dict[tuple[Any, ...], Variant] = {}
        self.attributes: Attributes | None = None

    def take(self, given: Data) -> Data | None:
        """The values of its variables as resolvers are given them; None where graphql-core has to look at them."""
        if self._takes is None:
            return None
        taken = {}
        try:
            for name, take in self._takes:
                taken[name] = take(given[name])
        except Exception:  # noqa: BLE001  (there is none, or it is a surprise, or nested too deep)
            return None
        return taken

    def as_given(self, given: Data) -> VariableValues:
        """The values of its variables, coerced, where all of them could be taken."""
        sources = {name: VariableValueSource(each, given[name]) for name, each in self._signatures.items()}
        return VariableValues(sources, {name: given[name] for name in sources})

    def coerced(self, given: Data) -> VariableValues | list[GraphQLError]:
        """The values of its variables, coerced by graphql-core; or what is wrong with them."""
        definitions = self.node.variable_definitions or ()
        return get_variable_values(self._schema, definitions, given, max_errors=MOST_ERRORS)

    def variant(self, variables: Data) -> Variant:
        key = tuple(map(variables.get, self._conditions)) if self._conditions else ()
        variant = self._variants.get(key)
        if variant is None:
            if len(self._variants) >= _COMBINATIONS:
                self._variants.clear()
            variant = self._variants[key] = Variant(self._schema)
        return variant


class _Conditions(Visitor):
    """Finds the variables in directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        used = (argument.value for argument in node.arguments or ())
        self.names |= {value.name.value for value in used if isinstance(value, VariableNode)}
