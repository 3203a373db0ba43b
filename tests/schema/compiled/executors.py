"""The executor under test, and the one that it must equal."""

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

Executor = StrawberryGraphQLCoreExecutionContext

STOCK: type[Executor] = StrawberryGraphQLCoreExecutionContext
"""Strawberry's, which is graphql-core's."""
UNDER_TEST: type[Executor] = StrawberryGraphQLCoreExecutionContext
"""What a server executes with."""
