// Signs in to the single page application through the server's login page, and out again.
import { mkdir } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { claims, complaints, journey, openPage, report, signIn } from './chromium.js';

const { chromium, application, username, password, screenshots } = await json(process.stdin);

const settled = (page, state) => page.locator(`body[data-state="${state}"]`).waitFor();
const message = (page) => page.locator('#message').textContent();

async function profile(page) {
  return {
    profile: JSON.parse(await page.locator('#profile').textContent()),
    accessToken: claims(await page.locator('#access-token').textContent()),
  };
}

async function askToSignIn(page) {
  await page.goto(application);
  await settled(page, 'signed-out');
  await page.locator('#sign-in').click();
}

/** The page's look, and whether anything sticks out to the side. */
async function photograph(browser, colorScheme, width) {
  const page = await openPage(browser, { colorScheme, viewport: { width, height: 800 } });
  await askToSignIn(page);
  await page.locator('div.login-box').waitFor();
  await page.screenshot({ path: `${screenshots}/login-${colorScheme}-${width}.png`, fullPage: true });
  const [background, overflow] = await page.evaluate(() => [
    getComputedStyle(document.body).backgroundColor,
    document.documentElement.scrollWidth - window.innerWidth,
  ]);
  await page.context().close();
  return { colorScheme, width, background, overflow };
}

/** What a screen reader tells about the form. */
async function spoken(page) {
  const names = (selector) =>
    page.locator(selector).evaluate((field) => [...field.labels].map((label) => label.innerText.trim()).join(' '));
  return {
    language: await page.locator('html').getAttribute('lang'),
    username: await names('#username'),
    password: await names('#password'),
    button: (await page.locator('#loginButton').innerText()).trim(),
  };
}

await mkdir(screenshots, { recursive: true });
await journey(chromium, async (browser) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [375, 1440]) report('look', await photograph(browser, colorScheme, width));
  }

  for (const locale of ['en-GB', 'de-DE']) {
    const page = await openPage(browser, { locale });
    await askToSignIn(page);
    await page.locator('#username').waitFor();
    report('spoken', await spoken(page));
    await page.context().close();
  }

  const page = await openPage(browser);
  await askToSignIn(page);
  // A page gives the focus a moment after it was loaded.
  await page.locator('#username:focus').waitFor();
  report('login page', { url: page.url(), focus: await page.evaluate(() => document.activeElement?.id) });

  await signIn(page, username, `not ${password}`);
  const error = page.locator('div.error[data-error]');
  await error.waitFor();
  await page.screenshot({ path: `${screenshots}/login-wrong-password.png`, fullPage: true });
  report('wrong password', {
    url: page.url(),
    kind: await error.getAttribute('data-error'),
    text: (await error.innerText()).trim(),
    password: await page.locator('#password').inputValue(),
  });

  await signIn(page, username, password);
  await settled(page, 'signed-in');
  report('signed in', { message: await message(page), ...(await profile(page)) });

  await page.locator('#renew').click();
  await settled(page, 'signed-in');
  report('renewed', { message: await message(page), ...(await profile(page)) });

  // The application forgets, the server does not: no password is asked for this time.
  await page.locator('#forget').click();
  await settled(page, 'signed-out');
  await page.locator('#sign-in').click();
  await settled(page, 'signed-in');
  report('signed in again', { message: await message(page), ...(await profile(page)) });

  await page.locator('#sign-out').click();
  await settled(page, 'signed-out');
  report('signed out', { url: page.url(), message: await message(page) });

  await page.locator('#sign-in').click();
  await page.locator('#password').waitFor();
  report('after signing out', { url: page.url(), cookies: (await page.context().cookies()).map((cookie) => cookie.name) });

  // A popup reports to the window that opened it and closes itself.
  await page.goto(application);
  await settled(page, 'signed-out');
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.locator('#sign-in-by-popup').click()]);
  await popup.locator('#username').waitFor();
  // The library looks every 500 ms whether the popup is still there; a person takes longer than that.
  await popup.waitForTimeout(1200);
  await signIn(popup, username, password);
  await settled(page, 'signed-in');
  report('signed in by popup', { message: await message(page), ...(await profile(page)) });

  report('complaints', complaints);
});
