"""The schema: what clients may ask, and how its errors reach them."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.errors import BadUserInputError
from schema import events, limits
from schema.context import Context
from schema.documents import Documents, Prepared
from schema.fanout import Fanout
from schema.faults import present
from schema.marking import Marking
from schema.mutations import Mutation
from schema.queries import Query
from schema.scalars import DateTime
from schema.subscriptions import Subscription

ResultT = TypeVar("ResultT", bound=ExecutionResult)

_STREAMED = {OperationType.SUBSCRIPTION}
_STREAM = (
    "a subscription is a stream of answers: ask for it over a websocket (graphql-transport-ws), "
    "or with the header Accept: text/event-stream"
)


class Schema(strawberry.Schema):
    """Strawberry's, with the two things that hold for every transport: no NUL comes in, no raw error goes out."""

    documents: Documents
    """Parsed and validated, for every transport."""
    fanout: Fanout
    """Subscriptions that share their executions."""

    async def execute(self, *args: Any, **kwargs: Any) -> ExecutionResult:  # noqa: ANN401  (strawberry's signature)
        context: Context = kwargs["context_value"]
        if limits.holds_nul(kwargs.get("variable_values")):
            return _presented(_refused_variables(), context)
        kwargs["allowed_operation_types"] = set(kwargs.get("allowed_operation_types", OperationType)) - _STREAMED
        try:
            return _presented(await super().execute(*args, **kwargs), context)
        except InvalidOperationTypeError as error:
            if error.operation_type is not OperationType.SUBSCRIPTION:
                raise
            raise BadUserInputError(_STREAM) from error

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # type: ignore[override]  # noqa: ANN401
        context: Context = kwargs["context_value"]
        return self._presented_stream(await super().stream(*args, **kwargs), context, kwargs.get("variable_values"))

    async def _presented_stream(self, results: Any, context: Context, variables: object) -> AsyncIterator[Any]:  # noqa: ANN401
        if limits.holds_nul(variables):
            await results.aclose()
            yield _presented(_refused_variables(), context)
            return
        try:
            async for result in results:
                yield _presented(result, context)
        finally:
            await results.aclose()

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log every error, also those we mean to say; `present` logs the others."""


def _presented(result: ResultT, context: Context) -> ResultT:
    if result.errors:
        result.errors = present(result.errors, context.request_id)
    return result


def _refused_variables() -> PreExecutionError:
    return PreExecutionError(data=None, errors=[GraphQLError(limits.NUL_REFUSED)])


def build(*, max_tokens: int = 4_000, max_depth: int = 20) -> Schema:
    """The schema, with limits on the documents it takes."""
    built = Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=events.TYPES,
        config=StrawberryConfig(scalar_map={datetime: DateTime}),
        extensions=[
            lambda: MaxTokensLimiter(max_token_count=max_tokens),
            lambda: Prepared(built.documents),
            Marking,
        ],
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
