"""Variables that are taken as they are would come out of graphql-core's coercion unchanged."""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableDefinitionNode,
    get_named_type,
    is_required_input_field,
    parse,
)
from graphql.execution.values import get_variable_values
from graphql.pyutils import RefMap
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.types.arguments import convert_argument

from schema import schema
from schema.compiled import Executor

_SCHEMA: GraphQLSchema = schema.build()._schema
_INPUTS = sorted(name for name, type_ in _SCHEMA.type_map.items() if isinstance(type_, GraphQLInputObjectType))
_WRONG: tuple[Any, ...] = (None, 1, True, "x", {}, [], ["a"], [None], 1.5, {"a": 1})


def _value(draw: Callable[[st.SearchStrategy[Any]], Any], type_: Any, depth: int = 0) -> Any:
    """Mostly of the type, as JSON has it."""
    way = draw(st.integers(0, 30))
    if way == 30:
        return draw(st.sampled_from(_WRONG))
    if isinstance(type_, GraphQLNonNull):
        return _value(draw, type_.of_type, depth)
    if isinstance(type_, GraphQLList):
        return [_value(draw, type_.of_type, depth) for _ in range(way % 3)]
    if isinstance(type_, GraphQLInputObjectType):
        names = [name for name, field in type_.fields.items() if is_required_input_field(field) or way % 4 == 0]
        more = draw(st.sampled_from(sorted(type_.fields))) if way > 4 else None
        wanted = dict.fromkeys([*names, *([more] if more else [])])
        made = {name: _value(draw, type_.fields[name].type, depth + 1) for name in wanted}
        return made | ({"none": 1} if way == 29 else {})
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    return {"Int": 3, "Boolean": True, "Float": 1.0, "DateTime": "2026-01-01T00:00:00Z"}.get(type_.name, "text")


@settings(max_examples=300)
@given(st.data(), st.sampled_from([*_INPUTS, *(["MessageTarget", "SendMessageInput"] * 4)]))
def test_variables_are_what_coercion_makes_of_them(data: st.DataObject, name: str) -> None:
    """For every input of the schema: the same values, or the same errors."""
    document = parse(f"query ($v: {name}) {{ __typename }}")
    variables = {"v": _value(data.draw, get_named_type(_SCHEMA.type_map[name]))}
    assert isinstance(Executor.build(_SCHEMA, document, None, None, {}), Executor)  # from then on it is known
    executor = Executor.build(_SCHEMA, document, None, None, variables)
    expected = get_variable_values(_SCHEMA, _definitions(document), variables)
    if isinstance(executor, list) or isinstance(expected, list):
        assert isinstance(executor, list)
        assert isinstance(expected, list)
        assert [str(each) for each in executor] == [str(each) for each in expected]
    else:
        assert executor.variable_values.coerced == expected.coerced
        if executor._taken is not None:
            assert executor._taken == {"v": _converted(name, expected.coerced["v"])}


def test_an_input_is_taken_in_one_step() -> None:
    """What a client sends with a message, in each way to say where it goes, is not left to graphql-core."""
    document = parse("mutation ($v: SendMessageInput!) { sendMessage(input: $v) { deduplicated } }")
    assert isinstance(Executor.build(_SCHEMA, document, None, None, {"v": _message({"userId": "U"})}), Executor)
    for target in ({"conversationId": "C"}, {"userId": "U"}):
        given = {**_message(target), "clientMessageId": "key", "replyToId": None, "attachmentIds": ["A", "B"]}
        executor = Executor.build(_SCHEMA, document, None, None, {"v": given})
        assert isinstance(executor, Executor)
        assert executor._taken == {"v": _converted("SendMessageInput", given)}


def _message(target: dict[str, str]) -> dict[str, Any]:
    return {"to": target, "body": "Hello"}


def _converted(name: str, coerced: object) -> object:
    """As strawberry makes it."""
    converter = _SCHEMA._strawberry_schema.schema_converter  # type: ignore[attr-defined]
    type_ = _SCHEMA.type_map[name].extensions["strawberry-definition"].origin
    return convert_argument(coerced, type_, converter.scalar_registry, converter.config)


def test_an_executor_of_a_known_operation_is_as_one_made_anew() -> None:
    """Attribute for attribute as its class makes it, and with no collection that another execution has too."""
    document = parse("query ($id: ID!) { conversation(id: $id) { ...F } } fragment F on Conversation { id }")
    built = [Executor.build(_SCHEMA, document, "root", object(), {"id": str(number)}) for number in range(3)]
    names = vars(built[0])
    # Some are made when they are asked for.
    first, second, third = ({name: getattr(each, name) for name in names} for each in built)
    assert names.keys() | {"_given", "_taken"} >= vars(built[1]).keys()
    for name, value in first.items():
        assert type(second[name]) is type(value), name
        if name in {"fragment_definitions", "fragments"}:
            assert second[name] == value
        elif isinstance(value, list | dict | set | RefMap):
            assert len(second[name]) == 0
            assert second[name] is not third[name], name
    shared = {name for name, value in second.items() if value is third[name]}
    assert not shared & {"collected_errors", "context_value", "variable_values", "async_helpers"}
    assert second["async_helpers"].gather.__self__ is built[1]


def _definitions(document: DocumentNode) -> Sequence[VariableDefinitionNode]:
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation.variable_definitions or ()
