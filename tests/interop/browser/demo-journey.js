// Walks the demo as its printed lines tell a newcomer: front page, sign-in, profile and decoded token.
import { mkdir } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { journey, openPage, report, signIn } from './chromium.js';

const { chromium, frontPage, username, password, screenshots } = await json(process.stdin);
const complaints = [];

await mkdir(screenshots, { recursive: true });
await journey(chromium, async (browser) => {
  for (const javaScriptEnabled of [true, false]) {
    const page = await openPage(browser, complaints, { javaScriptEnabled });
    await page.goto(frontPage);
    await page.screenshot({ path: `${screenshots}/demo-front-page.png`, fullPage: true });
    // The front page may lead straight to the form or offer the way there.
    if (!(await page.locator('#username').count())) {
      await page.locator('a, button').filter({ hasText: /sign in/i }).first().click();
    }
    await signIn(page, username, password, { byKeyboard: true });
    await page.locator('#username').waitFor({ state: 'detached' });
    await page.waitForLoadState();
    await page.screenshot({ path: `${screenshots}/demo-profile.png`, fullPage: true });
    report(javaScriptEnabled ? 'profile' : 'profile without JavaScript', {
      url: page.url(),
      text: await page.locator('body').innerText(),
    });
    await page.context().close();
  }
  report('complaints', complaints);
});
