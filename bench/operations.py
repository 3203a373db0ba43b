"""What clients ask: the documents, who asks them of which conversation, and how each peer is spoken to."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bench.conversations import BODY, FOLLOW, post
from bench.dataset import Dataset
from bench.load import Subscription, Target
from bench.peers import SECRET
from bench.wire import STAMP
from db import keys
from db.keys import MessageKey
from resolvers import tokens

KEY = "window-00000000-00000000"
"""What stands in a prepared send where each gets a key of its own: of its window, and its number in it."""

_PAGE = """query Page($id: ID!) {
  conversation(id: $id) {
    id kind title
    messages(last: 50) {
      nodes { id seq body createdAt sender { id name } }
      pageInfo { hasPreviousPage startCursor }
    }
    participants(first: 20) { nodes { user { id name } role lastReadSeq } }
  }
}"""
_INBOX = """query Inbox {
  conversations(first: 20) {
    nodes {
      id title lastActivityAt
      viewerState { unreadCount }
      lastMessage { id seq body createdAt sender { id name } }
      participants(first: 20) { nodes { user { id name } } }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""
_SEND = """mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { message { id seq createdAt } deduplicated errors { __typename } }
}"""
_BODY = "Are the two lamps still there? I would take them on Friday, if nobody minds."


@dataclass(frozen=True, slots=True)
class Ask:
    """Who asks, and of which conversation, as numbers of the data set."""

    user: int
    conversation: int


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    document: str
    proofs: Sequence[str]
    """Lua patterns that a good answer has."""
    variables: Callable[[str, str], dict[str, object]]
    """Made of a conversation's id and a key."""

    @property
    def writes(self) -> bool:
        return self is SEND


PAGE = Operation("page", _PAGE, ['^{"data"%s*:%s*{"conversation"%s*:%s*{"id"'], lambda id_, _key: {"id": id_})
INBOX = Operation("inbox", _INBOX, ['^{"data"%s*:%s*{"conversations"%s*:%s*{"nodes"'], lambda _id, _key: {})
SEND = Operation(
    "send",
    _SEND,
    ['"deduplicated"%s*:%s*false', '"errors"%s*:%s*%[%]'],
    lambda id_, key: {"input": {"to": {"conversationId": id_}, "body": _BODY, "clientMessageId": key}},
)
OPERATIONS = {operation.name: operation for operation in (PAGE, INBOX, SEND)}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a peer is spoken to: its paths, its tokens, its ids."""

    path: Callable[[Operation], str]
    token: Callable[[Dataset, int], str]
    conversation_id: Callable[[UUID], str]
    read_id: Callable[[str], str]
    """An id of it as every other peer would spell it."""

    def request(self, dataset: Dataset, operation: Operation, ask: Ask, key: str = KEY) -> str:
        """A whole HTTP request."""
        id_ = self.conversation_id(dataset.conversation(ask.conversation))
        body = json.dumps({"query": operation.document, "variables": operation.variables(id_, key)})
        return post(self.path(operation), body, self.token(dataset, ask.user))

    def subscription(self, dataset: Dataset, ask: Ask) -> Subscription:
        """One of who asks to the events of the conversation."""
        id_ = self.conversation_id(dataset.conversation(ask.conversation))
        return Subscription(id_, self.token(dataset, ask.user), {"query": FOLLOW, "variables": {"id": id_}})

    def target(self, dataset: Dataset, ask: Ask) -> Target:
        """Sends of who asks to the conversation."""
        id_ = self.conversation_id(dataset.conversation(ask.conversation))
        content = {"to": {"conversationId": id_}, "body": BODY, "clientMessageId": STAMP}
        body = json.dumps({"query": SEND.document, "variables": {"input": content}})
        return Target(id_, post("/graphql", body, self.token(dataset, ask.user)))


def window(number: int) -> str:
    """What the keys of a window's sends begin with."""
    return f"window-{number:08d}-"


def asks(dataset: Dataset, count: int, seed: int) -> list[Ask]:
    """Random members of random conversations."""
    chance = random.Random(seed)
    chosen = [chance.randrange(dataset.conversations) for _ in range(count)]
    return [Ask(chance.choice(dataset.members[number]), number) for number in chosen]


def _token(_dataset: Dataset, user: int) -> str:
    return tokens.mint(SECRET, f"person{user}", name=f"Person {user}", lifetime=timedelta(hours=12))


def _read_parley_id(text: str) -> str:
    _, key = keys.parse_id(text)
    return f"{key.conversation}:{key.seq}" if isinstance(key, MessageKey) else str(key)


PARLEY = Dialect(lambda _operation: "/graphql", _token, keys.conversation_id, _read_parley_id)
PLAIN = Dialect(lambda _operation: "/graphql", _token, str, str)
FLOOR = Dialect(lambda operation: f"/{operation.name}", lambda dataset, user: str(dataset.user(user)), str, str)


def canonical(answer: Any, dialect: Dialect) -> Any:  # noqa: ANN401  (JSON)
    """The data of an answer as it is the same for all peers: ids as keys, times as moments, cursors only there or not."""
    if isinstance(answer, list):
        return [canonical(each, dialect) for each in answer]
    if isinstance(answer, dict):
        return {name: _canonical(name, value, dialect) for name, value in answer.items()}
    return answer


def _canonical(name: str, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401
    if name == "id":
        return dialect.read_id(value)
    if name.endswith("Cursor"):
        return value is not None
    if name.endswith("At"):
        return datetime.fromisoformat(value)
    return canonical(value, dialect)
