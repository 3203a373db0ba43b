"""Starting a conversation: its row, its members, its first event and its first message, or nothing of it."""

import hashlib
from dataclasses import dataclass, replace
from uuid import UUID

from db import starts, users
from db.appends import Appended
from db.keys import MessageKey, is_sensitive, new_key, new_sensitive_key
from db.pool import Connection, RacedError
from db.starts import Context, NewConversation, Pair, Start
from resolvers import attachments, blocking, contents, contexts, directs, restrictions, sending
from resolvers.blank import is_blank
from resolvers.contents import Content
from resolvers.errors import (
    ConversationExists,
    IdempotencyConflict,
    Invalid,
    NotFound,
    RefusedError,
    UserError,
)
from resolvers.identity import Caller
from resolvers.sending import Terms
from resolvers.service import Service

LONGEST_TITLE = 200  # characters

_FIRST = ("input", "firstMessage")


@dataclass(frozen=True, slots=True)
class StartRequest:
    participants: tuple[UUID, ...]
    """Without the viewer. One and no title: a direct conversation."""
    title: str | None = None
    context: Context | None = None
    first_message: Content | None = None
    reject_existing: bool = False
    is_sensitive: bool = False

    @property
    def is_direct(self) -> bool:
        return len(self.participants) == 1 and self.title is None

    @property
    def key(self) -> str | None:
        """Names the whole transaction: the same request with the same key is answered once."""
        return self.first_message.client_message_id if self.first_message else None

    def fingerprint(self, conversation: UUID) -> str:
        """Of all of it; but a digest of a text gives a short text away, so for a sensitive conversation without that."""
        first = self.first_message
        if first and is_sensitive(conversation):
            first = first._replace(body="")
        whole = replace(self, participants=tuple(sorted(self.participants)), first_message=first)
        return hashlib.sha256(repr(whole).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Started:
    conversation: UUID
    message: MessageKey | None
    was_created: bool


async def start(service: Service, caller: Caller, request: StartRequest) -> Started:
    """Raises RefusedError, and then nothing was changed."""
    request = replace(request, participants=tuple(dict.fromkeys(request.participants)))
    wrong = _errors(request, caller, service)
    if request.is_sensitive and service.database.keyring.first is None:
        wrong.append(Invalid("this server has no keys to encrypt by", ("input", "isSensitive")))
    if wrong:
        raise RefusedError(*wrong)
    if request.first_message and request.first_message.attachments:
        await attachments.settle(service, caller.user, request.first_message.attachments, _FIRST)
    terms = Terms()
    if request.first_message:
        terms = Terms(warning=await service.checks.examine(request.first_message, caller.user, None, _FIRST))
    async with service.database.viewer(caller.user.key) as connection:
        known = await users.by_keys(connection, request.participants)
        missing = [
            NotFound("there is no such user", ("input", "participantIds", str(index)))
            for index, key in enumerate(request.participants)
            if key not in known
        ]
        if missing:
            raise RefusedError(*missing)
        is_new = service.contexts is not None and await _is_new(connection, caller, request)
    context = request.context
    if service.contexts and context and is_new:
        people = [known[key] for key in request.participants]
        context = await service.contexts.examine(context, caller.user, people)
    async with service.database.viewer(caller.user.key) as connection:
        try:
            started, revision = await _try_start(connection, caller, request, context, terms)
        except RacedError:  # by the same key; what it made can be seen now
            started, revision = await _try_start(connection, caller, request, context, terms)
    if revision:
        service.wakeups.tell(started.conversation, revision, has_joined=started.was_created)
    return started


async def _is_new(connection: Connection, caller: Caller, request: StartRequest) -> bool:
    """Whether something is to be started that was not before."""
    if request.key and await starts.find_start(connection, caller.user.key, request.key):
        return False
    if not request.is_direct:
        return True
    pair = Pair.of(caller.user.key, request.participants[0], request.context)
    return await starts.find_pair(connection, pair) is None


async def _try_start(
    connection: Connection, caller: Caller, request: StartRequest, context: Context | None, terms: Terms
) -> tuple[Started, int]:
    """The answer, and the revision up to which there is something to tell of; 0: nothing."""
    async with connection.transaction():
        before = await starts.find_start(connection, caller.user.key, request.key) if request.key else None
        if before is not None:
            return await _repeated(connection, before, request), 0
        conversation, was_created = await _find_or_create(connection, caller, request, context)
        revision, seq = int(was_created), None
        if request.first_message:
            first = request.first_message
            appended = await sending.append(connection, caller.user, conversation, first, _FIRST, terms)
            seq = appended.seq
            revision = appended.revision if isinstance(appended, Appended) else revision
        if request.key and seq:
            done = Start(request.fingerprint(conversation), conversation, seq, was_created)
            await starts.remember(connection, caller.user.key, request.key, done)
    return Started(conversation, MessageKey(conversation, seq) if seq else None, was_created), revision


async def _find_or_create(
    connection: Connection, caller: Caller, request: StartRequest, context: Context | None
) -> tuple[UUID, bool]:
    if request.is_direct:
        (other,) = request.participants
        viewer, path, sensitive = caller.user.key, ("input", "participantIds", "0"), request.is_sensitive
        key, was_created = await directs.find_or_create(connection, viewer, other, path, context, sensitive=sensitive)
        if sensitive and not is_sensitive(key):
            message = "you two have a direct conversation already, and it is not sensitive"
            raise RefusedError(ConversationExists(message, ("input", "isSensitive"), key))
        if request.reject_existing and not was_created:
            message = "you two have a direct conversation already"
            raise RefusedError(ConversationExists(message, ("input", "participantIds"), key))
        return key, was_created
    await restrictions.refuse_viewer(connection, caller.user.key, ("input",))
    places = {other: ("input", "participantIds", str(place)) for place, other in enumerate(request.participants)}
    await blocking.refuse(connection, places)
    key = new_sensitive_key() if request.is_sensitive else new_key()
    new = NewConversation(key, caller.user.key, request.participants, "GROUP", request.title, context)
    await starts.create(connection, new)
    return key, True


async def _repeated(connection: Connection, before: Start, request: StartRequest) -> Started:
    message, first = MessageKey(before.conversation, before.seq), request.first_message
    is_same = before.fingerprint == request.fingerprint(before.conversation)
    if is_same and first and is_sensitive(before.conversation):
        is_same = await sending.says(connection, message, first)
    if not is_same:
        text = f"clientMessageId {request.key!r} was used before, to start something else"
        raise RefusedError(IdempotencyConflict(text, (*_FIRST, "clientMessageId"), message))
    return Started(before.conversation, message, before.was_created)


def is_title(text: str) -> bool:
    """Whether a conversation may be called so."""
    return len(text) <= LONGEST_TITLE and not is_blank(text)


def _errors(request: StartRequest, caller: Caller, service: Service) -> list[UserError]:
    found = _participant_errors(request, caller, service.policy.max_participants)
    if request.title is not None and not is_title(request.title):
        found.append(Invalid(f"a title has from 1 to {LONGEST_TITLE} characters and is not blank", ("input", "title")))
    if request.context:
        found += contexts.errors(request.context)
    if request.first_message:
        found += contents.errors(request.first_message, caller.roles, service.policy.max_body_length, _FIRST)
    return found


def _participant_errors(request: StartRequest, caller: Caller, most: int) -> list[UserError]:
    path = ("input", "participantIds")
    if caller.user.key in request.participants:
        return [Invalid("leave yourself out: you are a participant already", path)]
    if not 1 <= len(request.participants) < most:
        return [Invalid(f"give from 1 to {most - 1} participants, not {len(request.participants)}", path)]
    return []
