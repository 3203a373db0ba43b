import { createClient } from 'graphql-ws';
import { SOCKET_URL } from './http.js';
import { authorization, session } from './session.js';
import { createStore } from './store.js';

// GraphiQL stops a subscription when its tab is left. Here subscriptions are owned by the page instead: a GraphiQL
// tab only watches one ("view"), so it goes on while another tab sends, and is shown again on return.

const MAX_EVENTS = 200; // kept per subscription; older ones have scrolled out of reach anyway
const REFUSED = [4401, 4403]; // not signed in, forbidden
const RENEWAL_MS = 60_000; // a token refused so soon after another one did not merely expire
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
  for (const [tabId, { status }] of live.get().running) {
    if (status === 'connecting' || status === 'listening') update(tabId, { status: isConnected ? 'listening' : 'connecting' });
  }
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

/** Start a subscription for a tab, or take up the one that runs there; answers what GraphiQL calls an observable. */
export function subscription(tabId, name, payload, resumes) {
  return {
    subscribe(view) {
      if (!isRunning(tabId)) begin(tabId, name, payload, resumes);
      const entry = entries.get(tabId);
      entry.view = view;
      if (entry.last) view.next(entry.last);
      return { unsubscribe: () => leave(tabId, view) };
    },
  };
}

function begin(tabId, name, payload, resumes) {
  const entry = { payload, view: null, last: null, resumes };
  entries.set(tabId, entry);
  const running = new Map(live.get().running);
  running.delete(tabId); // to the end of the list
  running.set(tabId, { tabId, name, status: live.get().isConnected ? 'listening' : 'connecting', events: [], problem: null, conversationId: payload.variables?.conversationId });
  live.set({ running });
  entry.stop = client.subscribe(payload, {
    next: (result) => receive(tabId, entry, result),
    error: (error) => fail(tabId, entry, error),
    complete: () => finish(tabId, entry, 'ended') && entry.view?.complete(),
  });
}

function receive(tabId, entry, result) {
  entry.last = result;
  const [event] = Object.values(result.data ?? {});
  // graphql-ws sends this same payload again after a reconnect: with the last cursor in it, nothing is missed.
  if (entry.resumes && event?.cursor) entry.payload.variables = { ...entry.payload.variables, after: event.cursor };
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

/** Someone else signed in: the socket is opened again with their token, and what runs is subscribed again. */
export function reconnect() {
  const { viewer } = session.get();
  const note = viewer ? `now listening as ${viewer.name}` : 'now without a token';
  for (const [tabId, entry] of entries) {
    const { after: _, ...variables } = entry.payload.variables ?? {};
    if (entry.resumes) entry.payload.variables = variables;
    record(tabId, { note });
  }
  client.terminate();
}
