"""The schema is the contract: complete, described, and the one that is committed."""

from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema, build_schema, get_introspection_query, graphql_sync

from schema import schema

COMMITTED = Path(schema.__file__).with_name("schema.graphql")

# What clients were promised: names, nullability, defaults. The schema may have more of everything, and nothing less.
CONTRACT = """
scalar DateTime

interface Node { id: ID! }

type Query {
  viewer: Viewer!
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  conversation(id: ID!): Conversation
  conversations(first: Int, after: String, last: Int, before: String, filter: ConversationFilter): ConversationConnection!
  users(query: String, first: Int, after: String): UserConnection!
  reports(status: ReportStatus, first: Int, after: String): ReportConnection!
  auditTrail(first: Int, after: String): AuditEntryConnection!
  rateLimit: RateLimit!
  searchMessages(query: String!, filter: MessageSearchFilter, first: Int, after: String): MessageSearchConnection!
  statistics(since: DateTime!, until: DateTime, bucket: StatisticsBucket): Statistics!
}

input UpdateProfileInput { name: String avatarUrl: String sharesPresence: Boolean }
type UpdateProfilePayload { user: User errors: [UpdateProfileError!]! }
union UpdateProfileError = ValidationError

type Statistics { buckets: [StatisticsEntry!]! totals: StatisticsTotals! }
type StatisticsEntry { start: DateTime! messages: Int! activeUsers: Int! conversationsStarted: Int! }
type StatisticsTotals { messages: Int! activeUsers: Int! conversationsStarted: Int! }
enum StatisticsBucket { HOUR DAY }

type RateLimit { limit: Int remaining: Int resetAt: DateTime! mutations: [MutationRateLimit!]! }
type MutationRateLimit { kind: String! limit: Int remaining: Int resetAt: DateTime! }

type Viewer {
  user: User! unreadCount: Int! unreadConversationCount: Int! eventCursor: String!
  blockedUsers(first: Int, after: String): UserConnection!
}

input MessageSearchFilter { conversationId: ID senderId: ID since: DateTime until: DateTime hasAttachment: Boolean }
type MessageSearchConnection { edges: [MessageSearchEdge!]! nodes: [Message!]! pageInfo: PageInfo! }
type MessageSearchEdge { cursor: String! node: Message! snippet: String! rank: Float! }


input ConversationFilter {
  kind: ConversationKind
  unreadOnly: Boolean
  archived: Boolean
  withUserId: ID
  context: ContextInput
  query: String
}

type User implements Node { id: ID! handle: String! name: String! avatarUrl: String viewerHasBlocked: Boolean! presence: Presence! }

enum ConversationKind { DIRECT GROUP }

type Conversation implements Node {
  id: ID!
  kind: ConversationKind!
  title: String
  displayTitle: String!
  context: ConversationContext
  createdAt: DateTime!
  lastActivityAt: DateTime!
  participants(first: Int, after: String): ParticipantConnection!
  messages(first: Int, after: String, last: Int, before: String, aroundSeq: Int): MessageConnection!
  lastMessage: Message
  messageCount: Int!
  pinnedMessages: [Message!]!
  events(after: String!, first: Int): ConversationEventConnection!
  eventCursor: String!
  viewerState: ViewerState!
}

type ConversationContext { type: String! id: String! title: String url: String }
input ContextInput { type: String! id: String! title: String url: String }

type ViewerState {
  role: ParticipantRole!
  unreadCount: Int!
  lastReadSeq: Int!
  lastDeliveredSeq: Int!
  isArchived: Boolean!
  isPinned: Boolean!
  mutedUntil: DateTime
  canSend: Boolean!
}

enum ParticipantRole { OWNER ADMIN MEMBER }

type Participant {
  user: User!
  role: ParticipantRole!
  joinedAt: DateTime!
  lastReadSeq: Int!
  lastReadAt: DateTime
  lastDeliveredSeq: Int!
}

enum MessageKind { TEXT SYSTEM NOTIFICATION }
enum MessageStatus { SENT DELIVERED READ }
enum BodyFormat { PLAIN MARKDOWN }

type Message implements Node {
  id: ID!
  conversation: Conversation!
  seq: Int!
  clientMessageId: String
  kind: MessageKind!
  sender: User
  body: String!
  createdAt: DateTime!
  editedAt: DateTime
  deletedAt: DateTime
  status: MessageStatus!
  replyTo: Message
  reactions: [ReactionGroup!]!
  bodyHtml: String!
  replyCount: Int!
  replies(first: Int, after: String): MessageConnection!
  readBy(first: Int, after: String): ParticipantConnection!
  mentions: [User!]!
  edits: [MessageEdit!]!
  viewerCanEdit: Boolean!
  viewerCanDelete: Boolean!
}

type ReactionGroup { emoji: String! count: Int! viewerHasReacted: Boolean! users(first: Int): [User!]! }

type Presence { status: PresenceStatus! lastSeenAt: DateTime }
enum PresenceStatus { ONLINE OFFLINE }
type PresenceChanged { user: User! presence: Presence! }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type ConversationEdge { cursor: String! node: Conversation! }
type ConversationConnection { edges: [ConversationEdge!]! nodes: [Conversation!]! pageInfo: PageInfo! totalCount: Int! }
type ScheduledMessageConnection { edges: [ScheduledMessageEdge!]! nodes: [ScheduledMessage!]! pageInfo: PageInfo! }
type ScheduledMessageEdge { cursor: String! node: ScheduledMessage! }
type UserEdge { cursor: String! node: User! }
type UserConnection { edges: [UserEdge!]! nodes: [User!]! pageInfo: PageInfo! }
type MessageEdge { cursor: String! node: Message! }
type MessageConnection { edges: [MessageEdge!]! nodes: [Message!]! pageInfo: PageInfo! totalCount: Int! }
type ParticipantEdge { cursor: String! node: Participant! }
type ParticipantConnection { edges: [ParticipantEdge!]! nodes: [Participant!]! pageInfo: PageInfo! totalCount: Int! }

interface UserError { code: UserErrorCode! message: String! path: [String!]! }

enum UserErrorCode {
  NOT_FOUND PERMISSION_DENIED VALIDATION_ERROR CONVERSATION_EXISTS CONTEXT_UNAVAILABLE
  IDEMPOTENCY_CONFLICT EDIT_CONFLICT BLOCKED CONTENT_REJECTED RATE_LIMITED
}

type NotFoundError implements UserError { code: UserErrorCode! message: String! path: [String!]! }
type PermissionDeniedError implements UserError { code: UserErrorCode! message: String! path: [String!]! }
type ValidationError implements UserError { code: UserErrorCode! message: String! path: [String!]! }
type ConversationExistsError implements UserError {
  code: UserErrorCode! message: String! path: [String!]! conversation: Conversation!
}
type IdempotencyConflictError implements UserError {
  code: UserErrorCode! message: String! path: [String!]! original: Message!
}

union StartConversationError =
  NotFoundError | PermissionDeniedError | ValidationError | ConversationExistsError | IdempotencyConflictError
union SendMessageError = NotFoundError | PermissionDeniedError | ValidationError | IdempotencyConflictError
union MarkReadError = NotFoundError | ValidationError
union MarkDeliveredError = NotFoundError | ValidationError

type Mutation {
  startConversation(input: StartConversationInput!): StartConversationPayload!
  sendMessage(input: SendMessageInput!): SendMessagePayload!
  markRead(input: MarkReadInput!): MarkReadPayload!
  markAllRead: MarkAllReadPayload!
  markDelivered(input: MarkDeliveredInput!): MarkDeliveredPayload!
  editMessage(input: EditMessageInput!): EditMessagePayload!
  deleteMessage(input: DeleteMessageInput!): DeleteMessagePayload!
  setTyping(input: SetTypingInput!): SetTypingPayload!
  updateConversation(input: UpdateConversationInput!): UpdateConversationPayload!
  updateViewerState(input: UpdateViewerStateInput!): UpdateViewerStatePayload!
  pinMessage(input: PinMessageInput!): PinMessagePayload!
  unpinMessage(input: PinMessageInput!): PinMessagePayload!
  addParticipants(input: AddParticipantsInput!): ParticipantsPayload!
  removeParticipant(input: RemoveParticipantInput!): ParticipantsPayload!
  setParticipantRole(input: SetParticipantRoleInput!): ParticipantsPayload!
  addReaction(input: ReactionInput!): ReactionPayload!
  removeReaction(input: ReactionInput!): ReactionPayload!
  scheduleMessage(input: ScheduleMessageInput!): ScheduleMessagePayload!
  rescheduleMessage(input: RescheduleMessageInput!): ScheduleMessagePayload!
  cancelScheduledMessage(input: CancelScheduledMessageInput!): ScheduleMessagePayload!
  createUpload(input: CreateUploadInput!): CreateUploadPayload!
  updateProfile(input: UpdateProfileInput!): UpdateProfilePayload!
  blockUser(input: BlockUserInput!): BlockUserPayload!
  unblockUser(input: BlockUserInput!): BlockUserPayload!
  reportMessage(input: ReportMessageInput!): ReportMessagePayload!
  resolveReport(input: ResolveReportInput!): ResolveReportPayload!
  restrictUser(input: RestrictUserInput!): RestrictUserPayload!
}

input UpdateConversationInput { conversationId: ID! title: String history: ConversationHistory }
enum ConversationHistory { ALL FROM_JOINING }
type UpdateConversationPayload { conversation: Conversation errors: [UpdateConversationError!]! }
union UpdateConversationError = NotFoundError | PermissionDeniedError | ValidationError
input UpdateViewerStateInput {
  conversationId: ID!
  isArchived: Boolean
  isPinned: Boolean
  mutedUntil: DateTime
  unreadFromSeq: Int
}
type UpdateViewerStatePayload { conversation: Conversation errors: [UpdateViewerStateError!]! }
union UpdateViewerStateError = NotFoundError | ValidationError
input PinMessageInput { messageId: ID! }
type PinMessagePayload { conversation: Conversation message: Message errors: [PinMessageError!]! }
union PinMessageError = NotFoundError | PermissionDeniedError | ValidationError
input AddParticipantsInput { conversationId: ID! participantIds: [ID!]! }
input RemoveParticipantInput { conversationId: ID! userId: ID! }
input SetParticipantRoleInput { conversationId: ID! userId: ID! role: ParticipantRole! }
type ParticipantsPayload { conversation: Conversation errors: [ParticipantsError!]! }
union ParticipantsError = NotFoundError | PermissionDeniedError | ValidationError

input CreateUploadInput { filename: String! contentType: String! size: Int! checksum: String! }
type CreateUploadPayload {
  attachment: Attachment
  uploadUrl: String
  method: String
  headers: [UploadHeader!]!
  errors: [CreateUploadError!]!
}
type UploadHeader { name: String! value: String! }
union CreateUploadError = PermissionDeniedError | ValidationError
type Attachment implements Node {
  id: ID!
  filename: String!
  contentType: String!
  size: Int!
  url: String!
  width: Int
  height: Int
}

input ScheduleMessageInput {
  to: MessageTarget!
  clientMessageId: String
  body: String!
  replyToId: ID
  format: BodyFormat
  attachmentIds: [ID!]
  sendAt: DateTime!
}
input RescheduleMessageInput { scheduledMessageId: ID! sendAt: DateTime body: String format: BodyFormat }
input CancelScheduledMessageInput { scheduledMessageId: ID! }
type ScheduleMessagePayload { scheduledMessage: ScheduledMessage deduplicated: Boolean! errors: [ScheduleMessageError!]! }
type ScheduledMessage implements Node {
  id: ID!
  conversation: Conversation
  body: String!
  format: BodyFormat!
  sendAt: DateTime!
  status: ScheduledMessageStatus!
  failure: ScheduledMessageFailure
  message: Message
  createdAt: DateTime!
}
enum ScheduledMessageStatus { PENDING SENT FAILED CANCELLED }
type ScheduledMessageFailure { code: UserErrorCode! message: String! }
union ScheduleMessageError = NotFoundError | PermissionDeniedError | ValidationError

input StartConversationInput {
  participantIds: [ID!]!
  title: String
  context: ContextInput
  firstMessage: MessageContentInput
  ifExists: IfExists! = REUSE
}
enum IfExists { REUSE REJECT }
type StartConversationPayload {
  conversation: Conversation message: Message wasCreated: Boolean! errors: [StartConversationError!]!
}

input MessageContentInput { clientMessageId: String body: String! replyToId: ID format: BodyFormat kind: MessageKind }
input SendMessageInput { to: MessageTarget! clientMessageId: String body: String! replyToId: ID format: BodyFormat }
input MessageTarget @oneOf { conversationId: ID userId: ID }
type SendMessagePayload {
  message: Message conversation: Conversation deduplicated: Boolean! errors: [SendMessageError!]!
}

input MarkReadInput { conversationId: ID! upToSeq: Int }
input MarkDeliveredInput { conversationId: ID! upToSeq: Int }
type MarkReadPayload { conversation: Conversation errors: [MarkReadError!]! }
type MarkDeliveredPayload { conversation: Conversation errors: [MarkDeliveredError!]! }
type MarkAllReadPayload { conversationCount: Int! }

input SetTypingInput { conversationId: ID! isTyping: Boolean! = true }
type SetTypingPayload { conversation: Conversation errors: [SetTypingError!]! }
union SetTypingError = NotFoundError | ValidationError

type MessageEdit { body: String! editedAt: DateTime! }
input EditMessageInput { messageId: ID! body: String! format: BodyFormat expectedEditedAt: DateTime }
type EditMessagePayload { message: Message errors: [EditMessageError!]! }
type EditConflictError implements UserError { code: UserErrorCode! message: String! path: [String!]! current: Message! }
union EditMessageError = NotFoundError | PermissionDeniedError | ValidationError | EditConflictError
input DeleteMessageInput { messageId: ID! }
type DeleteMessagePayload { message: Message errors: [DeleteMessageError!]! }
union DeleteMessageError = NotFoundError | PermissionDeniedError
input ReactionInput { messageId: ID! emoji: String! }
type ReactionPayload { message: Message errors: [ReactionError!]! }
union ReactionError = NotFoundError | ValidationError

enum ReportCategory { SPAM ABUSE OTHER }
enum ReportStatus { OPEN DISMISSED ACTIONED }
enum ReportResolution { DISMISS REMOVE_MESSAGE RESTRICT_USER }
input ReportMessageInput { messageId: ID! category: ReportCategory! note: String }
type ReportMessagePayload { report: Report errors: [ReportMessageError!]! }
union ReportMessageError = NotFoundError | ValidationError
input ResolveReportInput { reportId: ID! resolution: ReportResolution! restrictUntil: DateTime note: String }
type ResolveReportPayload { report: Report errors: [ResolveReportError!]! }
union ResolveReportError = NotFoundError | ValidationError | ReportResolvedError
type ReportResolvedError implements UserError { code: UserErrorCode! message: String! path: [String!]! report: Report! }
input RestrictUserInput { userId: ID! until: DateTime note: String }
type RestrictUserPayload { user: User errors: [RestrictUserError!]! }
union RestrictUserError = NotFoundError | ValidationError
type Report implements Node {
  id: ID! category: ReportCategory! note: String status: ReportStatus! reporter: User message: Message
  contextMessages: [Message!]! createdAt: DateTime! resolvedAt: DateTime resolvedBy: User resolution: ReportResolution
}
type ReportEdge { cursor: String! node: Report! }
type ReportConnection { edges: [ReportEdge!]! nodes: [Report!]! pageInfo: PageInfo! totalCount: Int! }
enum AuditAction { REPORT_DISMISSED MESSAGE_REMOVED MESSAGE_DELETED USER_RESTRICTED RESTRICTION_LIFTED }
type AuditEntry { at: DateTime! actor: User action: AuditAction! user: User note: String }
type AuditEntryConnection { nodes: [AuditEntry!]! pageInfo: PageInfo! }

input BlockUserInput { userId: ID! }
type BlockUserPayload { user: User errors: [BlockUserError!]! }
union BlockUserError = NotFoundError | ValidationError

type Subscription {
  conversationEvents(conversationId: ID!, after: String): ConversationEvent!
  viewerEvents(after: String): ConversationEvent!
  presence(userIds: [ID!]!): PresenceChanged!
}

interface ConversationEvent { cursor: String! at: DateTime! conversation: Conversation actor: User }
type ConversationStarted implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User
}
type MessageSent implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User message: Message! edge: MessageEdge!
}
type MessageEdited implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User message: Message!
}
type MessageDeleted implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User message: Message!
}
type ReactionsChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User message: Message!
}
type ReceiptChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User participant: Participant!
}
type ParticipantsChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User added: [Participant!]! removed: [User!]!
}
type ConversationChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User
}
type ViewerStateChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User state: ViewerState!
}
type TypingChanged implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User isTyping: Boolean!
}
type ResyncRequired implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation actor: User reason: String!
}
type AccessRevoked implements ConversationEvent {
  cursor: String! at: DateTime! conversation: Conversation! actor: User
}
type ConversationEventEdge { cursor: String! node: ConversationEvent! }
type ConversationEventConnection {
  edges: [ConversationEventEdge!]! nodes: [ConversationEvent!]! pageInfo: PageInfo!
}
"""

Introspected = dict[str, Any]


def introspect(built: GraphQLSchema) -> dict[str, Introspected]:
    """Every type of ours by its name."""
    query = get_introspection_query(input_value_deprecation=True, one_of=True)
    data = graphql_sync(built, query).data or {}
    found = {each["name"]: each for each in data["__schema"]["types"] if not each["name"].startswith("__")}
    for name, each in found.items():
        # Once a schema of strawberry's was made in this process, introspection knows only strawberry's own one-of inputs.
        each["isOneOf"] = bool(each["isOneOf"] or getattr(built.get_type(name), "is_one_of", False))
    return found


@pytest.fixture(scope="module")
def built() -> dict[str, Introspected]:
    return introspect(schema.build()._schema)


PROMISED = introspect(build_schema(CONTRACT))
MEMBERS = ("fields", "inputFields", "enumValues", "possibleTypes", "interfaces", "args")


def promises(described: Introspected) -> Introspected:
    """A type, field or argument without its prose, its members by name."""
    kept = {"kind", "type", "defaultValue"}
    is_one_of = {"isOneOf": bool(described.get("isOneOf"))}
    return (
        is_one_of
        | {key: value for key, value in described.items() if key in kept}
        | {
            members: {each["name"]: promises(each) for each in described[members] or ()}
            for members in MEMBERS
            if members in described
        }
    )


def missing(promised: Introspected, given: Introspected, path: str) -> list[str]:
    """What of a promise is not kept; more than was promised is welcome."""
    found = [
        f"{path}: {key} is {given.get(key)}, promised was {value}"
        for key, value in promised.items()
        if key not in MEMBERS and given.get(key) != value
    ]
    for members in MEMBERS:
        for name, member in promised.get(members, {}).items():
            if name in given.get(members, {}):
                found += missing(member, given[members][name], f"{path}.{name}")
            else:
                found.append(f"{path}.{name} is not there")
    return found


@pytest.mark.parametrize("name", sorted(set(PROMISED) - {"String", "Int", "ID", "Boolean"}))
def test_the_contract_is_kept(built: dict[str, Introspected], name: str) -> None:
    """Every field, argument, value and member with the promised type and nullability."""
    assert name in built
    assert missing(promises(PROMISED[name]), promises(built[name]), name) == []


def test_no_argument_was_added_that_must_be_given(built: dict[str, Introspected]) -> None:
    """A client that knows the contract alone can still call everything in it."""
    for name, promised in PROMISED.items():
        for kind in ("fields", "inputFields"):
            known = {each["name"] for each in promised.get(kind) or ()}
            for field in built[name].get(kind) or ():
                inputs = field.get("args", []) if kind == "fields" else [field]
                for each in inputs:
                    is_needed = each["type"]["kind"] == "NON_NULL" and each["defaultValue"] is None
                    assert not is_needed or field["name"] in known, f"{name}.{field['name']}"


def undescribed(types: dict[str, Introspected]) -> list[str]:
    """Paths of everything without a description."""
    found = []
    for name, each in types.items():
        members = [(name, each)]
        for kind in ("fields", "inputFields", "enumValues"):
            for member in each[kind] or ():
                members.append((f"{name}.{member['name']}", member))
                members += [(f"{name}.{member['name']}({arg['name']})", arg) for arg in member.get("args", ())]
        found += [path for path, member in members if not (member["description"] or "").strip()]
    return found


def test_everything_is_described(built: dict[str, Introspected]) -> None:
    """Every type, field, argument, input field and enum value."""
    assert undescribed(built) == []


def test_descriptions_are_looked_for_everywhere() -> None:
    """The contract above has none, so each of its parts would be found."""
    found = undescribed({name: PROMISED[name] for name in ("Query", "MarkReadInput", "IfExists")})
    assert {"Query", "Query.node", "Query.node(id)", "MarkReadInput.upToSeq", "IfExists.REUSE"} <= set(found)


def test_the_committed_schema_is_the_one_that_is_built() -> None:
    """schema/schema.graphql, which `server.py schema` writes."""
    assert COMMITTED.read_text(encoding="utf-8") == schema.sdl(), (
        "the schema changed: write it anew with `python server.py schema > schema/schema.graphql`"
    )


def test_the_committed_schema_is_valid() -> None:
    """Other tools read it as the same schema."""
    types = introspect(build_schema(COMMITTED.read_text(encoding="utf-8")))
    assert set(types) == set(introspect(schema.build()._schema))


def test_a_broken_promise_is_told() -> None:
    """The comparison finds a lost field, a loosened type and a lost enum value, and forgives an addition."""
    promised = build_schema("type Query { a(b: Int): Int! c: Int d: E } enum E { X Y }")
    given = build_schema("type Query { a(b: Int): Int d: E more: Int } enum E { X Z }")
    found = [
        line
        for name in ("Query", "E")
        for line in missing(promises(introspect(promised)[name]), promises(introspect(given)[name]), name)
    ]
    assert [line.split(" ")[0].rstrip(":") for line in found] == ["Query.a", "Query.c", "E.Y"]
