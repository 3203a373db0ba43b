import { createElement as h, useState } from 'react';
import { dismiss, live, stop } from './live.js';
import { session } from './session.js';
import { useStore } from './store.js';

const STATUS = { connecting: 'connecting…', listening: 'listening', stopped: 'stopped', ended: 'ended by the server', failed: 'failed' };
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** Below GraphiQL: every subscription of this page with what it received, whichever tab is in front. */
export function Dock() {
  const { running } = useStore(live);
  const [isOpen, setOpen] = useState(true);
  if (running.size === 0) return null;
  const subscriptions = [...running.values()].reverse();
  return h(
    'section',
    { className: 'parley-dock', 'aria-label': 'Live events' },
    h(
      'button',
      { type: 'button', className: 'parley-dock-handle', 'aria-expanded': isOpen, onClick: () => setOpen(!isOpen) },
      h('span', { 'aria-hidden': true }, isOpen ? '▾' : '▸'),
      ' Live events',
      !isOpen && h('span', { className: 'parley-dim' }, ` ${summaryOf(subscriptions[0])}`),
    ),
    isOpen && h('div', { className: 'parley-dock-body' }, subscriptions.map((item) => h(Subscription, { key: item.tabId, ...item }))),
  );
}

function summaryOf({ name, status, events }) {
  const newest = events.find(({ result }) => result);
  return newest ? `${name}: ${sentence(newest)}` : `${name}: ${STATUS[status]}`;
}

function Subscription({ tabId, name, status, problem, events, conversationId }) {
  const { conversations } = useStore(session);
  const title = conversations.find(({ id }) => id === conversationId)?.displayTitle;
  const isOn = status === 'listening' || status === 'connecting';
  const count = events.filter(({ result }) => result).length;
  return h(
    'article',
    { className: 'parley-subscription', 'data-status': status },
    h(
      'h2',
      null,
      h('span', { className: 'parley-dot', 'aria-hidden': true }),
      h('strong', null, name),
      title && h('span', null, title),
      h('span', { className: 'parley-dim' }, `${STATUS[status]}, ${count} ${count === 1 ? 'event' : 'events'}`),
      h('button', { type: 'button', className: 'parley-link', onClick: () => (isOn ? stop(tabId) : dismiss(tabId)) }, isOn ? 'Stop' : 'Dismiss'),
    ),
    problem && h('p', { className: 'parley-problem' }, problem),
    isOn && events.length === 0 && h('p', { className: 'parley-dim' }, 'Nothing has happened yet. Send a message from another tab, or from another window as somebody else.'),
    h('ol', { role: 'log' }, events.map((event) => h(Event, { key: event.key, ...event }))),
  );
}

function Event(event) {
  const [isOpen, setOpen] = useState(false);
  const time = h('time', { dateTime: event.at.toISOString() }, CLOCK.format(event.at));
  if (event.note) return h('li', { className: 'parley-dim' }, time, ' ', event.note);
  return h(
    'li',
    null,
    h(
      'details',
      { onToggle: ({ target }) => setOpen(target.open) },
      h('summary', null, time, ' ', h(Sentence, event)),
      isOpen && h('pre', null, JSON.stringify(event.result, null, 2)),
    ),
  );
}

function Sentence({ result, event }) {
  const text = sentence({ result, event });
  return h('span', { className: result.errors && 'parley-problem' }, event?.__typename && h('span', { className: 'parley-kind' }, event.__typename), ' ', text);
}

/** One line for a person; whatever the operation did not select is left out. */
function sentence({ result, event }) {
  if (!event) return result.errors?.map(({ message }) => message).join(' ') ?? 'null';
  const who = event.actor?.name ?? event.actor?.handle;
  if (event.message) return [event.message.sender?.name ?? who, event.message.body].filter(Boolean).join(': ');
  return who ?? '';
}
