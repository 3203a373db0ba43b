"""Fields, and the calls of their resolvers as strawberry makes them: what does not change is found out once."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from functools import cached_property
from types import FunctionType
from typing import Any, Final, NamedTuple, Protocol, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_nullable_type,
    is_required_argument,
    visit,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.relay import GlobalID
from strawberry.schema.compat import is_scalar
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types import Info
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import (
    StrawberryList,
    StrawberryMaybe,
    StrawberryObjectDefinition,
    StrawberryOptional,
    has_object_definition,
)
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver
from strawberry.types.unset import UNSET

Convert = Callable[[Any], Any]
"""Makes of a coerced value what a resolver is given; null stays null."""
Named = tuple[str, str, Convert]
"""Name in GraphQL, name in Python, and how its value is converted."""


SHARED: Final[Mapping[Any, Any]] = {"is_shared": True}
"""The metadata of a list whose rows other such lists hold too."""


class Along(NamedTuple):
    """How a field with a resolver finds what was read along with its row."""

    asked: Callable[..., Any]
    """What is asked for, by Info and the arguments; the same for all rows of an execution."""
    of: Callable[[Any, Any], Any]
    """The value for a row and what is asked for, as the resolver would return it; None where it was not read along."""

    @property
    def metadata(self) -> Mapping[Any, Any]:
        """For the field's definition."""
        return {"along": self}


class NotConvertibleError(Exception):
    """A type whose values only strawberry can convert."""


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
        self.is_list = isinstance(get_nullable_type(self.type), GraphQLList)
        self.attribute = _attribute(definition)
        self.is_shared = _is_shared(definition)
        self.call = Call.of(schema, definition)
        self.along = self.call.along if self.call else None
        self.has_arguments = bool(definition.args or self.nodes[0].arguments)
        self.has_variables = any(_holds_variable(argument.value) for argument in self.nodes[0].arguments or ())
        self.variables = _variables(definition, self.nodes[0])
        """The variables that its arguments are, where all of them are and the others have no default."""
        self.taken = self.call.taken(self.variables) if self.call and self.variables is not None else None
        """The variable that each parameter of its resolver is, where these are its arguments and can be made of variables."""
        self.constants: dict[str, Any] | None = None
        """The arguments, coerced, where they hold no variables."""
        self.asked: Any = None
        """What it asks for of what was read along, where that depends on no variables either."""
        self.selected: Any = None
        """What is selected of its values, as `asked` has found it."""


def _attribute(definition: GraphQLField) -> str | None:
    """The attribute that the field reads; None where it does anything else."""
    field = definition.extensions.get("strawberry-definition")
    if not isinstance(field, StrawberryField):
        return None
    is_plain = field.is_basic_field and field.default_resolver is getattr
    return field.python_name if is_plain and getattr(definition.resolve, "_is_default", False) else None


def _is_shared(definition: GraphQLField) -> bool:
    field = definition.extensions.get("strawberry-definition")
    return isinstance(field, StrawberryField) and bool(field.metadata.get("is_shared"))


def _holds_variable(value: ValueNode) -> bool:
    found = _Variables()
    visit(value, found)
    return found.is_any


def _variables(definition: GraphQLField, node: FieldNode) -> list[tuple[str, str]] | None:
    """The name of each argument as coercion gives it, and the variable; their coerced values are those of the variables."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    found: list[tuple[str, str]] = []
    for name, argument in definition.args.items():
        value = given.get(name)
        if isinstance(value, VariableNode):
            found.append((argument.out_name or name, value.name.value))
        elif value is not None or is_required_argument(argument) or _has_default(argument):
            return None
    return found


def _has_default(argument: GraphQLArgument) -> bool:
    return argument.default is not None or argument.default_value is not Undefined


class _Variables(Visitor):
    """Finds out whether there is a variable."""

    is_any = False

    def enter_variable(self, *_: object) -> None:
        self.is_any = True


class Execution(Protocol):
    """What a resolver can know of the execution that it is called in: an executor."""

    context_value: Any
    fragment_definitions: dict[str, FragmentDefinitionNode]
    variable_values: VariableValues

    def build_resolve_info(
        self, field_def: GraphQLField, field_nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path, /
    ) -> GraphQLResolveInfo[Any]: ...


class LateInfo(Info[Any, Any]):
    """Strawberry's Info. Few resolvers want more than the context: graphql-core's own is made when it is asked for."""

    def __init__(self, execution: Execution, field: Field, path: Path, strawberry_field: StrawberryField) -> None:
        self.execution = execution
        self.known = field
        self._path = path
        self._field = strawberry_field

    @cached_property
    def _raw_info(self) -> GraphQLResolveInfo[Any]:  # type: ignore[override]  # an attribute in strawberry 0.341
        field = self.known
        return self.execution.build_resolve_info(field.definition, field.nodes, field.parent, self._path)

    @property
    def context(self) -> Any:
        return self.execution.context_value

    @property
    def variable_values(self) -> dict[str, Any]:
        return self.execution.variable_values.coerced


class Call:
    """A call of one field's resolver, without strawberry's layers for extensions that there are none of."""

    def __init__(
        self, field: StrawberryField, resolver: StrawberryResolver[Any], converter: GraphQLCoreConverter
    ) -> None:
        self._field = field
        self._converter = converter
        function = resolver.wrapped_func
        self._resolver: Callable[..., Any] = function if isinstance(function, FunctionType) else resolver
        self._takes_self = bool(resolver.self_parameter)
        sources = resolver.parent_parameter, resolver.root_parameter
        self._sources = [parameter.name for parameter in sources if parameter]
        self._info = resolver.info_parameter.name if resolver.info_parameter else None
        self._arguments = self._known_arguments()
        self.along: Along | None = field.metadata.get("along")

    @classmethod
    def of(cls, schema: GraphQLSchema, definition: GraphQLField) -> "Call | None":
        """None where strawberry has to do more than to call."""
        field = definition.extensions.get("strawberry-definition")
        if not isinstance(field, StrawberryField) or not field.base_resolver:
            return None
        converter: GraphQLCoreConverter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]  # noqa: SLF001  (strawberry 0.341)
        is_more = field.extensions or field.is_subscription or converter.exception_handlers
        is_own = converter.config.info_class is Info and type(field).get_result is StrawberryField.get_result
        return cls(field, field.base_resolver, converter) if is_own and not is_more else None

    def info(self, execution: Execution, field: Field, path: Path) -> Info:
        return LateInfo(execution, field, path, self._field)

    def taken(self, variables: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
        """The name in Python and the variable of each argument; None where strawberry has to convert one."""
        if self._arguments is None or len({variable for _, variable in variables}) < len(variables):
            return None
        names = {given: name for given, name, _ in self._arguments}
        return [(names[argument], variable) for argument, variable in variables]

    def arguments(self, coerced: dict[str, Any], info: Info) -> dict[str, Any]:
        """The arguments by their names in Python, converted."""
        if self._arguments is not None:
            return {name: convert(coerced[given]) for given, name, convert in self._arguments if given in coerced}
        converter = self._converter
        return convert_arguments(coerced, self._field.arguments, converter.scalar_registry, converter.config, info)

    def __call__(self, source: Any, info: Info, arguments: dict[str, Any]) -> Any:
        named = arguments.copy()
        for name in self._sources:
            named[name] = source
        if self._info:
            named[self._info] = info
        return self._resolver(source, **named) if self._takes_self else self._resolver(**named)

    def _known_arguments(self) -> list[Named] | None:
        """How each argument is converted; None where only strawberry can."""
        name = self._converter.config.name_converter.from_argument
        try:
            return [
                (name(argument), str(argument.python_name), _convert(argument.type, self._converter))
                for argument in self._field.arguments
            ]
        except (NotConvertibleError, RecursionError):  # inputs may hold themselves
            return None


def _convert(type_: Any, converter: GraphQLCoreConverter) -> Convert:
    if isinstance(type_, StrawberryMaybe) or type_ is GlobalID:
        raise NotConvertibleError
    if isinstance(type_, StrawberryOptional):
        return _convert(type_.of_type, converter)
    if is_scalar(type_, converter.scalar_registry) or isinstance(type_, StrawberryEnumDefinition):
        return _itself
    if isinstance(type_, StrawberryList) and _convert(type_.of_type, converter) is _itself:
        return _copy
    if has_object_definition(type_):
        return Input(type_, converter)
    raise NotConvertibleError


def _itself(value: object) -> object:
    return value


def _copy(value: object) -> object:
    """Of a list: one that is a default belongs to all requests."""
    return value if value is None or value is UNSET else list(cast("list[object]", value))


class Input:
    """Makes an input object of a dictionary."""

    def __init__(self, type_: Any, converter: GraphQLCoreConverter) -> None:
        definition: StrawberryObjectDefinition = type_.__strawberry_definition__
        if definition.from_input is not None or not definition.is_input:
            raise NotConvertibleError
        if hasattr(type_, "__post_init__") or any(each.default_factory is not MISSING for each in definition.fields):
            raise NotConvertibleError
        name = converter.config.name_converter.from_field
        self.type = type_
        self.fields = {
            name(field): (
                field.python_name,
                _convert(field.resolve_type(type_definition=definition), converter),
            )
            for field in definition.fields
        }
        """By its name in GraphQL each field's name in Python, and how its value is converted."""
        # graphql-core has checked that whatever is required is there; the others may have no default in Python.
        defaults = {field.python_name: field.default_value for field in definition.fields}
        self.defaults = {name: None if default is MISSING else default for name, default in defaults.items()}

    def __call__(self, value: Any) -> Any:
        if value is None or value is UNSET:
            return value
        attributes = self.defaults.copy()
        for key, item in value.items():
            name, convert = self.fields[key]
            attributes[name] = item if convert is _itself else convert(item)
        made = object.__new__(self.type)  # what its generated `__init__` does, without a call that names each field
        made.__dict__ = attributes
        return made
