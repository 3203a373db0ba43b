// A messaging server as a Node engineer who knows Node, PostgreSQL and GraphQL would write it: `node server.js PORT`.

import { createVerifier } from 'fast-jwt'
import Fastify from 'fastify'
import { GraphQLError, GraphQLScalarType } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import mercurius from 'mercurius'
import pg from 'pg'
import { WebSocketServer } from 'ws'

import { Followers } from './followers.js'
import { typeDefs } from './schema.js'
import { INBOX, MEMBER, PAGE, SEND, USER } from './statements.js'

const UNIQUE_VIOLATION = '23505'
const MAXIMUM_BODY = 10_000

// A timestamptz as GraphQL wants it, without a Date in between: '2026-01-01 08:00:00.5+00' in a session of UTC.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) => `${text.slice(0, 10)}T${text.slice(11, -3)}Z`)

const pool = new pg.Pool({
  connectionString: process.env.BENCH_DATABASE_URL,
  max: 10,
  // As Parley sets its own: planning the page again would cost as much as running it.
  options: '-c plan_cache_mode=force_generic_plan -c jit=off -c timezone=UTC',
})
// It remembers what it has verified, and looks at the time of each anew.
const verify = createVerifier({ key: process.env.BENCH_TOKEN_SECRET, algorithms: ['HS256'], cache: 4096 })
const users = new Map()
const followers = new Followers()

const query = (statement, values) => pool.query({ ...statement, values })

async function viewerOf(authorization) {
  if (!authorization?.startsWith('Bearer ')) throw new GraphQLError('A token is needed.', { extensions: { code: 'UNAUTHENTICATED' } })
  let claims
  try {
    claims = verify(authorization.slice(7))
  } catch {
    throw new GraphQLError('The token is not valid.', { extensions: { code: 'UNAUTHENTICATED' } })
  }
  let user = users.get(claims.sub)
  if (user === undefined) {
    user = (await query(USER, [claims.sub])).rows[0]
    if (user === undefined) throw new GraphQLError('Nobody has this token.', { extensions: { code: 'UNAUTHENTICATED' } })
    users.set(claims.sub, user)
  }
  return user
}

// What a field below the one that is resolved is asked with, looked up once for each document.
const sizes = new WeakMap()

function size(info, path, name, otherwise) {
  const node = info.fieldNodes[0]
  let known = sizes.get(node)
  if (known === undefined) sizes.set(node, (known = new Map()))
  const key = path.join('.')
  let value = known.get(key)
  if (value === undefined) {
    let found = node
    for (const step of path) found = found?.selectionSet.selections.find((field) => field.name?.value === step)
    value = found?.arguments.find((argument) => argument.name.value === name)?.value ?? otherwise
    known.set(key, value)
  }
  if (typeof value === 'number') return value
  return value.kind === 'Variable' ? (info.variableValues[value.name.value] ?? otherwise) : Number(value.value)
}

const message = (conversation, row) => ({
  id: `${conversation}:${row.seq}`,
  seq: row.seq,
  body: row.body,
  createdAt: row.createdAt,
  sender: { id: row.senderId, name: row.senderName },
})

const participant = (row) => ({ user: { id: row.userId, name: row.name }, role: row.role, lastReadSeq: row.lastReadSeq })

async function conversation(_root, { id }, { viewer }, info) {
  const values = [id, viewer.id, size(info, ['messages'], 'last', 50), size(info, ['participants'], 'first', 20)]
  const row = (await query(PAGE, values)).rows[0]
  if (row === undefined) return null
  const nodes = (row.messages ?? []).map((each) => message(id, each))
  const [first, last] = [nodes[0], nodes[nodes.length - 1]]
  return {
    id: row.id,
    kind: row.kind,
    title: row.title,
    messages: {
      nodes,
      pageInfo: { hasNextPage: false, hasPreviousPage: first?.seq > 1, startCursor: first && String(first.seq), endCursor: last && String(last.seq) },
    },
    participants: { nodes: row.participants.map(participant) },
  }
}

async function conversations(_root, { first = 20, after }, { viewer }, info) {
  const [at, id] = after ? after.split('|') : [null, null]
  const { rows } = await query(INBOX, [viewer.id, first, size(info, ['nodes', 'participants'], 'first', 20), at, id])
  const nodes = rows.slice(0, first).map((row) => ({
    id: row.id,
    title: row.title,
    lastActivityAt: row.lastActivityAt,
    viewerState: { unreadCount: row.lastSeq - row.lastReadSeq, lastReadSeq: row.lastReadSeq },
    lastMessage: row.lastSeq > 0 ? message(row.id, { ...row, seq: row.lastSeq }) : null,
    participants: { nodes: row.participants.map(participant) },
  }))
  const cursor = (node) => node && `${node.lastActivityAt}|${node.id}`
  return {
    nodes,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: after !== undefined,
      startCursor: cursor(nodes[0]),
      endCursor: cursor(nodes[nodes.length - 1]),
    },
  }
}

const refused = (type, text) => ({ message: null, deduplicated: false, errors: [{ __typename: type, message: text }] })

async function sendMessage(_root, { input }, { viewer }) {
  const { to, body, clientMessageId } = input
  if (!body.trim() || body.length > MAXIMUM_BODY) return refused('ValidationError', 'The body is blank or too long.')
  if (!clientMessageId || clientMessageId.length > 128) return refused('ValidationError', 'The key is empty or too long.')
  const { row, sent } = await inOrder(to.conversationId, async () => {
    const row = await append([to.conversationId, viewer.id, clientMessageId, body])
    const sent = row && message(to.conversationId, { ...row, senderId: viewer.id, senderName: viewer.name })
    // The statement has committed by itself.
    if (row?.isNew) followers.tell(to.conversationId, { __typename: 'MessageSent', cursor: String(row.seq), message: sent })
    return { row, sent }
  })
  if (row === undefined) return refused('NotFoundError', 'There is no such conversation.')
  if (row.body !== body) return refused('IdempotencyConflictError', 'The key was used for another message.')
  return { message: sent, deduplicated: !row.isNew, errors: [] }
}

// Sends to one conversation wait for each other here rather than for its row lock, which would hold a connection each; and
// what they tell is in the order of seq.
const tails = new Map() // conversation → the end of its last send

async function inOrder(conversation, task) {
  const before = tails.get(conversation)
  const { promise, resolve } = Promise.withResolvers()
  tails.set(conversation, promise)
  try {
    await before
    return await task()
  } finally {
    if (tails.get(conversation) === promise) tails.delete(conversation)
    resolve()
  }
}

async function append(values) {
  try {
    return (await query(SEND, values)).rows[0]
  } catch (error) {
    if (error.code !== UNIQUE_VIOLATION) throw error
    // Another call with this key committed while this one waited for the conversation. Now it can be seen.
    return (await query(SEND, values)).rows[0]
  }
}

const resolvers = {
  DateTime: new GraphQLScalarType({ name: 'DateTime', serialize: (text) => text }),
  ConversationEvent: { resolveType: (event) => event.__typename },
  Error: { resolveType: (error) => error.__typename },
  SendMessageError: { resolveType: (error) => error.__typename },
  Query: { conversation, conversations },
  Mutation: { sendMessage },
}

const app = Fastify({ logger: false })
app.get('/healthz', async () => ({ status: 'ok' }))
app.register(mercurius, {
  schema: typeDefs,
  resolvers,
  jit: 1,
  context: async (request) => ({ viewer: await viewerOf(request.headers.authorization) }),
})
await app.ready()

const { schema } = app.graphql
const followed = schema.getSubscriptionType().getFields().conversationEvents
followed.subscribe = async (_root, { conversationId }, { viewer, following }) => {
  const { rowCount } = await query(MEMBER, [conversationId, viewer.id])
  if (rowCount === 0) throw new GraphQLError('There is no such conversation.', { extensions: { code: 'NOT_FOUND' } })
  return followers.follow(conversationId, following)
}

useServer(
  {
    schema,
    onConnect: async ({ connectionParams, extra }) => {
      extra.viewer = await viewerOf(connectionParams?.Authorization)
    },
    context: ({ extra }, id, payload, args) => ({
      viewer: extra.viewer,
      following: { key: JSON.stringify([payload.query, payload.variables, payload.operationName]), args, socket: extra.socket, id },
    }),
  },
  new WebSocketServer({ server: app.server, path: '/graphql', perMessageDeflate: false }),
)

await app.listen({ port: Number(process.argv[2]), host: '127.0.0.1' })
