// Walks the demo as its printed lines tell a newcomer: front page, sign-in, profile and decoded token, sign-out.
import { mkdir } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { audit } from './audit.js';
import { complaints, journey, openPage, report, signIn } from './chromium.js';

const { chromium, frontPage, username, password, screenshots } = await json(process.stdin);

await mkdir(screenshots, { recursive: true });
await journey(chromium, async (browser) => {
  const page = await openPage(browser);
  await page.goto(frontPage);
  const button = page.locator('#demo-sign-in');
  await button.waitFor();
  const look = async (name) => report('look', await audit(page, `${screenshots}/${name}`));
  await look('demo-front-page');
  report('front page', { text: await page.locator('body').innerText() });

  await button.click();
  await page.locator('#username').waitFor();
  await signIn(page, username, password, { byKeyboard: true });
  await page.locator('#demo-result, #demo-error').filter({ visible: true }).waitFor();
  await look('demo-profile');
  const text = (selector) => page.locator(selector).innerText();
  report('signed in', {
    url: page.url(),
    error: await text('#demo-error'),
    profile: Object.fromEntries(
      await page.locator('#demo-profile tr').evaluateAll((rows) =>
        rows.map((row) => [row.querySelector('th').innerText, row.querySelector('td').innerText]),
      ),
    ),
    header: JSON.parse((await text('#demo-header')) || null),
    claims: JSON.parse((await text('#demo-claims')) || null),
  });

  await page.locator('#demo-sign-out').click();
  await button.waitFor();
  await button.click();
  await page.locator('#username').waitFor();
  report('after signing out', { url: page.url() });

  report('complaints', complaints);
});
