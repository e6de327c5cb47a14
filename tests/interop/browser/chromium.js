// Debian's Chromium with a profile of its own, and the few steps that both journeys take.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Every name of the tests is this machine.
  '--host-resolver-rules=MAP *.test 127.0.0.1',
];

/** Longest time that any single step may take, in milliseconds. */
const PATIENCE = 15_000;

/** What the console calls an error, errors of scripts, and requests to anybody but ourselves, of all pages. */
export const complaints = [];

/** Prints one finding; the test that started the journey reads and judges it. */
export function report(step, finding) {
  console.log(JSON.stringify({ step, finding }));
}

/** Runs a journey in a fresh browser and closes it whatever happens. */
export async function journey(executablePath, walk) {
  const browser = await chromium.launch({ executablePath, args: FLAGS, timeout: 2 * PATIENCE });
  try {
    await walk(browser);
  } catch (error) {
    // Where every page got stuck, and what the browser had to say about it.
    for (const page of browser.contexts().flatMap((context) => context.pages())) {
      console.error(`${page.url()}\n${await page.locator('body').innerText().catch(String)}\n`);
    }
    console.error(complaints.join('\n'));
    throw error;
  } finally {
    await browser.close();
  }
}

/** Opens a page in a context of its own: no cookie of any other page. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  context.on('weberror', (event) => complaints.push(`script: ${event.error().message}`));
  context.on('console', (message) => {
    // A page that is an error by its status, like that for a wrong password, is mentioned there, too.
    const status = /the server responded with a status of 4/.test(message.text()) && message.location().url === message.page()?.url();
    if (message.type() === 'error' && !status) complaints.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    const ours = /^(127\.0\.0\.1|(.*\.)?localhost|.*\.test)$/.test(hostname) || protocol === 'data:';
    if (!ours) complaints.push(`a request to ${request.url()}`);
  });
  return context.newPage();
}

/** Fills in the login form and sends it, by the button or as many people do, with the enter key. */
export async function signIn(page, username, password, { byKeyboard = false } = {}) {
  await page.locator('#username').fill(username);
  await page.locator('#password').fill(password);
  await (byKeyboard ? page.locator('#password').press('Enter') : page.locator('#loginButton').click());
}

/** The claims of a JWT, unverified: resource servers verify, this only looks. */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
}
