// Parley's own names, so that the same documents are sent to both.
export const typeDefs = `
  scalar DateTime

  type User { id: ID! name: String! }

  type Message { id: ID! seq: Int! body: String! createdAt: DateTime! sender: User }

  type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }

  type MessageConnection { nodes: [Message!]! pageInfo: PageInfo! }

  enum ParticipantRole { OWNER ADMIN MEMBER }

  type Participant { user: User! role: ParticipantRole! lastReadSeq: Int! }

  type ParticipantConnection { nodes: [Participant!]! }

  enum ConversationKind { DIRECT GROUP }

  type ViewerState { unreadCount: Int! lastReadSeq: Int! }

  type Conversation {
    id: ID!
    kind: ConversationKind!
    title: String
    lastActivityAt: DateTime!
    viewerState: ViewerState!
    lastMessage: Message
    messages(last: Int): MessageConnection!
    participants(first: Int): ParticipantConnection!
  }

  type ConversationConnection { nodes: [Conversation!]! pageInfo: PageInfo! }

  type Query {
    conversation(id: ID!): Conversation
    conversations(first: Int, after: String): ConversationConnection!
  }

  input MessageTarget { conversationId: ID! }

  input SendMessageInput { to: MessageTarget! body: String! clientMessageId: String! }

  interface Error { message: String! }

  type NotFoundError implements Error { message: String! }

  type ValidationError implements Error { message: String! }

  type IdempotencyConflictError implements Error { message: String! }

  union SendMessageError = NotFoundError | ValidationError | IdempotencyConflictError

  type SendMessagePayload { message: Message deduplicated: Boolean! errors: [SendMessageError!]! }

  type Mutation { sendMessage(input: SendMessageInput!): SendMessagePayload! }

  interface ConversationEvent { cursor: String! }

  type MessageSent implements ConversationEvent { cursor: String! message: Message! }

  type Subscription { conversationEvents(conversationId: ID!): ConversationEvent! }
`
