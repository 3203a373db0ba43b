// The tabs of a first visit. `$conversationId` and `$messageId` are filled in by the page (conversation.js).

const INBOX = `# Welcome to Parley. These tabs are working operations:
# press ▶ or Ctrl-Enter here, then try the next ones.
# Ctrl-Space completes; the book on the left explains.

query Inbox {
  viewer {
    user { handle name }
    unreadCount
    unreadConversationCount
  }
  conversations(first: 20) {
    nodes {
      id
      kind
      displayTitle
      lastActivityAt
      viewerState { unreadCount lastReadSeq }
      lastMessage { seq body sender { name } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const HISTORY = `# The newest twenty messages, oldest first. For the page
# before them, add "before": pageInfo.startCursor.

query History(
  $conversationId: ID!
  $before: String
) {
  conversation(id: $conversationId) {
    displayTitle
    messageCount
    messages(last: 20, before: $before) {
      nodes {
        id
        seq
        createdAt
        sender { handle name }
        body
        bodyHtml
        editedAt
        status
        replyTo { seq body sender { name } }
        reactions { emoji count viewerHasReacted }
        attachments { filename contentType url }
      }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}
`;

const SEND = `# Add a "clientMessageId" to the variables and run it
# twice: one message, and deduplicated: true.
# "replyToId" makes it a reply.

mutation Send(
  $conversationId: ID!
  $body: String!
  $clientMessageId: String
  $replyToId: ID
) {
  sendMessage(input: {
    to: { conversationId: $conversationId }
    body: $body
    clientMessageId: $clientMessageId
    replyToId: $replyToId
  }) {
    message {
      id
      seq
      body
      createdAt
      status
      sender { name }
    }
    deduplicated
    errors { ... on UserError { code message path } }
  }
}
`;

const REACT = `# Any one emoji. Again changes nothing, and
# removeReaction takes the same input.

mutation React($messageId: ID!, $emoji: String!) {
  addReaction(input: {
    messageId: $messageId
    emoji: $emoji
  }) {
    message {
      seq
      body
      reactions {
        emoji
        count
        viewerHasReacted
        users(first: 3) { name }
      }
    }
    errors { ... on UserError { code message path } }
  }
}
`;

const EDIT = `# Only your own: take an "id" from Send or History.
# "expectedEditedAt" makes sure that nobody, you in
# another window, edited it meanwhile. deleteMessage
# leaves a tombstone with the same seq.

mutation Edit($myMessageId: ID!, $body: String!) {
  editMessage(input: {
    messageId: $myMessageId
    body: $body
    format: MARKDOWN
  }) {
    message {
      seq
      body
      bodyHtml
      editedAt
      edits { body editedAt }
    }
    errors { ... on UserError { code message path } }
  }
}
`;

const SEARCH = `# In everything you may see. "quoted words" stand
# together, -word leaves out, or is either.

query Search($query: String!) {
  searchMessages(query: $query, first: 10) {
    edges {
      snippet
      node {
        seq
        createdAt
        sender { name }
        conversation { id displayTitle }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const MARK_READ = `# Up to "upToSeq", or everything when it is left out.
# Receipts never move back.

mutation MarkRead(
  $conversationId: ID!
  $upToSeq: Int
) {
  markRead(input: {
    conversationId: $conversationId
    upToSeq: $upToSeq
  }) {
    conversation {
      displayTitle
      viewerState { unreadCount lastReadSeq }
    }
    errors { ... on UserError { code message path } }
  }
}
`;

const LIVE = `# Run it, then send from another tab or another window:
# it keeps running, and every event is listed below.
# After a reconnect this page sets "after" to the last
# cursor: nothing is missed and nothing comes twice.

subscription Live(
  $conversationId: ID!
  $after: String
) {
  conversationEvents(
    conversationId: $conversationId
    after: $after
  ) {
    __typename
    cursor
    at
    actor { handle name }
    ... on MessageSent {
      message {
        id
        seq
        body
        createdAt
        sender { name }
        replyTo { seq body }
      }
    }
    ... on MessageEdited { message { seq body editedAt } }
    ... on MessageDeleted { message { seq deletedAt } }
    ... on ReactionsChanged {
      message { seq body reactions { emoji count } }
    }
  }
}
`;

const EVERYTHING = `# The same for all your conversations at once, also for
# those that others start with you: one stream for a
# whole application.

subscription Everything($after: String) {
  viewerEvents(after: $after) {
    __typename
    cursor
    conversation { id displayTitle }
    actor { name }
    ... on MessageSent {
      message { seq body sender { name } }
    }
    ... on ReceiptChanged {
      participant {
        user { name }
        lastReadSeq
        lastDeliveredSeq
      }
    }
    ... on MessageEdited { message { seq body } }
    ... on MessageDeleted { message { seq } }
    ... on ReactionsChanged {
      message { seq reactions { emoji count } }
    }
    ... on ParticipantsChanged {
      added { user { name } }
      removed { name }
    }
    ... on TypingChanged { isTyping }
  }
}
`;

const variables = (extra) => JSON.stringify({ conversationId: '', ...extra }, null, 2);

export const DEFAULT_TABS = [
  { query: INBOX },
  { query: HISTORY, variables: variables() },
  { query: SEND, variables: variables({ body: 'Hello from GraphiQL' }) },
  { query: REACT, variables: JSON.stringify({ messageId: '', emoji: '👍' }, null, 2) },
  { query: EDIT, variables: JSON.stringify({ myMessageId: '', body: 'Said *better*' }, null, 2) },
  { query: MARK_READ, variables: variables() },
  { query: SEARCH, variables: JSON.stringify({ query: 'moth or patch' }, null, 2) },
  { query: LIVE, variables: variables() },
  { query: EVERYTHING },
];
