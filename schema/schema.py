"""The schema: what clients may ask, and how its errors reach them."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from datetime import datetime
from typing import Any

import strawberry
from graphql import ExecutionResult as GraphQLExecutionResult
from graphql import GraphQLError
from graphql import OperationType as GraphQLOperationType
from strawberry.exceptions import MissingQueryError
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers import following
from resolvers.errors import BadUserInputError
from schema import events, limits
from schema.compiled import Executor, is_awaitable
from schema.context import Context
from schema.documents import Document, Documents, Prepared
from schema.fanout import Fanout
from schema.faults import present
from schema.mutations import Mutation
from schema.queries import Query
from schema.scalars import DateTime
from schema.subscriptions import Subscription

_WHICH = "the document holds several operations: say in operationName which one is meant"
_STREAM = (
    "a subscription is a stream of answers: ask for it over a websocket (graphql-transport-ws), "
    "or with the header Accept: text/event-stream"
)


class Schema(strawberry.Schema):
    """Strawberry's, with a shorter way from the text of a document to its answer, which is the same for every transport."""

    documents: Documents
    """Parsed and validated, for every transport."""
    fanout: Fanout
    """Subscriptions that share their executions."""

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,  # noqa: ANN401
        root_value: Any = None,  # noqa: ANN401
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> ExecutionResult:
        """The answer to a query or a mutation. Raises what strawberry's views turn into refusals of the whole request."""
        context: Context = context_value
        if not query:
            raise MissingQueryError
        document = self.documents.get(query)
        if document.node is not None:
            self._check_type(document, operation_name, allowed_operation_types)
        if document.errors:
            return _refused(document.errors, context)
        if not context.is_free_of_nul and limits.holds_nul(variable_values):
            return _refused([GraphQLError(limits.NUL_REFUSED)], context)
        try:
            if document.asks_event_cursor(operation_name) and context.is_authenticated:
                # Before anything else: what is then read can only be newer, so that nothing lies between the answer and
                # a stream that goes on from that cursor.
                context.event_cursor = await following.viewer_cursor(context.service, context.viewer)
            result = self._begun(document, operation_name, variable_values, context, root_value)
            if is_awaitable(result):
                result = await result
        except Exception as error:  # noqa: BLE001  (told as any other fault is)
            return _refused([GraphQLError(str(error), original_error=error)], context)
        errors = present(result.errors, context.request_id) if result.errors else None
        return ExecutionResult(result.data, errors)

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override]  # noqa: ANN401
        context: Context = kwargs["context_value"]
        query = args[0] if args else kwargs.get("query")
        document, name = self.documents.get(query or ""), kwargs.get("operation_name")
        operation = document.operation(name)
        if operation is not None and operation.operation is not GraphQLOperationType.SUBSCRIPTION:
            return _only(self.execute(*args, **kwargs))
        if operation is None and name is None and not document.errors and document.holds_operations:
            return _only(_told(_refused([GraphQLError(_WHICH)], context)))
        return self._presented_stream(await super().stream(*args, **kwargs), context, kwargs.get("variable_values"))

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log every error, also those we mean to say; `present` logs the others."""

    def _check_type(self, document: Document, name: str | None, allowed: Iterable[OperationType] | None) -> None:
        operation = document.named(name)
        if operation is None:
            if name is None and document.holds_operations:
                raise BadUserInputError(_WHICH)
            raise CannotGetOperationTypeError(name)
        if operation.operation is GraphQLOperationType.SUBSCRIPTION:
            raise BadUserInputError(_STREAM)
        if allowed is not None and (type_ := OperationType(operation.operation.value)) not in allowed:
            raise InvalidOperationTypeError(type_)

    def _begun(
        self,
        document: Document,
        name: str | None,
        variables: dict[str, Any] | None,
        context: Context,
        root_value: object,
    ) -> Any:  # noqa: ANN401  (graphql-core's result)
        """The result, or an awaitable of it."""
        executor = Executor.build(
            self._schema,
            document.parsed,
            root_value,
            context,
            variables,
            name,
            is_awaitable=is_awaitable,
        )
        return GraphQLExecutionResult(None, executor) if isinstance(executor, list) else executor.execute_operation()

    async def _presented_stream(self, results: Any, context: Context, variables: object) -> AsyncIterator[Any]:  # noqa: ANN401
        if limits.holds_nul(variables):
            await results.aclose()
            yield _refused([GraphQLError(limits.NUL_REFUSED)], context)
            return
        try:
            async for result in results:
                if result.errors:
                    result.errors = present(result.errors, context.request_id)
                yield result
        finally:
            await results.aclose()


async def _only(result: Awaitable[Any]) -> AsyncIterator[Any]:
    """A stream of one answer."""
    yield await result


async def _told(result: ExecutionResult) -> ExecutionResult:
    return result


def _refused(errors: list[GraphQLError], context: Context) -> PreExecutionError:
    """What is told before anything is executed."""
    return PreExecutionError(data=None, errors=present(errors, context.request_id))


def build(*, max_tokens: int = 4_000, max_depth: int = 20) -> Schema:
    """The schema, with limits on the documents it takes."""
    built = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=events.TYPES,
        execution_context_class=Executor,
        config=StrawberryConfig(scalar_map={datetime: DateTime}),
        extensions=[lambda: Prepared(built.documents)],
    )
    raw = built._schema  # noqa: SLF001  (strawberry 0.341 has no other way to the graphql-core schema)
    rules = limits.rules(max_depth=max_depth, max_fields=max_tokens)
    built.documents = Documents(raw, max_tokens=max_tokens, rules=rules)
    built.fanout = Fanout(raw, built.execution_context_class)
    return built


def sdl_of(schema: Schema) -> str:
    """Its text in the schema definition language."""
    return schema.as_str() + "\n"


def sdl() -> str:
    """The text of the schema, as committed in schema/schema.graphql."""
    return sdl_of(build())
