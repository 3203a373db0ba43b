"""What a selection asks for, so that one statement can read all of it.

Directives are not looked at: a field that is skipped may be read for nothing, never the other way round.
"""

from collections.abc import Iterable, Mapping

from graphql import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from db.conversations import ConversationParts
from db.messages import MessageParts
from schema.context import Info


class Asked:
    """The fields of a selection by their names, those of fragments included.

    A fragment is looked into once, however often it is spread, and what is beneath a field only when it is wanted: a
    chain of fragments that are spread twice each would take 2ⁿ steps.
    """

    def __init__(
        self, selections: Iterable[SelectionSetNode | None], fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self._fragments = fragments
        self._fields: dict[str, list[FieldNode]] = {}
        self._spread: set[str] = set()
        for selection in selections:
            self._collect(selection)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def has_any(self, *names: str) -> bool:
        return any(name in self for name in names)

    def beneath(self, name: str) -> "Asked":
        """What is asked for beneath the fields of this name."""
        return Asked((node.selection_set for node in self._fields.get(name, ())), self._fragments)

    def __or__(self, other: "Asked") -> "Asked":
        """What is asked for here or there."""
        both = Asked((), self._fragments)
        for fields in (self._fields, other._fields):
            for name, nodes in fields.items():
                both._fields.setdefault(name, []).extend(nodes)
        return both

    def _collect(self, selection: SelectionSetNode | None) -> None:
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                self._fields.setdefault(node.name.value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                self._collect(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in self._spread:
                self._spread.add(node.name.value)
                self._collect(self._fragments[node.name.value].selection_set)


def asked(info: Info) -> Asked:
    """What is asked for beneath the field that is being resolved."""
    raw = info._raw_info  # noqa: SLF001  (strawberry 0.341: its own selected_fields converts every argument too)
    return Asked((node.selection_set for node in raw.field_nodes), raw.fragments)


def nodes(connection: Asked) -> Asked:
    """What is asked for of a connection's nodes, by either way to them."""
    return connection.beneath("nodes") | connection.beneath("edges").beneath("node")


def message_parts(message: Asked) -> MessageParts:
    return MessageParts(
        sender="sender" in message,
        status="status" in message,
        reply_to=message_parts(message.beneath("replyTo")) if "replyTo" in message else None,
    )


def conversation_parts(conversation: Asked) -> ConversationParts:
    return ConversationParts(
        viewer_state="viewerState" in conversation,
        others="displayTitle" in conversation,
        last_message=message_parts(conversation.beneath("lastMessage")) if "lastMessage" in conversation else None,
    )
