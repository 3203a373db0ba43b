"""What depends on who is asking is known from the schema; what does not can be resolved in nobody's name."""

from functools import cache

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    parse,
)

from schema import schema
from schema.visibility import depends_on_viewer, is_per_viewer


@cache
def raw() -> GraphQLSchema:
    # Not at the module's import: strawberry's schemas change how introspection answers, for all schemas of the process.
    return schema.build()._schema


EVENT = "conversationEvents(conversationId: $id)"


def depends(query: str) -> bool:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return depends_on_viewer(raw(), document, operation)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("__typename cursor at actor { name }", False),
        ("conversation { id title lastMessage { body status } }", False),
        ("... on MessageSent { message { body sender { name } replyTo { body } } edge { cursor node { id } } }", False),
        ("... on ReceiptChanged { participant { lastReadSeq user { name } } }", False),
        ("conversation { viewerState { unreadCount } }", True),
        ("conversation { displayTitle }", True),
        ("conversation { messageCount }", True),
        ("conversation { messages { totalCount } }", True),
        ("conversation { pinnedMessages { id } }", True),
        ("conversation { lastMessage { replyTo { body } } }", True),
        ("conversation { lastMessage { ...F ...F } } } } fragment F on Message { ... { replyTo { id }", True),
        ("... on ViewerStateChanged { state { isArchived unreadCount } }", False),
        ("... on MessageSent { message { conversation { lastMessage { conversation { displayTitle } } } } }", True),
        ("... on ConversationEvent { ... { conversation { ... on Node { ... on Conversation { displayTitle } } } } }", True),
        ("...F } } fragment F on MessageSent { ...G } fragment G on MessageSent { conversation { displayTitle", True),
        ("...F } } fragment F on MessageSent { ...G } fragment G on MessageSent { conversation { title", False),
    ],
)  # fmt: skip
def test_a_selection_depends_on_the_viewer_by_its_fields(selection: str, expected: bool) -> None:
    """Wherever they stand: nested, behind interfaces, in fragments."""
    assert depends(f"subscription ($id: ID!) {{ {EVENT} {{ {selection} }} }}") is expected


def test_the_choice_of_events_is_no_part_of_the_answer() -> None:
    """`viewerEvents` is named after the viewer, but what it tells is the same for all who hear it."""
    assert not depends("subscription { viewerEvents { cursor conversation { id } } }")


def test_fragments_are_looked_into_once() -> None:
    """A chain of fragments that are spread twice each is no 2ⁿ steps."""
    chain = " ".join(f"fragment F{n} on Conversation {{ ...F{n + 1} ...F{n + 1} }}" for n in range(200))
    query = f"subscription ($id: ID!) {{ {EVENT} {{ conversation {{ ...F0 }} }} }} {chain} fragment F200 on Conversation {{ id }}"
    assert not depends(query)


def per_viewer() -> set[str]:
    """Every field that depends on the viewer, wherever an event can lead."""
    found, seen, rest = set(), set(), [raw().get_type("ConversationEvent"), *raw().get_possible_types(interface())]
    while rest:
        type_ = rest.pop()
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) or type_.name in seen:
            continue
        seen.add(type_.name)
        for name, field in type_.fields.items():
            if is_per_viewer(name, field):
                found.add(f"{type_.name}.{name}")
            rest.append(get_named_type(field.type))
    return found


def interface() -> GraphQLInterfaceType:
    found = raw().get_type("ConversationEvent")
    assert isinstance(found, GraphQLInterfaceType)
    return found


def test_what_depends_on_the_viewer() -> None:
    """The whole list, so that a change of it is seen."""
    assert per_viewer() == {
        "Conversation.viewerState",
        "Conversation.displayTitle",
        "Message.edits",
        "Message.viewerCanEdit",
        "Message.viewerCanDelete",
        "Message.viewerHasHidden",
        "Conversation.messages",
        "Conversation.messageCount",
        "Conversation.pinnedMessages",
        "Conversation.events",
        "ReactionGroup.viewerHasReacted",
        "User.presence",
        "User.viewerHasBlocked",
    }
