// Visits every page that a person can see, in every language, and lets each be audited.
import { mkdir } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { LOOKS, audit, spoken } from './audit.js';
import { complaints, journey, openPage, report } from './chromium.js';

const { chromium, server, stranger, styled, application, people, password, screenshots } = await json(process.stdin);
/** How many people walk at the same time. */
const AT_ONCE = 3;

/** The request of an application that asks for consent, whatever was consented to before. */
function authorize(more = {}) {
  return `${server}/authorize?${new URLSearchParams({
    response_type: 'code',
    client_id: 'app',
    redirect_uri: `${application}/callback`,
    scope: 'openid profile email offline_access orders:read',
    prompt: 'consent',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    ...more,
  })}`;
}

const focused = (page) => page.evaluate(() => document.activeElement?.id || document.activeElement?.value);

/** Presses Tab until something has the focus; a person sees where it is. */
async function tabTo(page, wanted) {
  for (let presses = 0; presses < 10; presses += 1) {
    if ((await focused(page)) === wanted) {
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      if (outline === 'none') complaints.push(`${page.url()}: the focus on ${wanted} cannot be seen`);
      return;
    }
    await page.keyboard.press('Tab');
  }
  complaints.push(`${page.url()}: no Tab leads to ${wanted}`);
}

/** Types into the field that has the focus, without a mouse. A page gives the focus a moment after it was loaded. */
async function typeInto(page, field, text) {
  await page.locator(`#${field}:focus`).waitFor();
  await page.keyboard.type(text);
}

const enter = (page) => Promise.all([page.waitForEvent('load'), page.keyboard.press('Enter')]);

/** Fills in the login form. The user name is there already the second time. */
async function type(page, username, secret) {
  if (!(await page.locator('#username').inputValue())) {
    await typeInto(page, 'username', username);
    await page.keyboard.press('Tab');
  }
  await typeInto(page, 'password', secret);
  await enter(page);
}

async function press(page, wanted) {
  await tabTo(page, wanted);
  await enter(page);
}

/** All pages, read by somebody whose browser says which language they speak. */
async function everything(browser, { language, locale, look: own, username, codes }) {
  const page = await openPage(browser, { locale });
  const look = async (name) => {
    report('page', { name, language, ...(await audit(page, `${screenshots}/${name}-${language}`, [LOOKS[own]])) });
  };

  await page.goto(`${server}/`);
  await look('index-signed-out');
  await page.goto(authorize());
  await look('login');
  await type(page, username, 'not it');
  await look('login-wrong-password');
  await type(page, username, password);
  await look('consent');
  await press(page, 'allow');
  report('returned', { language, url: page.url() });
  await page.goto(`${server}/`);
  await look('index-signed-in');

  await page.goto(`${server}/activate`);
  await look('activate');
  await typeInto(page, 'user_code', 'BBBB-BBBB');
  await enter(page);
  await look('activate-unknown-code');
  for (const [decision, code] of [['allow', codes[0]], ['deny', codes[1]]]) {
    await page.goto(`${server}/activate`);
    await typeInto(page, 'user_code', code.toLowerCase());
    await enter(page);
    if (decision === 'allow') await look('activate-confirm');
    await press(page, decision);
    await look(`activate-done-${decision}`);
  }

  await page.goto(`${server}/logout`);
  await look('logout');
  await press(page, '');
  await look('signed-out');

  await page.goto(`${server}/login?interaction=too-old`);
  await look('login-expired');
  // All on one name, because an address may fail only so often, and quicker than a person, because the delay is short.
  for (let attempt = 0; attempt < 8 && !(await page.locator('[data-error=too_many_attempts]').count()); attempt += 1) {
    await type(page, 'mallory', `guess ${attempt}`);
  }
  await look('login-throttled');

  for (const [name, url] of Object.entries({
    'error-unknown-client': authorize({ client_id: 'nobody' }),
    'error-bad-redirect': authorize({ redirect_uri: 'https://elsewhere.example/' }),
    'error-not-found': `${server}/nothing/here`,
    'error-unknown-host': `${stranger}/login`,
  })) {
    await page.goto(url);
    await look(name);
  }

  await page.goto(`${styled}/login`);
  await page.locator('img.logo').evaluate((logo) => logo.decode());
  await look('own-look');
  await page.context().close();
}

/** The pages of an application that knows the language better than the browser does. */
async function byWish(browser, { language, username }) {
  const page = await openPage(browser, { locale: 'en-GB' });
  const say = async (name) => report('wish', { name, language, ...(await spoken(page)) });
  const wish = { ui_locales: `xx ${language}-XX en` };
  await page.goto(authorize(wish));
  await say('login');
  await type(page, username, 'not it');
  await say('login-wrong-password');
  await type(page, username, password);
  await say('consent');
  await page.goto(`${server}/logout?${new URLSearchParams(wish)}`);
  await say('logout');
  await press(page, '');
  await say('signed-out');
  await page.goto(authorize({ ...wish, client_id: 'nobody' }));
  await say('error-unknown-client');
  await page.context().close();
}

/** The page that carries a code back by form: answered with nothing, so that it stays. */
async function formPost(browser) {
  const page = await openPage(browser);
  await page.route(`${application}/**`, (route) => route.fulfill({ status: 204 }));
  await page.goto(authorize({ prompt: 'none', response_mode: 'form_post' }), { waitUntil: 'commit' });
  await page.locator('form').waitFor();
  report('page', {
    name: 'form-post',
    language: 'en',
    ...(await audit(page, `${screenshots}/form-post-en`)),
  });
  await page.context().close();
}

await mkdir(screenshots, { recursive: true });
await journey(chromium, async (browser) => {
  const walk = async () => {
    for (let person = people.shift(); person; person = people.shift()) {
      await everything(browser, person);
      if (person.wishes) await byWish(browser, person);
    }
  };
  await Promise.all([...Array(AT_ONCE).fill().map(walk), formPost(browser)]);
  report('complaints', complaints);
});
