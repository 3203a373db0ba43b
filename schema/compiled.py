"""Selections compiled to functions: what graphql-core finds out about every row anew is found out once a document.

graphql-core walks every field of every row: for a page of 50 messages it looks up a field 350 times, calls its resolver,
asks whether the value is awaitable and of what type it is, and that takes 2 ms. Here a selection whose fields only read
attributes becomes one function of Python source, in which each of these is a comparison.

The rules, and why each of them:

- Only attributes are compiled. A field with a resolver keeps it, with its arguments and its Info; the selection around
  it is compiled all the same, and leaves a gap for it.
- Only values of exactly the type that the schema promises are taken. All others are a surprise: a null where none may
  be, another type, an exception. To read attributes changes nothing, so graphql-core does the same value again from the
  start, and its coercions, its errors and its propagation of nulls are what the client gets.
- A class of rows is looked at once: that it is of the type, and neither an exception nor awaitable, which graphql-core
  takes in their own ways, is the same for all its rows.
- Abstract types are left to graphql-core, which finds the type of each row; beneath that it goes on here.
- What `@skip` and `@include` leave of a selection depends on variables: each combination of them is a plan of its own.
"""

import itertools
import keyword
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from types import CoroutineType, GeneratorType
from typing import Any, Final, NamedTuple, NoReturn

from graphql import (
    DirectiveNode,
    DocumentNode,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues, VariableValueSource, get_argument_values, get_variable_values
from graphql.pyutils import Path, gather_with_cancel
from graphql.type import GraphQLResolveInfoHelpers, TypeNameMetaFieldDef
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import Info
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import StrawberryOptional
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.unset import UnsetType

from schema.recent import Recent


def _never(*_: object) -> NoReturn:
    raise RuntimeError("the operation has ended")


_OPERATIONS: Final = 512  # that are remembered
_PASSED_ON: Final = {"is_awaitable", "operation_extensions"}
_REST: Final = (
    *("field_resolver", "type_resolver", "subscribe_field_resolver", "max_coercion_errors", "enable_early_execution"),
    *("middleware", "is_awaitable", "is_async_iterable", "hide_suggestions", "abort_signal", "hooks"),
)
"""The other parameters of graphql-core's `build`, in their order."""
_MOST_ERRORS: Final = 50
_DEFAULTS: Final = {"max_coercion_errors": _MOST_ERRORS}
_COMBINATIONS: Final = 32  # of the variables in one operation's directives, that are

_IMMUTABLE: Final = {str, int, float, bool, type(None), UnsetType}
"""Types of arguments that all rows of an execution may be given alike."""

_NO_HELPERS: Final = GraphQLResolveInfoHelpers(gather=_never, track=_never)

Data = dict[str, Any]
Told = defaultdict[int, dict[int, tuple[Any, Any]]]
"""What was told of objects in this execution: for each place in its plan by the object's id, with the object."""
Read = Callable[[Any, Told], Any]
"""What is told of a value; any exception means that graphql-core has to."""


class SurpriseError(Exception):
    """A value is not as the schema promises, or not as simple as it is for compiled selections."""


class NotCompilableError(Exception):
    """A selection holds what only graphql-core can do."""


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Graphql-core's, by way of strawberry's, which takes the short way where an operation's plan has one."""

    _plan: "Plan | None" = None
    _arguments: dict["Field", Data]
    """Converted once an execution: a field in a list has the same ones for every row."""
    _told: "Told"

    known: "Operation | None" = None
    """What is known of the operation; None where plans do not know of everything that is asked for."""

    @classmethod
    def build(
        cls,
        schema: GraphQLSchema,
        document: DocumentNode,
        root_value: Any = None,
        context_value: Any = None,
        raw_variable_values: Data | None = None,
        operation_name: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> "Executor | list[GraphQLError]":
        """An executor of the operation, which is looked for in the document, and its fragments with it, but once."""
        key = id(schema), id(document), operation_name
        known = _operations.find(key)
        more = _that_matters(dict(zip(_REST, rest, strict=False)) | more)
        if known is None or not more.keys() <= _PASSED_ON:
            built = super().build(
                schema, document, root_value, context_value, raw_variable_values, operation_name, **more
            )
            if isinstance(built, cls) and built.is_plain:
                built.known = known or _operations.keep(key, Operation(document, built))
            return built  # type: ignore[return-value]  # of this class
        variables = known.variables(raw_variable_values or {})
        if isinstance(variables, list):
            return variables
        executor = cls(
            schema,
            known.fragment_definitions,
            known.fragments,
            root_value,
            context_value,
            known.node,
            variables,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            **more,
        )
        executor.known = known
        return executor

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing that plans do not know of."""
        middleware = self.middleware_manager
        has_middleware = middleware is not None and bool(middleware.middlewares)
        return not has_middleware and not self.abort_signal and not self.hooks

    def execute_collected_root_fields(
        self, root_type: GraphQLObjectType, root_value: Any, fields: GroupedFieldSet, serially: bool, usages: Any
    ) -> Any:
        self._arguments = {}
        self._plan = self.known.plan(self.variable_values.coerced) if self.known else None
        if self._plan is not None:
            fields = self._plan.begin(root_type, fields)
            self._told = defaultdict(dict)
        return super().execute_collected_root_fields(root_type, root_value, fields, serially, usages)

    def build_response(self, data: Data | None) -> Any:
        # What refers to this executor and is referred to by it keeps all that was read until the garbage collector comes.
        self.async_helpers = _NO_HELPERS
        return super().build_response(data)

    def collect_subfields(self, return_type: GraphQLObjectType, details: FieldDetailsList) -> CollectedFields:
        if self._plan is None or id(details) not in self._plan.fields:
            return super().collect_subfields(return_type, details)
        found = self._plan.collected.get((return_type, id(details)))
        if found is None:
            found = super().collect_subfields(return_type, details)
            self._plan.collect(return_type, details, found)
        return found

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, details: FieldDetailsList, path: Path, position: Any
    ) -> Any:
        field = self.field(details)
        if field is None:
            return super().execute_field(parent_type, source, details, path, position)
        if path.prev is None:
            self._told.clear()  # the mutation before this one may have changed what it told
        try:
            result = self._resolve(field, source, path)
            if self.is_awaitable(result):
                return self._complete_awaited(field, path, result)
            completed = self._complete(field, path, result)
            if self.is_awaitable(completed):
                return self._await_completed(field, path, completed)
        except Exception as error:  # noqa: BLE001  (whatever a resolver raises is an error of its field)
            self.handle_field_error(error, field.type, details, path)
            return None
        return completed

    def collect_and_execute_subfields(
        self, return_type: GraphQLObjectType, details: FieldDetailsList, path: Path, result: Any, position: Any
    ) -> Any:
        row = self._plan.row(self, return_type, details) if self._plan else None
        if row is None:
            return super().collect_and_execute_subfields(return_type, details, path, result, position)
        try:
            data = row.read(result, self._told)
        except Exception:  # noqa: BLE001  (a surprise of any kind; graphql-core finds out what is wrong, if anything)
            return super().collect_and_execute_subfields(return_type, details, path, result, position)
        return self._fill(data, row.gaps, return_type, path, result) if row.gaps else data

    def field(self, details: FieldDetailsList) -> "Field | None":
        """What the plan knows of a field."""
        return self._plan.fields.get(id(details)) if self._plan else None

    def _resolve(self, field: "Field", source: Any, path: Path) -> Any:
        if field.attribute is not None:
            return getattr(source, field.attribute)
        if field.call is None:
            return field.resolve(source, self._info(field, path), **self._coerced(field))
        info = field.call.info(self._info(field, path))
        arguments = self._arguments.get(field)
        if arguments is None:
            arguments = field.call.arguments(self._coerced(field), info)
            if all(type(value) in _IMMUTABLE for value in arguments.values()):
                self._arguments[field] = arguments
        return field.call(source, info, arguments)

    def _coerced(self, field: "Field") -> Data:
        if not field.has_arguments:
            return {}
        if field.constants is not None:
            return field.constants
        node, variables = field.nodes[0], self.variable_values
        arguments = get_argument_values(field.definition, node, variables, None, self.hide_suggestions)
        if not field.has_variables and all(type(value) in _IMMUTABLE for value in arguments.values()):
            field.constants = arguments
        return arguments

    def _info(self, field: "Field", path: Path) -> GraphQLResolveInfo[Any]:
        return self.build_resolve_info(field.definition, field.nodes, field.parent, path)

    def _complete(self, field: "Field", path: Path, result: Any) -> Any:
        read = field.reader(self)
        if read is not None:
            try:
                return read(result, self._told)
            except Exception:  # noqa: BLE001, S110  (a surprise, as above)
                pass
        return self.complete_value(field.type, field.details, self._info(field, path), path, result, None)

    async def _complete_awaited(self, field: "Field", path: Path, result: Any) -> Any:
        try:
            completed = self._complete(field, path, await result)
            return await completed if self.is_awaitable(completed) else completed
        except Exception as error:  # noqa: BLE001  (as above)
            self.handle_field_error(error, field.type, field.details, path)

    async def _await_completed(self, field: "Field", path: Path, completed: Any) -> Any:
        try:
            return await completed
        except Exception as error:  # noqa: BLE001  (as above)
            self.handle_field_error(error, field.type, field.details, path)

    def _fill(self, data: Data, gaps: "list[Gap]", parent: GraphQLObjectType, path: Path, source: Any) -> Any:
        """The data with its gaps filled, or an awaitable of that; what `execute_fields` does with all fields."""
        waiting: list[str] = []
        try:
            for gap in gaps:
                value = data[gap.name] = self.execute_field(
                    parent, source, gap.details, Path(path, gap.name, parent.name), None
                )
                if self.is_awaitable(value):
                    waiting.append(gap.name)
        except Exception:
            if waiting:
                self.settle_in_background([data[name] for name in waiting])
            raise
        return _filled(data, waiting) if waiting else data


async def _filled(data: Data, waiting: list[str]) -> Data:
    if len(waiting) == 1:
        data[waiting[0]] = await data[waiting[0]]
    else:
        data.update(zip(waiting, await gather_with_cancel(*(data[name] for name in waiting)), strict=True))
    return data


def _that_matters(given: Data) -> Data:
    """The arguments of `build` that are not what they would be anyway."""
    return {
        name: value
        for name, value in given.items()
        if value and value != _DEFAULTS.get(name) and getattr(value, "middlewares", True)
    }


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


class Field:
    """What does not change about a field from one execution to the next."""

    def __init__(
        self, schema: GraphQLSchema, definition: GraphQLField, parent: GraphQLObjectType, details: FieldDetailsList
    ) -> None:
        self.definition = definition
        self.parent = parent
        self.details = details
        self.nodes = [each.node for each in details]
        self.type = definition.type
        self.resolve: Any = definition.resolve
        self.attribute = _attribute(definition)
        self.call = Call.of(schema, definition)
        self.has_arguments = bool(definition.args or self.nodes[0].arguments)
        self.has_variables = any(_holds_variable(argument.value) for argument in self.nodes[0].arguments or ())
        self.constants: Data | None = None
        """The arguments, coerced, where they hold no variables."""
        self._read: Read | None = None
        self._is_read_known = False

    def reader(self, executor: Executor) -> Read | None:
        """What tells of the field's values, where all that is selected of them is compiled."""
        if not self._is_read_known:
            self._is_read_known = True
            self._read = None if is_leaf_type(get_named_type(self.type)) else Source(executor).value(self)
        return self._read


def _attribute(definition: GraphQLField) -> str | None:
    """The attribute that the field reads; None where it does anything else."""
    field = definition.extensions.get("strawberry-definition")
    if not isinstance(field, StrawberryField):
        return None
    is_plain = field.is_basic_field and field.default_resolver is getattr
    return field.python_name if is_plain and getattr(definition.resolve, "_is_default", False) else None


class Call:
    """A call of a resolver, as strawberry makes it, without its layers for extensions that there are none of."""

    def __init__(
        self, field: StrawberryField, resolver: StrawberryResolver[Any], converter: GraphQLCoreConverter
    ) -> None:
        self.field = field
        self._converter = converter
        self._function: Callable[..., Any] = resolver
        self._takes_self = bool(resolver.self_parameter)
        sources = resolver.parent_parameter, resolver.root_parameter
        self._sources = [parameter.name for parameter in sources if parameter]
        self._info = resolver.info_parameter.name if resolver.info_parameter else None
        self._plain = self._names()

    @classmethod
    def of(cls, schema: GraphQLSchema, definition: GraphQLField) -> "Call | None":
        """None where strawberry has to do more than to call."""
        field = definition.extensions.get("strawberry-definition")
        if not isinstance(field, StrawberryField) or not field.base_resolver:
            return None
        converter: GraphQLCoreConverter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]  # noqa: SLF001  (strawberry 0.341)
        is_more = field.extensions or field.is_subscription or converter.exception_handlers
        is_own = type(field).get_result is StrawberryField.get_result
        return cls(field, field.base_resolver, converter) if is_own and not is_more else None

    def info(self, raw: GraphQLResolveInfo[Any]) -> Info:
        return self._converter.config.info_class(_raw_info=raw, _field=self.field)

    def arguments(self, coerced: Data, info: Info) -> Data:
        """The arguments by their names in Python, as strawberry converts them."""
        if self._plain is not None:
            return {name: coerced[given] for given, name in self._plain if given in coerced}
        converter = self._converter
        return convert_arguments(coerced, self.field.arguments, converter.scalar_registry, converter.config, info)

    def _names(self) -> list[tuple[str, str]] | None:
        """The arguments' names in GraphQL and in Python, where each is handed on as it is."""
        config, registry = self._converter.config, self._converter.scalar_registry
        names = []
        for argument in self.field.arguments:
            of = argument.type.of_type if type(argument.type) is StrawberryOptional else argument.type
            if of is GlobalID or not (is_scalar(of, registry) or isinstance(of, StrawberryEnumDefinition)):
                return None
            names.append((config.name_converter.from_argument(argument), str(argument.python_name)))
        return names

    def __call__(self, source: Any, info: Info, arguments: Data) -> Any:
        named = dict.fromkeys(self._sources, source)
        if self._info:
            named[self._info] = info
        return (
            self._function(source, **arguments, **named) if self._takes_self else self._function(**arguments, **named)
        )


def _holds_variable(value: ValueNode) -> bool:
    found = _Variables()
    visit(value, found)
    return found.is_any


class _Variables(Visitor):
    """Finds out whether there is a variable."""

    is_any = False

    def enter_variable(self, *_: object) -> None:
        self.is_any = True


class Plan:
    """What is known of an operation, for one combination of the variables in its directives.

    Details are collected once a plan, and each list of them is one object for all executions: by its id a field is known.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self.fields: dict[int, Field] = {}
        self.collected: dict[tuple[GraphQLObjectType, int], CollectedFields] = {}
        self._schema = schema
        self._root: GroupedFieldSet | None = None
        self._rows: dict[tuple[GraphQLObjectType, int], Row | None] = {}

    def begin(self, root_type: GraphQLObjectType, fields: GroupedFieldSet) -> GroupedFieldSet:
        """The root fields as they were collected the first time."""
        if self._root is None:
            self._root = fields
            self._add(root_type, fields)
        return self._root

    def collect(self, parent: GraphQLObjectType, details: FieldDetailsList, found: CollectedFields) -> None:
        self.collected[parent, id(details)] = found
        self._add(parent, found.grouped_field_set)

    def row(self, executor: Executor, type_: GraphQLObjectType, details: FieldDetailsList) -> Row | None:
        """What tells of a row of this type; None for a field that is not of this plan."""
        key = type_, id(details)
        if key not in self._rows and id(details) in self.fields:
            self._rows[key] = Source(executor).row(type_, details)
        return self._rows.get(key)

    def _add(self, parent: GraphQLObjectType, fields: GroupedFieldSet) -> None:
        for details in fields.values():
            definition = self._schema.get_field(parent, details[0].node.name.value)
            if definition is not None and definition.resolve is not None:
                self.fields[id(details)] = Field(self._schema, definition, parent, details)


class Source:
    """Python source in the making: a function for each object of a selection, and the names that they use."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lines: list[str] = []
        self._names: dict[str, Any] = {"Surprise": SurpriseError}

    def value(self, field: Field) -> Read | None:
        """The function for a field's values; None where graphql-core has to be asked."""
        try:
            body = self._value(field.type, field.details, "v")
        except NotCompilableError:
            return None
        self._lines += ["def read(v, told):", *_indented(body), "    return v"]
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
        function = self._name("row", None)
        self._lines += [f"def {function}(row, told):", *_indented(body), f"    return {{{', '.join(told)}}}"]
        return function

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
        if field.attribute is None or not field.attribute.isidentifier() or keyword.iskeyword(field.attribute):
            raise NotCompilableError
        return [f"{variable} = row.{field.attribute}", *self._value(field.type, details, variable)]

    def _value(self, type_: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str]:
        """What turns a value of the type into what is told of it."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type, details, v)
        return [f"if {v} is not None:", *_indented(self._present(type_, details, v))]

    def _present(self, type_: Any, details: FieldDetailsList, v: str) -> list[str]:
        """The same, where null is none of the values."""
        if isinstance(type_, GraphQLList):
            return self._list(type_.of_type, details, v)
        if isinstance(type_, GraphQLObjectType):
            return self._shared(type_, details, v)
        if isinstance(type_, GraphQLEnumType):
            return [_unless(f"type({v}) is str"), f"{v} = {self._name('names', _names_of(type_))}[{v}]"]
        if isinstance(type_, GraphQLScalarType):
            return self._scalar(type_, v)
        raise NotCompilableError  # abstract

    def _scalar(self, type_: GraphQLScalarType, v: str) -> list[str]:
        if type_ is GraphQLString or type_ is GraphQLID:
            return [_unless(f"type({v}) is str")]
        if type_ is GraphQLInt:
            return [_unless(f"type({v}) is int and -2147483648 <= {v} <= 2147483647")]
        if type_ is GraphQLBoolean:
            return [_unless(f"type({v}) is bool")]
        coerce = self._name("coerce", type_.coerce_output_value)
        absent = self._name("Undefined", Undefined)
        return [f"{v} = {coerce}({v})", _unless(f"{v} is not None and {v} is not {absent}")]

    def _list(self, item: GraphQLOutputType, details: FieldDetailsList, v: str) -> list[str]:
        # Other iterables can be read but once, so that there would be nothing left to do again after a surprise.
        checked = _unless(f"type({v}) is list or type({v}) is tuple")
        if isinstance(item, GraphQLNonNull) and isinstance(item.of_type, GraphQLObjectType):
            return [checked, f"{v} = [{self._object(item.of_type, details, 'i')} for i in {v}]"]
        function = self._name("item", None)
        self._lines += [f"def {function}(i, told):", *_indented(self._value(item, details, "i")), "    return i"]
        return [checked, f"{v} = [{function}(i, told) for i in {v}]"]

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
        function = self._function(type_, details, None)
        known = self._name("known", KnownRows(type_, self._executor.is_awaitable))
        return f"{function}({v} if type({v}) in {known} else {known}.check({v}), told)"


def _unless(condition: str) -> str:
    return f"if not ({condition}): raise Surprise"


def _indented(lines: Iterable[str]) -> Iterator[str]:
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


class Operation:
    """What does not change about an operation from one execution to the next."""

    def __init__(self, document: DocumentNode, executor: Executor) -> None:
        """`executor` is one of this operation, as graphql-core has built it."""
        self.node = executor.operation
        self.fragment_definitions = executor.fragment_definitions
        self.fragments = executor.fragments
        self._document = document  # is kept, so that its id stays its own
        self._schema = executor.schema
        self._signatures = {name: source.signature for name, source in executor.variable_values.sources.items()}
        conditions = _Conditions()
        for node in (self.node, *self.fragment_definitions.values()):
            visit(node, conditions)
        self._conditions = sorted(conditions.names)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def variables(self, given: Data) -> VariableValues | list[GraphQLError]:
        """The values of its variables, coerced; or what is wrong with them, which graphql-core finds out."""
        sources: dict[str, VariableValueSource] = {}
        for name, signature in self._signatures.items():
            value = given.get(name)
            if not _is_as_it_is(signature.type, value):
                definitions = self.node.variable_definitions or ()
                return get_variable_values(self._schema, definitions, given, max_errors=_MOST_ERRORS)
            sources[name] = VariableValueSource(signature, value)
        return VariableValues(sources, {name: source.value for name, source in sources.items()})

    def plan(self, variables: Data) -> Plan:
        key = tuple(variables.get(name) for name in self._conditions)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _COMBINATIONS:
                self._plans.clear()
            plan = self._plans[key] = Plan(self._schema)
        return plan


def _is_as_it_is(type_: GraphQLInputType, value: object) -> bool:
    """Whether coercion would return the value itself."""
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    if type_ is GraphQLID or type_ is GraphQLString:
        return type(value) is str
    return type_ is GraphQLBoolean and type(value) is bool


class _Conditions(Visitor):
    """Finds the variables in directives."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        used = (argument.value for argument in node.arguments or ())
        self.names |= {value.name.value for value in used if isinstance(value, VariableNode)}


_operations: Recent[tuple[int, int, str | None], Operation] = Recent(_OPERATIONS)
"""By the ids of schema and document: to compare whole documents takes longer than all this saves."""
