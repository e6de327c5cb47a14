// A browser that stays open: applications on oidc-client-ts, each in a tab that is loaded once, one step at a time.
//
// Its argument is Chromium. It reads a line for each step from stdin and prints one with what came of it: the user that
// the library has then, or the error that it threw. `pass` moves the clock of all tabs, like that of everybody else.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { complaints, journey, openPage, signIn } from './chromium.js';

const tabs = new Map();

/** The user of a tab, as its application has it. */
const user = (page) =>
  page.evaluate(async () => {
    const found = await users.getUser();
    return found && { ...found, expires_in: found.expires_in };
  });

const settled = (page) => page.locator('body:not([data-state="loading"])').waitFor();

const steps = {
  async open(browser, { tab, application, now }) {
    const first = [...tabs.values()][0];
    const page = first ? await first.context().newPage() : await openPage(browser);
    if (!first) await page.context().clock.install({ time: now * 1000 });
    tabs.set(tab, page);
    await page.goto(application);
    await settled(page);
    return { state: await page.locator('body').getAttribute('data-state') };
  },

  /** By a popup, so that the tab is not loaded again; it closes by itself where the browser has a session already. */
  async 'sign in'(browser, { tab, username, password }) {
    const page = tabs.get(tab);
    const [popup] = await Promise.all([page.waitForEvent('popup'), page.locator('#sign-in-by-popup').click()]);
    if (username) {
      await popup.locator('#username').waitFor();
      await signIn(popup, username, password);
    }
    await settled(page);
    return { message: await page.locator('#message').textContent(), user: await user(page) };
  },

  async renew(browser, { tab }) {
    const page = tabs.get(tab);
    const error = await page.evaluate(() => users.signinSilent().then(() => null, (error) => error.error ?? error.message));
    return { error, frames: page.frames().length, user: await user(page) };
  },

  /** An application that renews by itself does so when its tokens are about to expire. */
  async pass(browser, { seconds, renewing }) {
    const [any] = tabs.values();
    await any.context().clock.fastForward(seconds * 1000);
    const users = {};
    for (const [tab, page] of tabs) {
      for (let patience = 500; patience > 0; patience--) {
        users[tab] = await user(page);
        if (!renewing.includes(tab) || users[tab].expires_in > 60) break;
        await sleep(20);
      }
    }
    return { users };
  },

  /** What the userinfo endpoint answers to a token, asked from the page. */
  async userinfo(browser, { tab, token }) {
    return tabs.get(tab).evaluate(async (token) => {
      const { userinfo_endpoint } = await users.metadataService.getMetadata();
      const answer = await fetch(userinfo_endpoint, { headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, claims: await answer.json().catch(() => null) };
    }, token);
  },

  async 'sign out in another tab'(browser, { tab }) {
    const page = await tabs.get(tab).context().newPage();
    await page.goto(tabs.get(tab).url());
    await settled(page);
    await page.locator('#sign-in').click();
    await page.locator('body[data-state="signed-in"]').waitFor();
    await page.locator('#sign-out').click();
    await page.locator('body[data-state="signed-out"]').waitFor();
    const message = await page.locator('#message').textContent();
    await page.close();
    return { message };
  },

  async complaints() {
    return { complaints };
  },
};

await journey(process.argv[2], async (browser) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const question = JSON.parse(line);
    console.log(JSON.stringify(await steps[question.do](browser, question)));
  }
});
