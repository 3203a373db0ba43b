// A Chromium that stays on this machine, and what a person does with the GraphiQL page in it.
import { chromium } from 'playwright-core';

// No sandbox: tests may run as root. The others keep Chromium's own traffic down; the last lets no name but ours resolve.
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

export const launch = (executablePath) => chromium.launch({ executablePath, args: FLAGS });

export const tab = (page, name) => page.getByRole('tab', { name }).getByRole('button', { name, exact: true }).click();
export const execute = (page) => page.locator('.graphiql-execute-button').click();
export const dock = (page) => page.getByRole('region', { name: 'Live events' });
