// Follows a conversation with graphql-ws as README.md tells, and prints a line of JSON for everything it sees: { seq, body }
// of each message, { status } of its connection. It ends with its input, or when it saw COUNT messages.
// TOKEN=… CONVERSATION=… node follow.mjs URL COUNT
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const [url, count] = process.argv.slice(2);
process.stdin.resume().on('end', () => process.exit());

const client = createClient({
  url,
  connectionParams: () => ({ Authorization: `Bearer ${process.env.TOKEN}` }),
  webSocketImpl: WebSocket,
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: (retries) => new Promise((done) => setTimeout(done, Math.min(8000, 250 * 2 ** retries))),
});

let status;
const tell = (line) => console.log(JSON.stringify(line));
const tellStatus = (now) => now !== status && tell({ status: (status = now) });

const variables = { id: process.env.CONVERSATION };
const start = 'query ($id: ID!) { conversation(id: $id) { eventCursor } }';
const { value } = await client.iterate({ query: start, variables }).next();
variables.after = value.data.conversation.eventCursor;
tellStatus('listening'); // from here on nothing may be missed, connected or not
client.on('connected', () => tellStatus('listening'));
client.on('closed', ({ code }) => code === 1000 || tellStatus('connecting')); // 1000: the query above was all

const query = `subscription ($id: ID!, $after: String) { conversationEvents(conversationId: $id, after: $after) {
  __typename cursor ... on MessageSent { message { seq body } } } }`;
let seen = 0;
client.subscribe({ query, variables }, {
  next({ data: { conversationEvents: event } }) {
    variables.after = event.cursor;
    if (event.__typename !== 'MessageSent') return;
    tell(event.message);
    if (++seen === Number(count)) process.exit();
  },
  error(problem) {
    console.error(problem);
    process.exit(1);
  },
  complete: () => process.exit(1),
});
