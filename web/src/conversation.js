import { createStore } from './store.js';

// Which conversation the tabs work on: the page writes its id into `conversationId` of every tab's variables.
const CHOICE = 'parley:conversation';
export const BY_HAND = '#by-hand';

export const choice = createStore({ id: sessionStorage.getItem(CHOICE) });

export function choose(id) {
  sessionStorage.setItem(CHOICE, id);
  choice.set({ id });
}

/** The chosen conversation where the viewer has it, else their newest; null where nothing is to be filled in. */
export function effective(id, conversations) {
  if (id === BY_HAND) return null;
  return conversations.find((conversation) => conversation.id === id)?.id ?? conversations[0]?.id ?? null;
}

/** The variables with `conversationId` replaced, or null where there is nothing to change (also where a person is mid-typing). */
export function filled(variables, id) {
  let parsed;
  try {
    parsed = JSON.parse(variables);
  } catch {
    return null;
  }
  if (typeof parsed?.conversationId !== 'string' || parsed.conversationId === id) return null;
  return JSON.stringify({ ...parsed, conversationId: id }, null, 2);
}
