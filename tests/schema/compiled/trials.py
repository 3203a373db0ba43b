"""One document, executed by two executors over equal rows: what they answer is to be the same."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import isawaitable
from typing import Any

import orjson
import strawberry
from graphql import GraphQLError, execute_subscription_event, parse

from schema.documents import Document as Parsed
from schema.documents import Documents
from tests.schema.compiled.documents import Document, Operation
from tests.schema.compiled.executors import STOCK, Executor
from tests.schema.compiled.recipes import Clock, Recipe

_MANY = 1_000_000
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of an object without a text of its own; it is another in each execution


class Context:
    """Of one execution."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: list[tuple[Any, ...]] = []
        """Of resolvers: each with what it was given and what it could know."""


class Schema(strawberry.Schema):
    """Strawberry's, which takes documents from where Parley's does, and does not log errors."""

    documents: Documents

    def process_errors(self, *_arguments: Any) -> None:
        pass


class _Valid(Documents):
    """Documents that are known to be valid: validation costs more than all else here."""

    def _make(self, text: str) -> Parsed:
        return Parsed(text, parse(text), [])


Build = Callable[[type[Executor], str], Schema]


@dataclass
class Execution:
    """Of one operation of a document: with which variables, over what, and in which of the schemas."""

    operation: Operation
    variables: dict[str, Any]
    roots: list[Recipe]
    """The root value, or the events of a subscription."""
    variants: Sequence[str]


@dataclass
class Scenario:
    document: Document
    executions: list[Execution]

    def __repr__(self) -> str:
        executions = (f"{it.operation.name} {it.variants} {it.variables}\n{it.roots}" for it in self.executions)
        return "\n".join([self.document.text, *executions])


@dataclass
class Outcome:
    answers: list[str]
    """As JSON, byte for byte."""
    causes: list[Any]
    """Of its errors: what was raised, and by which nodes it is located. It is what clients are told by."""
    calls: list[tuple[Any, ...]]

    def add(self, data: dict[str, Any] | None, errors: list[GraphQLError] | None) -> None:
        whole: dict[str, Any] = {"data": data, "errors": errors and [error.formatted for error in errors]}
        answer = json.dumps(whole, default=_decoded)
        self.answers.append(_ADDRESS.sub("", answer))
        self.causes.append([_cause(error) for error in errors or ()])

    def differs(self, other: "Outcome", *, is_ordered: bool) -> str:
        """In what; calls have an order in mutations only."""
        if self.answers != other.answers:
            return f"answers {self.answers}\ninstead of {other.answers}"
        if self.causes != other.causes:
            return f"causes {self.causes}\ninstead of {other.causes}"
        if self.calls == other.calls or (not is_ordered and Counter(self.calls) == Counter(other.calls)):
            return ""
        return f"calls {self.calls}\ninstead of {other.calls}"


def _decoded(fragment: Any) -> Any:
    """What was told of a row that is remembered."""
    return json.loads(orjson.dumps(fragment))


def _cause(error: GraphQLError) -> tuple[Any, ...]:
    nodes = [node.loc and (node.loc.start, node.loc.end) for node in error.nodes or ()]
    return _ADDRESS.sub("", repr(error.original_error)), error.positions, nodes, type(error)


@cache
def _stock(build: Build, variant: str) -> Schema:
    return build(STOCK, variant)


class Trial:
    """Pairs of schemas by their variants: in each the stock executor, and one beside it."""

    def __init__(self, executor: type[Executor], build: Build, variants: Iterable[str]) -> None:
        self._pairs = {variant: (_stock(build, variant), build(executor, variant)) for variant in variants}
        self.documents = 0
        self.executions = 0

    def judge(self, scenario: Scenario) -> None:
        """Raises AssertionError where the two differ."""
        self.documents += 1
        asyncio.run(self._judge(scenario))

    def judge_all(self, scenarios: Iterable[Scenario]) -> None:
        for scenario in scenarios:
            self.judge(scenario)

    async def _judge(self, scenario: Scenario) -> None:
        for stock, beside in self._pairs.values():
            stock.documents = beside.documents = _Valid(stock._schema, max_tokens=_MANY, rules=[])
        for execution in scenario.executions:
            for variant in execution.variants:
                self.executions += 1
                stock, beside = self._pairs[variant]
                expected = await _outcome(stock, scenario.document, execution)
                found = await _outcome(beside, scenario.document, execution)
                is_ordered = execution.operation.kind == "mutation"
                wrong = found.differs(expected, is_ordered=is_ordered)
                assert not wrong, f"{wrong}\nin {variant!r} with {execution.variables}: {scenario.document.text}"


async def _outcome(schema: Schema, document: Document, execution: Execution) -> Outcome:
    context = Context()
    outcome = Outcome([], [], context.calls)
    run = _stream if execution.operation.kind == "subscription" else _execute
    task = asyncio.ensure_future(run(schema, document, execution, context, outcome))
    await context.clock.run(task)
    task.result()
    return outcome


async def _execute(
    schema: Schema, document: Document, execution: Execution, context: Context, outcome: Outcome
) -> None:
    [root] = execution.roots
    result = await schema.execute(
        document.text,
        variable_values=execution.variables,
        context_value=context,
        root_value=root.make(context.clock),
        operation_name=execution.operation.name,
    )
    outcome.add(result.data, result.errors)


async def _stream(schema: Schema, document: Document, execution: Execution, context: Context, outcome: Outcome) -> None:
    """As the fan-out does it: one executor, and a copy of it for each event."""
    node, name = schema.documents.get(document.text).node, execution.operation.name
    assert node
    built = schema.execution_context_class.build(schema._schema, node, None, None, execution.variables, name)
    if isinstance(built, list):
        outcome.add(None, built)
        return
    for event in execution.roots:
        executor = built.build_per_event_executor(event.make(context.clock))
        executor.context_value = context
        begun = execute_subscription_event(executor)
        result = await begun if isawaitable(begun) else begun
        outcome.add(result.data, result.errors)
