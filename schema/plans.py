"""What of a subscription's document tells which others are equal to it."""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from schema.documents import Document
from schema.visibility import depends_on_viewer


@dataclass(frozen=True, slots=True)
class Plan:
    document: DocumentNode
    is_per_viewer: bool
    """Whether the answers depend on who is asking."""
    cursor_variable: str | None
    """The variable that gives the cursor and nothing else: it makes no difference to the answers."""


def plan_of(schema: GraphQLSchema, document: Document, name: str | None) -> Plan:
    """The plan of an operation of a valid document, made once."""
    plan: Plan | None = document.plans.get(name)
    if plan is None:
        operation = document.operation(name)
        if document.node is None or operation is None:
            raise ValueError(f"the document has no valid operation {name!r}")
        plan = document.plans[name] = Plan(
            document.node,
            depends_on_viewer(schema, document.node, operation),
            _cursor_variable(document.node, operation),
        )
    return plan


def _cursor_variable(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    """The variable of the root field's argument `after`, if nothing else in the document uses it."""
    for field in operation.selection_set.selections:
        for argument in (field.arguments or ()) if isinstance(field, FieldNode) else ():
            if argument.name.value == "after" and isinstance(argument.value, VariableNode):
                name = argument.value.name.value
                return name if _Uses.of(document, name) == 1 else None
    return None


class _Uses(Visitor):
    """Counts where a variable is used."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._count = 0

    @classmethod
    def of(cls, document: DocumentNode, name: str) -> int:
        uses = cls(name)
        visit(document, uses)
        return uses._count

    def enter_variable_definition(self, *_: object) -> object:
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self._count += node.name.value == self._name
