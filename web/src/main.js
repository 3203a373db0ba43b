import '#workers';
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createElement as h, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { choice, choose, effective, filled, idsOf } from './conversation.js';
import { Dock } from './dock.js';
import { fetcher } from './fetcher.js';
import { Header } from './header.js';
import { isDetached, reconnect, tabsChanged } from './live.js';
import { DEFAULT_TABS } from './operations.js';
import { session, start } from './session.js';
import { storage } from './storage.js';
import { useStore } from './store.js';

const PLUGINS = [HISTORY_PLUGIN];
const EDITORS = pick('tabs', 'activeTabIndex', 'variableEditor');

/** A subscription that went on while its tab was away is shown again when the tab is back. */
function useLiveTabs() {
  const { tabs, activeTabIndex } = useGraphiQL(EDITORS);
  const { run } = useGraphiQLActions();
  const front = tabs[activeTabIndex]?.id;
  useEffect(() => tabsChanged({ tabs, activeTabIndex }), [tabs, activeTabIndex]);
  useEffect(() => {
    const timer = setTimeout(() => isDetached(front) && run()); // after GraphiQL has let go of the tab before
    return () => clearTimeout(timer);
  }, [front, run]);
}

/** Writes the ids of the chosen conversation and its newest message into the variables of every tab. */
function useIds() {
  const { tabs, activeTabIndex, variableEditor } = useGraphiQL(EDITORS);
  const { moveTab } = useGraphiQLActions();
  const { conversations } = useStore(session);
  const { id } = useStore(choice);
  const target = effective(id, conversations);
  useEffect(() => {
    if (!variableEditor || !target) return;
    if (id !== target) choose(target); // so that it stays when another conversation becomes the newest
    const ids = idsOf(target, conversations);
    const changed = tabs.map((tab, index) => {
      const variables = index === activeTabIndex ? null : filled(tab.variables, ids);
      return variables === null ? tab : { ...tab, variables };
    });
    if (changed.some((tab, index) => tab !== tabs[index])) moveTab(changed);
    const variables = filled(variableEditor.getValue(), ids);
    if (variables !== null) variableEditor.setValue(variables);
    // Only a new choice is written: an id that a person typed into a tab afterwards is theirs.
  }, [target, variableEditor]);
}

/** Inside GraphiQL, for its state; shows nothing. */
function Bridge() {
  useLiveTabs();
  useIds();
  return null;
}

function Page() {
  return h(
    'div',
    { className: 'parley' },
    h(Header),
    h(
      'main',
      null,
      h(
        GraphiQL,
        {
          fetcher,
          storage,
          plugins: PLUGINS,
          defaultTabs: DEFAULT_TABS,
          defaultEditorToolsVisibility: 'variables',
          shouldPersistHeaders: false, // they can hold a token
          onTabChange: tabsChanged,
        },
        h(Bridge),
      ),
    ),
    h(Dock),
  );
}

function reconnectOnSignIn() {
  let { signIns } = session.get();
  session.subscribe(() => {
    const now = session.get();
    if (now.signIns === signIns || now.isLoading) return;
    signIns = now.signIns;
    reconnect();
  });
}

reconnectOnSignIn();
createRoot(document.getElementById('parley')).render(h(Page));
start();
