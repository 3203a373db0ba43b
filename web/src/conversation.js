import { createStore } from './store.js';

// Which conversation the tabs work on: the page writes its id into `conversationId` of every tab's variables, and that of
// its newest message into `messageId`.
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

/** The ids of that conversation and of its newest message, which the tabs work on. */
export function idsOf(target, conversations) {
  const messageId = conversations.find(({ id }) => id === target)?.lastMessage?.id;
  return messageId ? { conversationId: target, messageId } : { conversationId: target };
}

/** The variables with those of the ids that they name, or null where there is nothing to change (also where a person is mid-typing). */
export function filled(variables, ids) {
  let parsed;
  try {
    parsed = JSON.parse(variables);
  } catch {
    return null;
  }
  const changed = Object.entries(ids).filter(([name, id]) => typeof parsed?.[name] === 'string' && parsed[name] !== id);
  return changed.length === 0 ? null : JSON.stringify({ ...parsed, ...Object.fromEntries(changed) }, null, 2);
}
