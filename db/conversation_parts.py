"""What is asked for of a conversation: read along with it, remembered, or neither."""

from dataclasses import dataclass, replace
from functools import cached_property

from db.messages import MessageParts, Pane, needs_watermarks
from db.paging import Cut
from db.rows import NAMES_SHOWN

Columns = tuple[str, ...]
"""Of a table, by their names."""


@dataclass(frozen=True)
class ConversationParts:
    """What is read along with a conversation, in the same statement."""

    viewer_state: bool = False
    first_seq: bool = False
    """Where it begins for the viewer, without which its messages cannot be counted."""
    others: bool = False
    last_message: MessageParts | None = None
    messages: tuple[Pane, MessageParts] | None = None
    participants: tuple[Cut, Columns] | None = None
    """From the start: without positions. And what is wanted of them beside who they are."""

    @cached_property
    def needs_watermarks(self) -> bool:
        return needs_watermarks(self.last_message) or (self.messages is not None and needs_watermarks(self.messages[1]))

    @cached_property
    def needs_people(self) -> bool:
        return self.participants is not None or self.others

    @cached_property
    def needs_membership(self) -> bool:
        return self.viewer_state or self.first_seq or self.messages is not None

    @cached_property
    def columns_of_people(self) -> Columns:
        """What is read of the first participants beside their keys."""
        return self.participants[1] if self.participants else ()

    @cached_property
    def recalls_messages(self) -> bool:
        """Whether the page of messages may be one that is remembered; the same for the others."""
        return self.messages is not None and self.messages[1].is_plain

    @cached_property
    def recalls_last_message(self) -> bool:
        return self.last_message is not None and self.last_message.is_plain

    @cached_property
    def recalls_participants(self) -> bool:
        return self.participants is not None and not (
            self.participants[1] or self.participants[0].counted or self.others
        )

    @cached_property
    def live(self) -> "ConversationParts":
        """What has to be read even where all that may be is remembered."""
        return replace(
            self,
            first_seq=self.first_seq or self.recalls_messages or self.recalls_last_message or self.recalls_participants,
            last_message=None if self.recalls_last_message else self.last_message,
            messages=None if self.recalls_messages else self.messages,
            participants=None if self.recalls_participants else self.participants,
        )

    @cached_property
    def needs_count(self) -> bool:
        return self.participants is not None and self.participants[0].counted

    @cached_property
    def shape(self) -> "ConversationParts":
        """What of it changes the statement: equal for all that share one."""
        return replace(
            self,
            last_message=self.last_message and self.last_message.joined,
            messages=self.messages and (self.messages[0].shape, self.messages[1].joined),
            participants=self.participants and (Cut(0, counted=self.participants[0].counted), self.participants[1]),
        )

    @cached_property
    def _hash(self) -> int:
        return hash(
            (self.viewer_state, self.first_seq, self.others, self.last_message, self.messages, self.participants)
        )

    def __hash__(self) -> int:
        """The same parts are looked for again and again."""
        return self._hash

    @cached_property
    def values(self) -> dict[str, object]:
        """For the parameters of a statement for its shape."""
        shown = self.participants[0].size if self.participants else 0
        values: dict[str, object] = {"people_limit": max(shown, NAMES_SHOWN) + 1}
        return values | (self.messages[0].values if self.messages else {})
