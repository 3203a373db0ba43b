import { post } from './http.js';
import { createStore } from './store.js';

// Who is asking. The choice and a pasted token live in sessionStorage: they end with the browser tab, and two
// tabs can be two people. Tokens of demo users are never stored; they are fetched again.
const CHOICE = 'parley:identity';
const TOKEN = 'parley:token';
export const PASTED = '#token';
export const NOBODY = '#nobody';

const HAS_DEMO_USERS = document.documentElement.dataset.demoUsers === 'true';
const PAGE_QUERY = `query ParleyPage {
  viewer { user { id handle name } }
  conversations(first: 50) { nodes { id kind displayTitle lastMessage { id } } }
}`;

export const session = createStore({
  isDevelopment: HAS_DEMO_USERS,
  users: [],
  identity: NOBODY, // a demo user's handle, PASTED or NOBODY
  viewer: null, // the server's own answer to "who am I"
  conversations: [],
  problem: null,
  isLoading: true,
  signIns: 0, // counts, so that the same person with another token is a change too
});

async function fetchDemoUsers() {
  const response = await fetch('demo-users.json', { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

function secondsLeft(token) {
  const [, payload] = token.split('.');
  const { exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')));
  return exp - Date.now() / 1000;
}

/** The header for the next request or socket. A demo user's token is renewed before it expires, so a page can stay open. */
export async function authorization() {
  const { identity } = session.get();
  if (identity === PASTED) return { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` };
  let user = session.get().users.find(({ handle }) => handle === identity);
  if (!user) return {};
  if (secondsLeft(user.token) < 60) {
    session.set({ users: await fetchDemoUsers() });
    user = session.get().users.find(({ handle }) => handle === identity) ?? user;
  }
  return { Authorization: `Bearer ${user.token}` };
}

/** Ask the server who we are and which conversations there are to work with. */
export async function refresh() {
  const { identity } = session.get();
  if (identity === NOBODY) {
    session.set({ viewer: null, conversations: [], problem: null, isLoading: false });
    return;
  }
  const answer = await ask();
  if (session.get().identity === identity) session.set({ ...answer, isLoading: false });
}

async function ask() {
  try {
    const { data, errors } = await post({ query: PAGE_QUERY, operationName: 'ParleyPage' }, await authorization());
    const problem = errors?.[0]?.message ?? null;
    return { viewer: data?.viewer?.user ?? null, conversations: data?.conversations?.nodes ?? [], problem };
  } catch (error) {
    return { viewer: null, conversations: [], problem: error.message };
  }
}

export async function signInAs(identity) {
  sessionStorage.setItem(CHOICE, identity);
  session.set({ identity, viewer: null, isLoading: true, signIns: session.get().signIns + 1 });
  await refresh();
}

export async function signInWith(token) {
  sessionStorage.setItem(TOKEN, token.trim().replace(/^bearer\s+/i, ''));
  await signInAs(PASTED);
}

/** The first load, and again when people appear: `?as=grace`, else this browser tab's last choice, else the first demo user. */
export async function start() {
  if (HAS_DEMO_USERS) {
    try {
      session.set({ users: await fetchDemoUsers() });
    } catch (error) {
      session.set({ problem: error.message });
    }
  }
  await signInAs(initialIdentity(session.get().users));
}

function initialIdentity(users) {
  const wanted = [new URLSearchParams(location.search).get('as'), sessionStorage.getItem(CHOICE)];
  history.replaceState(null, '', location.pathname); // so that a reload keeps a later choice
  const isPossible = (identity) =>
    users.some(({ handle }) => handle === identity) ||
    (identity === PASTED && sessionStorage.getItem(TOKEN)) ||
    (identity === NOBODY && users.length > 0);
  return wanted.find(isPossible) ?? users[0]?.handle ?? NOBODY;
}
