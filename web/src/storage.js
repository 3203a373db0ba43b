// What GraphiQL remembers. Its own way keeps the editors' text beside the tabs and takes them for one more tab where they
// differ, as they do after a quick reload; and two windows write over each other's tabs. So here the tabs are the only
// truth, each window has its own, and a new window starts with those that were changed last.
const PREFIX = 'graphiql:';
const TABS = 'graphiql:tabState';
const EDITORS = { 'graphiql:query': 'query', 'graphiql:variables': 'variables', 'graphiql:headers': 'headers' };

const readTabs = () => sessionStorage.getItem(TABS) ?? localStorage.getItem(TABS);

function frontTab() {
  try {
    const { tabs, activeTabIndex } = JSON.parse(readTabs());
    return tabs[activeTabIndex];
  } catch {
    return null; // nothing stored, or nothing usable: GraphiQL then starts with the default tabs
  }
}

function* stores(key) {
  yield localStorage;
  if (key === TABS) yield sessionStorage;
}

export const storage = {
  getItem(key) {
    if (key in EDITORS) return frontTab()?.[EDITORS[key]] ?? null;
    return key === TABS ? readTabs() : localStorage.getItem(key);
  },
  setItem(key, value) {
    if (key in EDITORS) return;
    for (const store of stores(key)) store.setItem(key, value);
  },
  removeItem(key) {
    for (const store of stores(key)) store.removeItem(key);
  },
  clear() {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) this.removeItem(key);
  },
  get length() {
    return localStorage.length;
  },
};
