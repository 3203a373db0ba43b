// Uses the page as two people would, in a real Chromium, and prints what it saw as JSON: the facts are in test_browser.py.
// node page.mjs URL CHROMIUM SCREENSHOT_FOLDER
import path from 'node:path';
import { dock, execute, launch, tab } from './graphiql.mjs';

const [url, executablePath, shots] = process.argv.slice(2);
const TIMEOUT = 20_000;

const seen = { requests: [], failed: [], console: [], violations: [], inits: [] };

async function open(browser, query, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 860 }, ...options });
  context.setDefaultTimeout(TIMEOUT);
  context.on('request', (request) => seen.requests.push(request.url()));
  context.on('requestfailed', (request) => seen.failed.push(`${request.url()} ${request.failure()?.errorText}`));
  context.on('weberror', (error) => seen.console.push(`uncaught: ${error.error().stack}`));
  context.on('console', (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  await context.exposeFunction('sawViolation', (text) => seen.violations.push(text));
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => globalThis.sawViolation(`${event.violatedDirective} ${event.blockedURI}`));
  });
  const page = await context.newPage();
  page.on('websocket', (socket) => {
    seen.requests.push(socket.url());
    socket.on('framesent', ({ payload }) => {
      const message = JSON.parse(payload);
      if (message.type === 'connection_init') seen.inits.push(subject(message.payload?.Authorization));
    });
  });
  await page.goto(url + query);
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  return page;
}

function subject(authorization) {
  if (!authorization) return null;
  return JSON.parse(Buffer.from(authorization.split('.')[1], 'base64url')).sub;
}

/** The editor whose file ends so: `response.json`, `variables.json`. */
const content = (page, name) =>
  page.evaluate((end) => globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith(end)).getValue(), name);

async function waitForContent(page, name, text) {
  await page.waitForFunction(
    ([end, part]) => globalThis.__MONACO?.editor.getModels().find(({ uri }) => uri.path.endsWith(end))?.getValue().includes(part),
    [name, text],
  );
  return content(page, name);
}

const signInAs = (page, handle) => page.getByLabel('Signed in as').selectOption(handle);

async function run(page, name, expected) {
  await tab(page, name);
  await execute(page);
  return JSON.parse(await waitForContent(page, 'response.json', expected));
}

async function setVariables(page, variables) {
  await page.evaluate((changed) => {
    const model = globalThis.__MONACO.editor.getModels().find(({ uri }) => uri.path.endsWith('variables.json'));
    model.setValue(JSON.stringify({ ...JSON.parse(model.getValue()), ...changed }));
  }, variables);
}

async function send(page, body) {
  await tab(page, 'Send');
  await setVariables(page, { body });
  await execute(page);
  return JSON.parse(await waitForContent(page, 'response.json', body));
}

/** What the tab in front, which is Search, finds; what was said just now is found a moment later. */
async function searched(page, query) {
  await setVariables(page, { query });
  for (let tries = 0; ; tries++) {
    await execute(page);
    const answer = JSON.parse(await waitForContent(page, 'response.json', '"searchMessages"'));
    if (answer.data.searchMessages.edges.length > 0 || tries === 20) return answer;
    await page.waitForTimeout(250);
  }
}

const shot = (page, name) => page.screenshot({ path: path.join(shots, `${name}.png`) });

async function scenario(browser) {
  const facts = {};
  const ada = await open(browser, '');
  await ada.locator('.parley-avatar', { hasText: 'AL' }).waitFor();
  facts.title = await ada.title();
  facts.tabs = await ada.getByRole('tab').allInnerTexts();
  await shot(ada, '1-first-visit');
  facts.inbox = await run(ada, 'Inbox', '"data"');
  await shot(ada, '2-query');
  await ada.getByRole('button', { name: /Prettify/ }).click();
  facts.prettified = await waitForContent(ada, '.graphql', 'user {\n');
  facts.history = await run(ada, 'History', '"messages"');

  await tab(ada, 'Live');
  await execute(ada);
  await dock(ada).getByText('listening').waitFor();
  const grace = await open(browser, '?as=grace', { colorScheme: 'dark' });
  await grace.locator('.parley-avatar', { hasText: 'GH' }).waitFor();
  facts.sent = await send(grace, 'From another window');
  facts.arrived = JSON.parse(await waitForContent(ada, 'response.json', 'From another window'));
  await shot(ada, '3-arrived-from-another-window');

  facts.sentFromTab = await send(ada, 'From another tab');
  await dock(ada).locator('summary', { hasText: 'From another tab' }).waitFor();
  await shot(ada, '4-goes-on-in-another-tab');
  await tab(ada, 'Live');
  facts.backInTab = JSON.parse(await waitForContent(ada, 'response.json', 'From another tab'));
  facts.reacted = await run(ada, 'React', '"reactions"');
  await tab(ada, 'Edit');
  await setVariables(ada, { myMessageId: facts.sentFromTab.data.sendMessage.message.id });
  await execute(ada); // and no click on the tab before: it would put its own variables back
  facts.edited = JSON.parse(await waitForContent(ada, 'response.json', '"editMessage"'));
  await shot(ada, '5-edited');
  await dock(ada).locator('summary', { hasText: 'MessageEdited' }).waitFor();
  await tab(ada, 'Search');
  facts.searched = await searched(ada, '"another window"');
  await shot(ada, '6-searched');
  facts.markRead = await run(grace, 'MarkRead', '"markRead"');

  await tab(grace, 'Live'); // a socket as Grace, then the same page as Linus
  await execute(grace);
  await dock(grace).getByText('listening').waitFor();
  await signInAs(grace, 'linus');
  await dock(grace).getByText('now listening as Linus Torvalds').waitFor();
  await dock(grace).getByText('listening,').waitFor();
  await shot(grace, '7-switched-user');
  await signInAs(ada, '#nobody');
  await ada.getByText('Not signed in').waitFor();
  await dock(ada).getByText('The server closed the connection').waitFor(); // it refuses a socket that is nobody's
  facts.anonymous = await run(ada, 'Inbox', '"errors"');
  await ada.reload(); // reads the schema again, now without a token
  await ada.getByLabel('Show Documentation Explorer').click();
  facts.documented = await ada.locator('.graphiql-doc-explorer').getByText('Subscription', { exact: true }).innerText();
  await shot(ada, '8-nobody');
  facts.tabsAfterReload = await ada.getByRole('tab').allInnerTexts();
  return facts;
}

const browser = await launch(executablePath);
try {
  const facts = await scenario(browser);
  console.log(JSON.stringify({ ...facts, ...seen }));
} catch (error) {
  console.error(error.stack, JSON.stringify(seen, null, 2));
  const open = browser.contexts().flatMap((context) => context.pages());
  await Promise.all(open.map((page, index) => shot(page, `failed-${index}`)));
  process.exitCode = 1;
} finally {
  await browser.close();
}
