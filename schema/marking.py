"""Where the viewer's events stand, read before anything else of an operation that asks for it.

What is then read for the same operation can only be newer, so that nothing lies between the answer and a stream that
goes on from that cursor.
"""

from collections.abc import AsyncIterator

from graphql import FragmentDefinitionNode, get_operation_ast
from strawberry.extensions import SchemaExtension

from resolvers import following
from schema.asked import Asked
from schema.context import Context

_FIELD = "eventCursor"


class Marking(SchemaExtension):
    async def on_execute(self) -> AsyncIterator[None]:
        context: Context = self.execution_context.context
        if _FIELD in (self.execution_context.query or "") and context.is_authenticated and self._is_asked():
            context.event_cursor = await following.viewer_cursor(context.service, context.viewer)
        yield

    def _is_asked(self) -> bool:
        document = self.execution_context.graphql_document
        operation = get_operation_ast(document, self.execution_context.operation_name) if document else None
        if document is None or operation is None:
            return False
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        return _FIELD in Asked([operation.selection_set], fragments).beneath("viewer")
