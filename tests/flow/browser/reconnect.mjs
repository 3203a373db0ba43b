// Follows a conversation in the page's Live tab while the server is killed, and prints a line of JSON for everything it sees:
// { seq, body } as messages come over the websocket, { status } as the page shows it, and after COUNT messages what stands
// on the screen and was in the console. It ends with its input too. The facts are in test_reconnect.py.
// node reconnect.mjs URL CHROMIUM SCREENSHOT_FOLDER COUNT
import path from 'node:path';
import { dock, execute, launch, tab } from './graphiql.mjs';

const [url, executablePath, shots, count] = process.argv.slice(2);
const TIMEOUT = 60_000;
const PICTURED_AT = 20; // messages

const logged = [];
let attempts = 0; // to connect: the first is no outage
let told = Promise.resolve();

const shot = (page, name) => page.screenshot({ path: path.join(shots, `reconnect-${name}.png`) });

/** Who kills the server waits for what is told; what is told waits for the picture: so a kill never comes into one. */
function tell(line, picture) {
  told = told.then(picture).then(() => console.log(JSON.stringify(line)));
}

function tellStatus(page, status) {
  const outage = status === 'connecting' && attempts++;
  tell({ status }, () => outage && shot(page, `away-${outage}`));
}

function tellFrame(page, { payload }) {
  const { type, payload: result } = JSON.parse(payload);
  const message = type === 'next' && result.data.conversationEvents?.message;
  if (message) tell({ seq: message.seq, body: message.body }, () => message.seq === PICTURED_AT && shot(page, 'before'));
}

/** In the page: every change of the first word that the dock shows about its subscription. */
function watchStatus() {
  let last;
  new MutationObserver(() => {
    const [status] = document.querySelector('.parley-subscription h2 .parley-dim')?.textContent.match(/\w+/) ?? [];
    if (status && status !== last) globalThis.sawStatus((last = status));
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

async function open(browser) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 860 } });
  page.setDefaultTimeout(TIMEOUT);
  page.on('pageerror', (error) => logged.push(`uncaught: ${error.stack}`));
  page.on('console', (message) => logged.push(`${message.type()}: ${message.text()} (${message.location().url})`));
  page.on('websocket', (socket) => socket.on('framereceived', (frame) => tellFrame(page, frame)));
  await page.exposeFunction('sawStatus', (status) => tellStatus(page, status));
  await page.addInitScript(watchStatus);
  await page.goto(url, { waitUntil: 'networkidle' }); // with the editors' workers, which a kill would cut off
  await page.locator('.parley-avatar', { hasText: 'AL' }).waitFor();
  return page;
}

const browser = await launch(executablePath);
process.stdin.resume().on('end', () => browser.close());
try {
  const page = await open(browser);
  await tab(page, 'Live');
  await execute(page);
  await dock(page).getByText(`listening, ${count} events`).waitFor();
  const rows = await dock(page).locator('summary').allInnerTexts();
  tell({ rows: rows.reverse(), console: logged }, () => shot(page, 'after'));
  await told;
} catch (error) {
  console.error(error.stack, logged);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
