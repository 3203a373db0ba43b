"""The executor under test, and the one that it must equal."""

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema import compiled

Executor = StrawberryGraphQLCoreExecutionContext

STOCK: type[Executor] = StrawberryGraphQLCoreExecutionContext
"""Strawberry's, which is graphql-core's."""
UNDER_TEST: type[Executor] = compiled.Executor
"""What a server executes with."""
