"""Executors that each do one thing wrong, as one that compiles might."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    is_leaf_type,
    is_non_null_type,
    visit,
)
from graphql.language import Visitor
from graphql.pyutils import Path

from tests.schema.compiled.executors import Executor


class DropsErrorsOfNull(Executor):
    def handle_field_error(self, raw_error: Exception, return_type: Any, details: Any, path: Path) -> None:
        if is_non_null_type(return_type) or not str(raw_error).startswith("Cannot return null"):
            super().handle_field_error(raw_error, return_type, details, path)


class StopsNullTooEarly(Executor):
    def handle_field_error(self, raw_error: Exception, return_type: Any, details: Any, path: Path) -> None:
        bare = return_type.of_type if is_non_null_type(return_type) and path.prev and path.prev.prev else return_type
        super().handle_field_error(raw_error, bare, details, path)


class LocatesAtTheLastNode(Executor):
    def handle_field_error(self, raw_error: Exception, return_type: Any, details: Any, path: Path) -> None:
        super().handle_field_error(raw_error, return_type, details[-1:], path)


class ForgetsTheCause(Executor):
    """Clients are told by it."""

    def handle_field_error(self, raw_error: Exception, return_type: Any, details: Any, path: Path) -> None:
        bare = raw_error if isinstance(raw_error, GraphQLError) else GraphQLError(str(raw_error))
        super().handle_field_error(bare, return_type, details, path)


class ForgetsTheIndex(Executor):
    def complete_list_item_value(
        self, item: Any, results: Any, item_type: Any, details: Any, info: Any, item_path: Path, context: Any
    ) -> bool:
        path = item_path.prev if is_leaf_type(item_type) and item_path.prev else item_path
        return super().complete_list_item_value(item, results, item_type, details, info, path, context)


class OrdersByName(Executor):
    def execute_fields(self, parent_type: Any, source: Any, path: Path | None, fields: Any, context: Any) -> Any:
        ordered = dict(sorted(fields.items())) if path else fields
        return super().execute_fields(parent_type, source, path, ordered, context)


class LosesTypename(Executor):
    def execute_fields(self, parent_type: Any, source: Any, path: Path | None, fields: Any, context: Any) -> Any:
        kept = {name: it for name, it in fields.items() if it[0].node.name.value != "__typename" or path is None}
        return super().execute_fields(parent_type, source, path, kept, context)


class BeginsAgain(Executor):
    """Does the whole object over again where something went wrong with it."""

    def execute_fields(self, parent_type: Any, source: Any, path: Path | None, fields: Any, context: Any) -> Any:
        try:
            return super().execute_fields(parent_type, source, path, fields, context)
        except Exception:  # noqa: BLE001
            return super().execute_fields(parent_type, source, path, fields, context)


class ReadsArguments(Executor):
    """Of the first node of a name, for all answers of that name."""

    _known: ClassVar[dict[str, Any]] = {}

    def execute_field(self, parent_type: Any, source: Any, details: Any, path: Path, context: Any) -> Any:
        field = self.schema.get_field(parent_type, details[0].node.name.value)
        if field and field.args:
            details = [self._known.setdefault(f"{parent_type}.{path.key}", details[0]), *details[1:]]
        return super().execute_field(parent_type, source, details, path, context)


class IgnoresSkip(Executor):
    @classmethod
    def build(cls, schema: GraphQLSchema, document: DocumentNode, *arguments: Any, **named: Any) -> Any:
        return super().build(schema, visit(document, _WithoutSkip()), *arguments, **named)


class _WithoutSkip(Visitor):
    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        kept = tuple(directive for directive in node.directives or () if directive.name.value != "skip")
        if len(kept) == len(node.directives or ()):
            return None
        names = ("alias", "name", "arguments", "selection_set", "loc")
        return FieldNode(directives=kept, **{name: getattr(node, name) for name in names})


class ForgetsWhatIsMerged(Executor):
    def collect_subfields(self, return_type: GraphQLObjectType, details: Any) -> Any:
        return super().collect_subfields(return_type, details[:1])


class KeepsByField(Executor):
    """What was selected of a field's value the first time, for all documents."""

    _known: ClassVar[dict[tuple[str, str], Any]] = {}

    def collect_subfields(self, return_type: GraphQLObjectType, details: Any) -> Any:
        key = return_type.name, details[0].node.name.value
        if key not in self._known:
            self._known[key] = super().collect_subfields(return_type, details)
        return self._known[key]


class KeepsByDocument(Executor):
    """The same by the place in the document, whatever the variables are."""

    _known: ClassVar[dict[Any, Any]] = {}

    def collect_subfields(self, return_type: GraphQLObjectType, details: Any) -> Any:
        key = return_type, *(id(detail.node) for detail in details)
        if key not in self._known:
            self._known[key] = details, super().collect_subfields(return_type, details)
        return self._known[key][1]


class KeepsByTypeName(Executor):
    """Types of fields, whichever schema they are of."""

    _known: ClassVar[dict[str, Any]] = {}

    def complete_value(self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any) -> Any:
        if return_type is info.return_type:
            return_type = self._known.setdefault(f"{info.parent_type}.{info.field_name}", return_type)
        return super().complete_value(return_type, details, info, path, result, context)


class TakesLeavesAsTheyAre(Executor):
    """A bool where an Int is to be, for one."""

    @staticmethod
    def complete_leaf_value(return_type: Any, result: Any) -> Any:
        if isinstance(return_type, GraphQLScalarType) and return_type.name == "Int" and isinstance(result, int):
            return result
        return Executor.complete_leaf_value(return_type, result)


class TakesTextAsItIs(Executor):
    @staticmethod
    def complete_leaf_value(return_type: Any, result: Any) -> Any:
        if isinstance(return_type, GraphQLScalarType) and return_type.name in {"String", "ID"}:
            return str(result)
        return Executor.complete_leaf_value(return_type, result)


class TakesEveryName(Executor):
    """An enum's, also one that it does not have."""

    @staticmethod
    def complete_leaf_value(return_type: Any, result: Any) -> Any:
        if return_type.name == "Mood" and isinstance(result, str):
            return result
        return Executor.complete_leaf_value(return_type, result)


class ReturnsErrors(Executor):
    """An exception that is a value is null."""

    def complete_value(self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any) -> Any:
        value = None if isinstance(result, Exception) else result
        return super().complete_value(return_type, details, info, path, value, context)


class SpendsIterators(Executor):
    """Looks how long a list is before it leaves it to the other."""

    def complete_list_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        if not hasattr(result, "__aiter__") and hasattr(result, "__next__"):
            sum(1 for _ in result)
        return super().complete_list_value(return_type, details, info, path, result, context)


class TakesListsOnly(Executor):
    def complete_list_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        value = [result] if isinstance(result, Mapping | str) else result
        return super().complete_list_value(return_type, details, info, path, value, context)


class AsksNoType(Executor):
    """An object is taken for what its field says."""

    def complete_object_value(
        self, return_type: GraphQLObjectType, details: Any, _info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        return self.collect_and_execute_subfields(return_type, details, path, result, context)


class AnswersTheFirstEvent(Executor):
    """Again and again."""

    def build_per_event_executor(self, payload: Any) -> Any:
        self.__dict__.setdefault("first", payload)
        return super().build_per_event_executor(self.__dict__["first"])


class KeepsErrorsOfEvents(Executor):
    def build_per_event_executor(self, payload: Any) -> Any:
        executor = super().build_per_event_executor(payload)
        executor.collected_errors = self.collected_errors
        return executor


class WaitsForNothing(Executor):
    """Of several fields that must be awaited, all but one."""

    def execute_fields_serially(self, parent_type: Any, source: Any, path: Any, fields: Any, context: Any) -> Any:
        return self.execute_fields(parent_type, source, path, fields, context)


class TakesItsTime(Executor):
    """No defect: it lets others go first, as often as it can."""

    async def complete_awaitable_value(self, *arguments: Any) -> Any:
        for _ in range(3):
            await asyncio.sleep(0)
        completed = await super().complete_awaitable_value(*arguments)
        await asyncio.sleep(0)
        return completed


ALL = [
    it
    for it in vars().copy().values()
    if isinstance(it, type) and issubclass(it, Executor) and it not in {Executor, TakesItsTime}
]
