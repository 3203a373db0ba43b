"""Whether what is asked for depends on who is asking, by the schema: then no two viewers can share an answer."""

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)
from strawberry.types.field import StrawberryField

PER_VIEWER: Final[Mapping[Any, Any]] = {"is_per_viewer": True}
"""The metadata of a field that depends on the viewer although its name does not begin with `viewer`."""


def per_viewer_with(*names: str) -> Mapping[Any, Any]:
    """The metadata of a field that depends on the viewer where any of these is asked for beneath it."""
    return {"per_viewer_with": frozenset(names)}


def depends_on_viewer(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> bool:
    """Whether anything that the (valid) operation asks for of its root fields depends on who is asking.

    The root fields themselves may: `viewerEvents` is one viewer's choice of events that are the same for all.
    """
    root = schema.get_root_type(operation.operation)
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    return root is not None and _Walk(schema, fragments, root).depends(root, operation.selection_set)


def is_per_viewer_with(field: GraphQLField) -> frozenset[str]:
    """The fields with which, beneath it, this one depends on the viewer."""
    found: frozenset[str] = _marks(field).get("per_viewer_with", frozenset())
    return found


def is_per_viewer(name: str, field: GraphQLField) -> bool:
    """Whether the field itself depends on the viewer: by its name, as the schema promises, or by its metadata."""
    return name.startswith("viewer") or bool(_marks(field).get("is_per_viewer"))


def _marks(field: GraphQLField) -> Mapping[Any, Any]:
    definition = field.extensions.get("strawberry-definition")
    return definition.metadata if isinstance(definition, StrawberryField) else {}


class _Walk:
    """Through a selection; each fragment is looked into once."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], root: GraphQLNamedType
    ) -> None:
        self._schema = schema
        self._root = root
        self._fragments = fragments
        self._seen: set[str] = set()

    def depends(self, parent: GraphQLNamedType, selections: SelectionSetNode | None) -> bool:
        return any(self._depends(parent, node) for node in (selections.selections if selections else ()))

    def _depends(self, parent: GraphQLNamedType, node: Any) -> bool:  # noqa: ANN401  (a field, or a fragment inline or spread)
        if isinstance(node, FieldNode):
            return self._field_depends(parent, node)
        if isinstance(node, InlineFragmentNode):
            return self.depends(self._type(node, parent), node.selection_set)
        if not isinstance(node, FragmentSpreadNode) or node.name.value in self._seen:
            return False
        self._seen.add(node.name.value)
        fragment = self._fragments[node.name.value]
        return self.depends(self._type(fragment, parent), fragment.selection_set)

    def _field_depends(self, parent: GraphQLNamedType, node: FieldNode) -> bool:
        name = node.name.value
        fields = [field for type_ in self._possible(parent) if (field := self._schema.get_field(type_, name))]
        return any(
            (parent is not self._root and is_per_viewer(name, field))
            or self._holds_any(is_per_viewer_with(field), node.selection_set)
            or self.depends(get_named_type(field.type), node.selection_set)
            for field in fields
        )

    def _holds_any(self, names: frozenset[str], selections: SelectionSetNode | None) -> bool:
        """Whether any of these is selected, by whatever fragments."""
        rest, seen = [selections] if names else [], set[str]()
        while rest:
            selection = rest.pop()
            for node in selection.selections if selection else ():
                if isinstance(node, FieldNode):
                    if node.name.value in names:
                        return True
                elif isinstance(node, InlineFragmentNode):
                    rest.append(node.selection_set)
                elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                    seen.add(node.name.value)
                    rest.append(self._fragments[node.name.value].selection_set)
        return False

    def _possible(self, parent: GraphQLNamedType) -> list[Any]:
        """The type, and where it is abstract every type that it may turn out to be."""
        return [parent, *(self._schema.get_possible_types(parent) if is_abstract_type(parent) else ())]

    def _type(self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLNamedType) -> GraphQLNamedType:
        condition = node.type_condition
        found = self._schema.get_type(condition.name.value) if condition else None
        return found or parent
