"""Documents, parsed and validated once: the same text is the same document."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document  # 0.341: it adds strawberry's own rules

from schema.asked import Asked
from schema.recent import Recent

_KEPT = 512
_EVENT_CURSOR = "eventCursor"


class Document:
    """What a text turned out to be."""

    def __init__(self, text: str, node: DocumentNode | None, errors: list[GraphQLError]) -> None:
        self.text = text
        self.node = node
        """None where the text does not parse."""
        self.errors = errors
        self._operations: dict[str | None, OperationDefinitionNode] = {}
        self.plans: dict[str | None, Any] = {}
        """What the fan-out has found out about its operations, by their names."""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of this name, or the only one; None where there is none, or the document is not valid."""
        return None if self.errors else self.named(name)

    def named(self, name: str | None) -> OperationDefinitionNode | None:
        """The same, valid or not."""
        if name not in self._operations:
            found = get_operation_ast(self.node, name) if self.node else None
            if found is None:  # not remembered: there are as many such names as somebody cares to send
                return None
            self._operations[name] = found
        return self._operations[name]

    @property
    def holds_operations(self) -> bool:
        definitions = self.node.definitions if self.node else ()
        return any(isinstance(each, OperationDefinitionNode) for each in definitions)

    @property
    def parsed(self) -> DocumentNode:
        """What it turned out to be, where it does parse."""
        if self.node is None:
            raise ValueError("the document does not parse")
        return self.node

    def asks_event_cursor(self, name: str | None) -> bool:
        """Whether an operation asks for `viewer { eventCursor }`."""
        if _EVENT_CURSOR not in self.text:
            return False
        operation = self.operation(name)
        if self.node is None or operation is None:
            return False
        return _EVENT_CURSOR in Asked([operation.selection_set], fragments_of(self.node)).beneath("viewer")


class Documents:
    """The last documents of a schema, by their texts."""

    def __init__(self, schema: GraphQLSchema, *, max_tokens: int, rules: list[type[ASTValidationRule]]) -> None:
        self._schema = schema
        self._max_tokens = max_tokens
        self._rules = (*specified_rules, *rules)
        self._documents: Recent[str, Document] = Recent(_KEPT)

    def get(self, text: str) -> Document:
        return self._documents.get(text, lambda: self._make(text))

    def _make(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=self._max_tokens)
        except GraphQLError as error:
            return Document(text, None, [error])
        return Document(text, node, validate_document(self._schema, node, self._rules))


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


class Prepared(SchemaExtension):
    """Lets strawberry take documents from there. One that does not parse it parses again, to say so in its own way."""

    def __init__(self, documents: Documents) -> None:
        super().__init__()
        self._documents = documents

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        context.graphql_document = self._documents.get(context.query or "").node
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        context.pre_execution_errors = list(self._documents.get(context.query or "").errors)
        yield
