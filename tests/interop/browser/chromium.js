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
];

/** Longest time that any single step may take, in milliseconds. */
const PATIENCE = 15_000;

/** Errors of scripts and violations of content security policies and CORS, of all pages of the journey. */
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
    if (/content security policy|blocked by cors/i.test(message.text())) complaints.push(message.text());
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
