import { createClient } from 'graphql-ws';
import { SOCKET_URL } from './http.js';
import { authorization, session } from './session.js';
import { createStore } from './store.js';

// GraphiQL stops a subscription when its tab is left. Here subscriptions are owned by the page instead: a GraphiQL
// tab only watches one ("view"), so it goes on while another tab sends, and is shown again on return.

const MAX_EVENTS = 200; // kept per subscription; older ones have scrolled out of reach anyway
const REFUSED = [4401, 4403]; // not signed in, forbidden
const RENEWAL_MS = 60_000; // a token refused so soon after another one did not merely expire
// Where a subscription without `after` begins, by its field. Asked for first, so that a connection lost before the first
// event loses nothing.
const STARTS = {
  conversationEvents: 'query Start($conversationId: ID!) { start: conversation(id: $conversationId) { eventCursor } }',
  viewerEvents: 'query Start { start: viewer { eventCursor } }',
};
const CAUSES = { 4401: 'not signed in', 4403: 'the token was refused or has expired' };

/** `running`: tab id → { name, status, events, … }, in order of start. */
export const live = createStore({ running: new Map(), isConnected: false });

const entries = new Map(); // tab id → what is not for the screen: payload, view, stop
let eventCount = 0;
let refusedAt = -Infinity;

/** The network comes back, and a demo user's expired token is renewed by the reconnect; other tokens stay refused. */
function shouldRetry(problem) {
  if (!REFUSED.includes(problem?.code)) return true; // a server that is away is an error event, without a code
  const isFirst = performance.now() - refusedAt > RENEWAL_MS;
  refusedAt = performance.now();
  return isFirst && session.get().users.some(({ handle }) => handle === session.get().identity);
}

const client = createClient({
  url: SOCKET_URL,
  connectionParams: authorization, // runs again at each reconnect
  retryAttempts: Infinity,
  shouldRetry,
  retryWait: (retries) => new Promise((done) => setTimeout(done, Math.min(8000, 250 * 2 ** retries) * (0.5 + Math.random() / 2))),
  on: {
    connected: () => setConnected(true),
    closed: () => setConnected(false),
  },
});

function setConnected(isConnected) {
  live.set({ isConnected });
  for (const [tabId, entry] of entries) showStatus(tabId, entry);
}

/** "listening" is a promise: from then on no event is missed, whatever happens to the connection. */
function showStatus(tabId, { hasStart }) {
  update(tabId, { status: hasStart && live.get().isConnected ? 'listening' : 'connecting' });
}

function update(tabId, change) {
  const running = new Map(live.get().running);
  running.set(tabId, { ...running.get(tabId), ...change });
  live.set({ running });
}

const isRunning = (tabId) => entries.has(tabId);

function record(tabId, event) {
  const item = { key: ++eventCount, at: new Date(), ...event };
  const { events } = live.get().running.get(tabId);
  update(tabId, { events: [item, ...events].slice(0, MAX_EVENTS) });
}

/**
 * Start a subscription for a tab, or take up the one that runs there; answers what GraphiQL calls an observable.
 * `field` is what it follows, where it can resume.
 */
export function subscription(tabId, name, payload, field) {
  return {
    subscribe(view) {
      if (!isRunning(tabId)) begin(tabId, name, payload, field);
      const entry = entries.get(tabId);
      entry.view = view;
      if (entry.last) view.next(entry.last);
      return { unsubscribe: () => leave(tabId, view) };
    },
  };
}

function begin(tabId, name, payload, field) {
  const running = new Map(live.get().running);
  running.delete(tabId); // to the end of the list
  running.set(tabId, { tabId, name, status: 'connecting', events: [], problem: null, conversationId: payload.variables?.conversationId });
  live.set({ running });
  follow(tabId, { payload, field, view: null, last: null, hasStart: false });
}

/** A stream that can resume asks where it begins; any other, and one that was told, begins at once. */
function follow(tabId, entry) {
  entries.set(tabId, entry);
  const query = STARTS[entry.field];
  if (!query || entry.payload.variables?.after) return listen(tabId, entry);
  entry.stop = client.subscribe({ query, variables: entry.payload.variables }, {
    next: ({ data }) => {
      resumeAfter(entry, data?.start?.eventCursor);
      listen(tabId, entry);
    },
    // What the API refuses is refused again where it belongs, and worded for the subscription.
    error: (error) => (Array.isArray(error) ? listen(tabId, entry) : fail(tabId, entry, error)),
    complete: () => {},
  });
}

function listen(tabId, entry) {
  entry.hasStart = true;
  showStatus(tabId, entry);
  entry.stop = client.subscribe(entry.payload, {
    next: (result) => receive(tabId, entry, result),
    error: (error) => fail(tabId, entry, error),
    complete: () => finish(tabId, entry, 'ended') && entry.view?.complete(),
  });
}

/** graphql-ws sends the same payload again after a reconnect: with the last cursor in it, nothing is missed. */
function resumeAfter(entry, after) {
  entry.payload.variables = { ...entry.payload.variables, after };
}

function receive(tabId, entry, result) {
  entry.last = result;
  const [event] = Object.values(result.data ?? {});
  if (entry.field && event?.cursor) resumeAfter(entry, event.cursor);
  record(tabId, { result, event });
  entry.view?.next(result);
}

function explain(error) {
  if (Array.isArray(error)) return error.map(({ message }) => message).join(' ') || 'The server gave no reason.';
  if (error instanceof CloseEvent) {
    return `The server closed the connection: ${error.reason || CAUSES[error.code] || 'no reason given'} (${error.code}).`;
  }
  return error.message;
}

function finish(tabId, entry, status, problem = null) {
  if (entries.get(tabId) !== entry) return false; // stopped by us; this is only its echo
  entries.delete(tabId);
  update(tabId, { status, problem });
  return true;
}

function fail(tabId, entry, error) {
  const problem = explain(error);
  if (finish(tabId, entry, 'failed', problem)) entry.view?.error(Array.isArray(error) ? error : { message: problem });
}

export function stop(tabId) {
  const entry = entries.get(tabId);
  if (!entry) return;
  finish(tabId, entry, 'stopped');
  entry.view?.complete();
  entry.stop();
}

/** Take a finished subscription off the list. */
export function dismiss(tabId) {
  stop(tabId);
  const running = new Map(live.get().running);
  running.delete(tabId);
  live.set({ running });
}

// ─── which GraphiQL tab is in front ───

let activeTabId = null;

/** GraphiQL tells after it has unsubscribed a view; so only a moment later can "Stop" be told from "another tab". */
function leave(tabId, view) {
  const entry = entries.get(tabId);
  if (entry?.view !== view) return;
  entry.view = null;
  queueMicrotask(() => {
    if (activeTabId === tabId && entry.view === null) stop(tabId);
  });
}

export function tabsChanged({ tabs, activeTabIndex }) {
  activeTabId = tabs[activeTabIndex]?.id ?? null;
  const front = activeTabId;
  queueMicrotask(() => { // GraphiQL calls this in the middle of a change of its own
    for (const [tabId, entry] of entries) {
      if (!tabs.some(({ id }) => id === tabId)) dismiss(tabId);
      else if (tabId !== front) detach(entry);
    }
  });
}

/** "+" leaves a tab without unsubscribing it: its events would land in the new tab's response. */
function detach(entry) {
  const { view } = entry;
  entry.view = null;
  view?.complete();
}

export const frontTab = () => activeTabId;
export const isDetached = (tabId) => isRunning(tabId) && entries.get(tabId).view === null;

/** Someone else signed in: the socket is opened again with their token, and what runs begins again. */
export function reconnect() {
  const { viewer } = session.get();
  const note = viewer ? `now listening as ${viewer.name}` : 'now without a token';
  for (const [tabId, entry] of entries) {
    record(tabId, { note });
    if (entry.field) beginAgain(tabId, entry);
  }
  client.terminate();
}

/** The socket is kept by the new subscription before the old one lets go of it. */
function beginAgain(tabId, entry) {
  const { after: _, ...variables } = entry.payload.variables ?? {};
  follow(tabId, { ...entry, hasStart: false, payload: { ...entry.payload, variables } });
  entry.stop(); // no longer the tab's own: what it says of its end is not heard
}
