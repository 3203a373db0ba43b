"""What a selection asks for, so that one statement can read all of it.

Directives are not looked at: a field that is skipped may be read for nothing, never the other way round.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
    value_from_ast_untyped,
)

from db.conversation_parts import Columns, ConversationParts
from db.messages import MessageParts, Pane
from db.paging import Cut
from resolvers import messages, participants
from resolvers.errors import RequestError
from resolvers.pages import PageArguments
from schema.context import Info
from schema.fields import LateInfo
from schema.recent import Recent


class Asked:
    """The fields of a selection by their names, those of fragments included.

    A fragment is looked into once, however often it is spread, and what is beneath a field only when it is wanted: a
    chain of fragments that are spread twice each would take 2ⁿ steps.
    """

    def __init__(
        self,
        selections: Iterable[SelectionSetNode | None],
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        self._fragments = fragments
        self._fields: dict[str, list[FieldNode]] = {}
        self._beneath: dict[str, Asked] = {}
        self._constants: dict[str, PageArguments | None] = {}
        self._conversation_parts: dict[tuple[PageArguments | None, ...], ConversationParts] = {}
        self._spread: set[str] = set()
        for selection in selections:
            self._collect(selection)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def has_any(self, *names: str) -> bool:
        return any(name in self for name in names)

    def beneath(self, name: str) -> "Asked":
        """What is asked for beneath the fields of this name."""
        found = self._beneath.get(name)
        if found is None:
            selections = (node.selection_set for node in self._fields.get(name, ()))
            found = self._beneath[name] = Asked(selections, self._fragments)
        return found

    @cached_property
    def nodes(self) -> "Asked":
        """What is asked for of the nodes of this connection, by either way to them."""
        return self.beneath("nodes") | self.beneath("edges").beneath("node")

    @cached_property
    def participant_columns(self) -> Columns:
        """What this connection of participants asks for of them beside who they are; a cursor says when they joined."""
        has_cursors = not self._fields.keys() <= {"nodes", "totalCount", "__typename"}
        wanted = self.nodes
        return tuple(
            column
            for name, column in _OF_PARTICIPANTS.items()
            if name in wanted or (has_cursors and name == "joinedAt")
        )

    @cached_property
    def message_parts(self) -> MessageParts:
        """What is to be read of this message."""
        return MessageParts(
            sender="sender" in self,
            status="status" in self,
            reply_to=self.beneath("replyTo").message_parts if "replyTo" in self else None,
            reactions="reactions" in self,
            reactors="users" in self.beneath("reactions"),
            mentions="mentions" in self,
            reply_count="replyCount" in self,
            leaders=self.has_any("viewerCanDelete", "edits"),
            attachments="attachments" in self,
            notice="notice" in self,
        )

    def arguments(self, name: str, variables: Mapping[str, Any]) -> PageArguments | None:
        """Those of the field of this name, a connection, as given; None where it is not asked for once."""
        if name in self._constants:
            return self._constants[name]
        nodes = self._fields.get(name, [])
        if len({node.alias.value if node.alias else name for node in nodes}) != 1:
            self._constants[name] = None
            return None
        given = nodes[0].arguments or ()
        values = {each.name.value: value_from_ast_untyped(each.value, dict(variables)) for each in given}
        found = PageArguments(**{_ARGUMENTS[key]: value for key, value in values.items() if value is not Undefined})
        if not any(isinstance(each.value, VariableNode) for each in given):
            self._constants[name] = found
        return found

    def conversation_parts(
        self, messages: PageArguments | None, participants: PageArguments | None, key: UUID | None
    ) -> ConversationParts:
        """What is to be read of this conversation, of whose lists there are these pages, and whose key may be known."""
        known = messages, participants
        found = self._conversation_parts.get(known)
        if found is None:
            found = ConversationParts(
                viewer_state="viewerState" in self,
                first_seq=self.has_any("messages", "messageCount"),
                others="displayTitle" in self,
                last_message=self.beneath("lastMessage").message_parts if "lastMessage" in self else None,
                messages=_message_page(self.beneath("messages"), messages, key),
                participants=_participant_page(self.beneath("participants"), participants),
            )
            if not any(each is not None and each.has_cursor for each in known):
                if len(self._conversation_parts) >= _SIZES:
                    self._conversation_parts.clear()
                self._conversation_parts[known] = found
        return found

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


_recent: Recent[tuple[int, ...], tuple[object, Asked]] = Recent(2048)
"""By the ids of the fields, which are kept with it so that their ids stay their own."""


def asked(info: Info) -> Asked:
    """What is asked for beneath the field that is being resolved."""
    if isinstance(info, LateInfo):
        field = info.known
        if field.selected is None:
            field.selected = Asked([node.selection_set for node in field.nodes], info.execution.fragment_definitions)
        selected: Asked = field.selected
        return selected
    raw = info._raw_info  # noqa: SLF001  (strawberry 0.341: its own selected_fields converts every argument too)
    fields = raw.field_nodes
    _, found = _recent.get(
        tuple(map(id, fields)), lambda: (fields, Asked((node.selection_set for node in fields), raw.fragments))
    )
    return found


def conversation_parts(info: Info, conversation: Asked | None = None, key: UUID | None = None) -> ConversationParts:
    """What is to be read of a conversation: of the field's own without `conversation`.

    `key` where it is known which it is: a cursor is of one conversation.
    """
    variables = info.variable_values
    conversation = conversation or asked(info)
    pages = conversation.arguments("messages", variables), conversation.arguments("participants", variables)
    return conversation.conversation_parts(*pages, key)


def message_page(connection: Asked, arguments: PageArguments, key: UUID) -> tuple[Pane, MessageParts | None]:
    """What this connection of messages asks for, of the conversation with this key; no parts where it is no message.

    Raises BadUserInputError or BadCursorError.
    """
    holds_messages = connection.has_any("nodes", "edges", "pageInfo")
    return messages.pane(key, arguments), connection.nodes.message_parts if holds_messages else None


def participant_page(connection: Asked, arguments: PageArguments, key: UUID) -> tuple[Cut, Columns]:
    """The same for a connection of participants, and what of them is asked for beside who they are."""
    cut = participants.cut(key, arguments, counted="totalCount" in connection)
    return cut, connection.participant_columns


def _message_page(
    connection: Asked, arguments: PageArguments | None, key: UUID | None
) -> tuple[Pane, MessageParts] | None:
    """What can be read along; None where nothing is wanted, or more than one page, or it cannot be known which."""
    if arguments is None or (key is None and arguments.has_cursor):
        return None
    try:
        pane, parts = message_page(connection, arguments, key or ANY)
    except RequestError:  # which the field itself raises when it is resolved
        return None
    return (pane, parts) if parts is not None else None


def _participant_page(connection: Asked, arguments: PageArguments | None) -> tuple[Cut, Columns] | None:
    """The same for participants, who are read along from the start only."""
    if arguments is None or arguments.has_cursor:
        return None
    try:
        return participant_page(connection, arguments, ANY)
    except RequestError:
        return None


ANY = UUID(int=0)
"""Where there is no cursor, it does not matter which conversation it is."""

_OF_PARTICIPANTS = {
    "role": "role",
    "joinedAt": "joined_at",
    "lastReadSeq": "last_read_seq",
    "lastReadAt": "last_read_at",
    "lastDeliveredSeq": "last_delivered_seq",
}
"""Fields of participants that are columns of theirs."""

_SIZES = 64
"""Of pages, with which a selection is remembered."""

_ARGUMENTS = {name: name for name in ("first", "after", "last", "before")} | {"aroundSeq": "around_seq"}
"""A connection's arguments, and what they are called in PageArguments."""
