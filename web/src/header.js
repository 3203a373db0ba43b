import { createElement as h, useEffect, useState } from 'react';
import { BY_HAND, choice, choose, effective } from './conversation.js';
import { NOBODY, PASTED, session, signInAs, signInWith, start } from './session.js';
import { useStore } from './store.js';

export function Header() {
  const state = useStore(session);
  const [isPasting, setPasting] = useState(false);
  useEffect(() => {
    document.title = state.viewer ? `Parley · ${state.viewer.name}` : 'Parley';
  }, [state.viewer]);
  const showsForm = isPasting || (!state.isLoading && state.identity === NOBODY && state.users.length === 0);
  return h(
    'header',
    { className: 'parley-header' },
    h('a', { className: 'parley-brand', href: '.', title: 'Parley: GraphQL messaging' }, h('img', { src: 'favicon.svg', alt: '' }), 'Parley'),
    h(Notice, state),
    h('span', { className: 'parley-space' }),
    showsForm ? h(TokenForm, { onDone: () => setPasting(false), canCancel: isPasting }) : h(People, { ...state, onPaste: () => setPasting(true) }),
    h(Conversations, state),
  );
}

function Notice({ isDevelopment, isLoading, users, conversations, identity, viewer, problem }) {
  if (problem) return h('p', { className: 'parley-notice parley-problem', role: 'alert' }, problem);
  if (isLoading) return null;
  if (isDevelopment && users.length === 0) {
    const again = h('button', { type: 'button', className: 'parley-link', onClick: start }, 'look again');
    return h('p', { className: 'parley-notice' }, 'No demo users yet: run ', h('code', null, 'python server.py seed'), ', then ', again, '.');
  }
  if (identity === NOBODY) return h('p', { className: 'parley-notice' }, 'Not signed in: only the schema can be read.');
  if (viewer && conversations.length === 0) {
    return h('p', { className: 'parley-notice' }, `${viewer.name} has no conversation yet: startConversation makes one.`);
  }
  return null;
}

function People({ users, identity, viewer, isLoading, onPaste }) {
  const onChange = ({ target }) => (target.value === '' ? onPaste() : signInAs(target.value));
  const other = users.find(({ handle }) => handle !== identity);
  return h(
    'div',
    { className: 'parley-field' },
    h(Avatar, { users, viewer }),
    h('label', { htmlFor: 'parley-person' }, 'Signed in as'),
    h(
      'select',
      { id: 'parley-person', value: identity, onChange, 'aria-busy': isLoading },
      users.map(({ handle, name }) => h('option', { key: handle, value: handle }, `${name} (${handle})`)),
      identity === PASTED && h('option', { value: PASTED }, viewer ? `${viewer.name} (${viewer.handle}, by token)` : 'a pasted token'),
      h('option', { value: NOBODY }, 'nobody (no token)'),
      h('option', { value: '' }, 'Paste a token…'),
    ),
    other &&
      h(
        'a',
        { className: 'parley-button', href: `?as=${encodeURIComponent(other.handle)}`, target: '_blank', rel: 'noopener', title: `Open this page as ${other.name} in another browser tab` },
        `Open as ${other.name.split(' ')[0]} ↗`,
      ),
  );
}

function Avatar({ users, viewer }) {
  const letters = viewer ? viewer.name.split(/\s+/).map(([letter]) => letter) : ['?'];
  const hue = 175 + 95 * users.findIndex(({ handle }) => handle === viewer?.handle); // two windows, two colours
  return h(
    'span',
    { className: viewer ? 'parley-avatar' : 'parley-avatar parley-nobody', style: { '--parley-hue': hue }, 'aria-hidden': true },
    letters.slice(0, 2).join(''),
  );
}

function TokenForm({ onDone, canCancel }) {
  const [token, setToken] = useState('');
  const onSubmit = async (event) => {
    event.preventDefault();
    await signInWith(token);
    onDone();
  };
  return h(
    'form',
    { className: 'parley-field', onSubmit },
    h('label', { htmlFor: 'parley-token' }, 'Token'),
    h('input', {
      id: 'parley-token',
      type: 'password',
      autoComplete: 'off',
      spellCheck: false,
      placeholder: 'Paste a token (JWT)',
      title: 'Kept in this browser tab only (sessionStorage). `python server.py token --user HANDLE` prints one where the server makes its own.',
      value: token,
      onChange: ({ target }) => setToken(target.value),
    }),
    h('button', { type: 'submit', className: 'parley-button', disabled: !token.trim() }, 'Sign in'),
    canCancel && h('button', { type: 'button', className: 'parley-button', onClick: onDone }, 'Cancel'),
  );
}

function Conversations({ conversations }) {
  const { id } = useStore(choice);
  if (conversations.length === 0) return null;
  return h(
    'div',
    { className: 'parley-field' },
    h('label', { htmlFor: 'parley-conversation' }, 'Conversation'),
    h(
      'select',
      {
        id: 'parley-conversation',
        title: 'Fills conversationId, and messageId with its newest message, in the variables of every tab',
        value: effective(id, conversations) ?? BY_HAND,
        onChange: ({ target }) => choose(target.value),
      },
      conversations.map((conversation) => h('option', { key: conversation.id, value: conversation.id }, conversation.displayTitle)),
      h('option', { value: BY_HAND }, 'none: I fill in ids by hand'),
    ),
  );
}
