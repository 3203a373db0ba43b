"""Selections compiled to functions: what graphql-core finds out about every row anew is found out once a document.

graphql-core walks every field of every row: for a page of 50 messages it looks up a field 350 times, calls its resolver,
asks whether the value is awaitable and of what type it is, and that takes 2 ms. Here a selection whose fields only read
attributes becomes one function of Python source (`sources.py`), in which each of these is a comparison. What an
operation (`operations.py`) and a field (`fields.py`) are is known from one execution to the next.

The rules, and why each of them:

- Only attributes are compiled, and lists that were read along with their row, which are as good as attributes: the
  field's definition says how they are found (`Along`), and to look changes nothing. Any other field with a resolver
  keeps it, with its arguments and its Info; the selection around it is compiled all the same, and leaves a gap for it.
- Only values of exactly the type that the schema promises are taken. All others are a surprise: a null where none may
  be, another type, an exception. To read attributes changes nothing, so graphql-core does the same value again from the
  start, and its coercions, its errors and its propagation of nulls are what the client gets.
- A class of rows is looked at once: that it is of the type, and neither an exception nor awaitable, which graphql-core
  takes in their own ways, is the same for all its rows.
- Abstract types are left to graphql-core, which finds the type of each row; beneath that it goes on here. A list of them
  that is empty, as that of a mutation's errors nearly always is, has no rows to find a type of.
- What `@skip` and `@include` leave of a selection depends on variables: each combination of them is a variant of its own.
"""

from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues, get_argument_values
from graphql.pyutils import Path, gather_with_cancel
from graphql.pyutils import is_awaitable as is_awaitable_by_default
from graphql.type import GraphQLResolveInfoHelpers, TypeNameMetaFieldDef
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types import Info
from strawberry.types.unset import UnsetType

from schema.fields import Call, Field
from schema.operations import MOST_ERRORS, Attributes, Only, Operation, Variant
from schema.recent import Recent
from schema.sources import Gap, SurpriseError, Told


def _never(*_: object) -> NoReturn:
    raise RuntimeError("the operation has ended")


_OPERATIONS: Final = 512  # that are remembered
_PASSED_ON: Final = {"is_awaitable", "operation_extensions"}
_REST: Final = (
    *("field_resolver", "type_resolver", "subscribe_field_resolver", "max_coercion_errors", "enable_early_execution"),
    *("middleware", "is_awaitable", "is_async_iterable", "hide_suggestions", "abort_signal", "hooks"),
)
"""The other parameters of graphql-core's `build`, in their order."""
_DEFAULTS: Final = {"max_coercion_errors": MOST_ERRORS}

_IMMUTABLE: Final = {str, int, float, bool, type(None), UnsetType}
"""Types of arguments that all rows of an execution may be given alike."""

_SEQUENCES: Final = {list, tuple}

_ANYWHERE: Final = Path(None, "", None)
"""Of a field in all rows alike."""

_NO_HELPERS: Final = GraphQLResolveInfoHelpers(gather=_never, track=_never)

_OUTCOME: Final = frozenset({"collected_errors", "tasks", "streams"})
"""The collections of an executor that make more of a response than data."""

Data = dict[str, Any]


def is_awaitable(value: Any) -> bool:
    """Whether it can be awaited; a class that cannot is looked at once."""
    if type(value) in _plain:
        return False
    if type(value) is CoroutineType:
        return True
    found: bool = optimized_is_awaitable(value)
    if not found and type(value) is not GeneratorType:  # of which some can
        _plain.add(type(value))
    return found


_plain: set[type] = set()


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Graphql-core's, by way of strawberry's, which takes the short way where it knows one."""

    _variant: Variant | None = None
    _arguments: dict[Field, Data]
    """Converted once an execution: a field in a list has the same ones for every row."""
    _told: Told

    known: Operation | None = None
    """What is known of the operation; None where variants do not know of everything that is asked for."""
    _given: Data
    _taken: Data | None = None
    """The values of the variables, as they were given and as resolvers are given them; None: graphql-core coerced them."""

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
        is_more = rest or not more.keys() <= _PASSED_ON
        if is_more:
            more = _that_matters(dict(zip(_REST, rest, strict=False)) | more)
            is_more = not more.keys() <= _PASSED_ON
        if known is None or is_more:
            built = super().build(
                schema, document, root_value, context_value, raw_variable_values, operation_name, **more
            )
            if isinstance(built, cls) and built.is_plain:
                built.known = known or _operations.keep(key, Operation(document, built))
            return built  # type: ignore[return-value]  # of this class
        given = raw_variable_values or {}
        taken = known.take(given)
        if known.attributes is None:
            known.attributes = Attributes(cls._first(schema, known))
        executor = cls.__new__(cls)
        executor.__dict__ = {
            "known": known,
            "root_value": root_value,
            "context_value": context_value,
            "is_awaitable": more.get("is_awaitable") or is_awaitable_by_default,
            "operation_extensions": more.get("operation_extensions"),
            "_given": given,
            "_taken": taken,
        }
        if taken is None:
            variables = known.coerced(given)
            if isinstance(variables, list):
                return variables
            executor.variable_values = variables
        return executor

    @classmethod
    def _first(cls, schema: GraphQLSchema, known: Operation) -> "Executor":
        """An executor of the operation as its class makes it, for nobody."""
        nothing = VariableValues({}, {})
        default = default_field_resolver
        fragments = known.fragment_definitions, known.fragments
        executor = cls(schema, *fragments, None, None, known.node, nothing, default, default_type_resolver, default)
        executor.async_helpers = _NO_HELPERS
        return executor

    if not TYPE_CHECKING:  # to which every name would be an attribute

        def __getattr__(self, name: str) -> Any:
            """What an executor of a known operation is made without, from when it is asked for."""
            known = vars(self).get("known")
            if known is None or known.attributes is None:
                raise AttributeError(name)
            attributes = vars(self)
            if name in known.attributes.collections:
                attributes[name] = known.attributes.collections[name]()
            elif name in known.attributes.others:
                helpers = GraphQLResolveInfoHelpers(self.gather_async_work, self.track_async_work)
                rest = known.attributes.others | {"async_helpers": helpers}
                if self._taken is not None:
                    rest["variable_values"] = known.as_given(self._given)
                attributes |= rest | attributes
            else:
                raise AttributeError(name)
            return attributes[name]

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing that variants do not know of."""
        middleware = self.middleware_manager
        has_middleware = middleware is not None and bool(middleware.middlewares)
        return not has_middleware and not self.abort_signal and not self.hooks

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The same, by a shorter way to the one field that most operations have."""
        variant = self._variant_of(self.known) if self.known and serially is None else None
        if variant is None or variant.only is None:
            return super().execute_operation(serially)
        self._begin(variant)
        only = name, field, path = variant.only
        try:
            value = self._resolve(field, self.root_value, path, self._taken_of(field))
            if self.is_awaitable(value):
                return self._respond(only, value, is_complete=False)
            value = self._complete(field, path, value)
            if self.is_awaitable(value):
                return self._respond(only, value, is_complete=True)
        except Exception as error:  # noqa: BLE001  (whatever a resolver raises is an error of its field)
            return self._fail(only, error)
        return self.build_response({name: value})

    async def _respond(self, only: Only, value: Any, *, is_complete: bool) -> Any:
        """The response for a value that is waited for."""
        name, field, path = only
        try:
            value = await value
            if not is_complete:
                value = self._complete(field, path, value)
                if self.is_awaitable(value):
                    value = await value
        except Exception as error:  # noqa: BLE001  (as above)
            return self._fail(only, error)
        return self.build_response({name: value})

    def _fail(self, only: Only, error: Exception) -> Any:
        """The response where the one field has an error."""
        name, field, path = only
        try:
            self.handle_field_error(error, field.type, field.details, path)
        except GraphQLError as final:  # a null where none may be
            self.collected_errors.add(final, None)
            return self.build_response(None)
        return self.build_response({name: None})

    def _variant_of(self, known: Operation) -> Variant:
        return known.variant(self._given if self._taken is not None else self.variable_values.coerced)

    def _taken_of(self, field: Field) -> Data | None:
        """The arguments of a field that is resolved once, where they are variables that were taken."""
        if self._taken is None or field.taken is None:
            return None
        arguments = {}
        for name, variable in field.taken:
            arguments[name] = self._taken[variable]
        return arguments

    def _begin(self, variant: Variant | None) -> None:
        self._arguments = {}
        self._variant = variant
        self._told = Told(self._asked)

    def execute_collected_root_fields(
        self, root_type: GraphQLObjectType, root_value: Any, fields: GroupedFieldSet, serially: bool, usages: Any
    ) -> Any:
        self._begin(self._variant_of(self.known) if self.known else None)
        if self._variant is not None:
            fields = self._variant.begin(root_type, fields, is_all=not usages)
        return super().execute_collected_root_fields(root_type, root_value, fields, serially, usages)

    def build_response(self, data: Data | None) -> Any:
        # What refers to this executor and is referred to by it keeps all that was read until the garbage collector comes.
        attributes = vars(self)
        attributes["async_helpers"] = _NO_HELPERS
        attributes.pop("_told", None)
        if _OUTCOME.isdisjoint(attributes):  # there is nothing but data
            return ExecutionResult(data)
        return super().build_response(data)

    def collect_subfields(self, return_type: GraphQLObjectType, details: FieldDetailsList) -> CollectedFields:
        if self._variant is None or id(details) not in self._variant.fields:
            return super().collect_subfields(return_type, details)
        found = self._variant.collected.get((return_type, id(details)))
        if found is None:
            found = super().collect_subfields(return_type, details)
            self._variant.collect(return_type, details, found)
        return found

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, details: FieldDetailsList, path: Path, position: Any
    ) -> Any:
        field = self.field(details)
        if field is None:
            return super().execute_field(parent_type, source, details, path, position)
        if path.prev is None:
            self._told.clear()  # the mutation before this one may have changed what it told
        return self._execute(field, source, path)

    def _execute(self, field: Field, source: Any, path: Path) -> Any:
        try:
            result = self._resolve(field, source, path)
            if self.is_awaitable(result):
                return self._complete_awaited(field, path, result)
            completed = self._complete(field, path, result)
            if self.is_awaitable(completed):
                return self._await_completed(field, path, completed)
        except Exception as error:  # noqa: BLE001  (whatever a resolver raises is an error of its field)
            self.handle_field_error(error, field.type, field.details, path)
            return None
        return completed

    def collect_and_execute_subfields(
        self, return_type: GraphQLObjectType, details: FieldDetailsList, path: Path, result: Any, position: Any
    ) -> Any:
        row = self._variant.row(self, return_type, details) if self._variant else None
        if row is None:
            return super().collect_and_execute_subfields(return_type, details, path, result, position)
        try:
            data = row.read(result, self._told)
        except Exception:  # noqa: BLE001  (a surprise of any kind; graphql-core finds out what is wrong, if anything)
            return super().collect_and_execute_subfields(return_type, details, path, result, position)
        return self._fill(data, row.gaps, return_type, path, result) if row.gaps else data

    def field(self, details: FieldDetailsList) -> Field | None:
        """What is known of a field."""
        return self._variant.fields.get(id(details)) if self._variant else None

    def _resolve(self, field: Field, source: Any, path: Path, arguments: Data | None = None) -> Any:
        """What the field's resolver returns; `arguments` where they are known."""
        if field.attribute is not None:
            return getattr(source, field.attribute)
        if field.definition is TypeNameMetaFieldDef:
            return field.parent.name
        if field.call is None:
            return field.resolve(source, self._info(field, path), **self._coerced(field))
        info = field.call.info(self, field, path)
        if arguments is None:
            arguments = self._converted(field, field.call, info)
        return field.call(source, info, arguments)

    def _converted(self, field: Field, call: Call, info: Info) -> Data:
        """Its arguments, as the resolver takes them."""
        arguments = self._arguments.get(field)
        if arguments is None:
            arguments = call.arguments(self._coerced(field), info)
            if all(type(value) in _IMMUTABLE for value in arguments.values()):
                self._arguments[field] = arguments
        return arguments

    def _asked(self, field: Field) -> Any:
        """What a field asks for, whose values are found along with its rows."""
        if field.along is None or field.call is None:
            raise SurpriseError
        info = field.call.info(self, field, _ANYWHERE)
        asked = field.along.asked(info, **self._converted(field, field.call, info))
        if field.constants is not None:
            field.asked = asked
        return asked

    def _coerced(self, field: Field) -> Data:
        if not field.has_arguments:
            return {}
        if field.constants is not None:
            return field.constants
        if field.variables is not None:
            coerced = self.variable_values.coerced
            given = {argument: coerced.get(variable) for argument, variable in field.variables}
            if None not in given.values():
                return given
        node, variables = field.nodes[0], self.variable_values
        arguments = get_argument_values(field.definition, node, variables, None, self.hide_suggestions)
        if not field.has_variables and all(type(value) in _IMMUTABLE for value in arguments.values()):
            field.constants = arguments
        return arguments

    def _info(self, field: Field, path: Path) -> GraphQLResolveInfo[Any]:
        return self.build_resolve_info(field.definition, field.nodes, field.parent, path)

    def _complete(self, field: Field, path: Path, result: Any) -> Any:
        if not result and field.is_list and type(result) in _SEQUENCES:
            return []
        read = self._variant.reader(self, field) if self._variant else None
        if read is not None:
            try:
                return read(result, self._told)
            except Exception:  # noqa: BLE001, S110  (a surprise, as above)
                pass
        return self.complete_value(field.type, field.details, self._info(field, path), path, result, None)

    async def _complete_awaited(self, field: Field, path: Path, result: Any) -> Any:
        try:
            completed = self._complete(field, path, await result)
            return await completed if self.is_awaitable(completed) else completed
        except Exception as error:  # noqa: BLE001  (as above)
            self.handle_field_error(error, field.type, field.details, path)

    async def _await_completed(self, field: Field, path: Path, completed: Any) -> Any:
        try:
            return await completed
        except Exception as error:  # noqa: BLE001  (as above)
            self.handle_field_error(error, field.type, field.details, path)

    def _fill(self, data: Data, gaps: list[Gap], parent: GraphQLObjectType, path: Path, source: Any) -> Any:
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


_operations: Recent[tuple[int, int, str | None], Operation] = Recent(_OPERATIONS)
"""By the ids of schema and document: to compare whole documents takes longer than all this saves."""
