// One sign-in for two applications and a protected one, on three hosts; and what a sign-out leaves of it.
import { json } from 'node:stream/consumers';
import { complaints, journey, openPage, report, signIn } from './chromium.js';

const { chromium, server, application, proxy, username, password } = await json(process.stdin);

/** Where a client sends its people: each to the server by the client's own host. */
function authorize(host) {
  return `http://${host}:${server}/authorize?${new URLSearchParams({
    response_type: 'code',
    client_id: host,
    redirect_uri: `http://${host}:${application}/callback`,
    scope: 'openid profile',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
  })}`;
}

const guarded = (host) => `http://${host}:${proxy}/report?year=1843`;

/** Where the browser is: asked for a password, back with a code, or inside. */
async function outcome(page, url) {
  await page.goto(url);
  return arrived(page);
}

async function arrived(page) {
  if (await page.locator('#password').count()) return 'asked';
  if (new URL(page.url()).searchParams.has('code')) return 'code';
  const shown = await page.locator('body').innerText();
  return page.url().includes('/report?year=1843') ? JSON.parse(shown).user : shown;
}

async function enter(page, url) {
  const before = await outcome(page, url);
  await signIn(page, username, password);
  await page.waitForURL((now) => !now.pathname.startsWith('/login'));
  return [before, await arrived(page)];
}

async function signOut(page, host) {
  await page.goto(`http://${host}:${server}/logout`);
  await page.locator('button.primary').click();
  await page.locator('form').waitFor({ state: 'detached' });
}

async function visitAll(page, hosts) {
  const [one, two, three] = hosts;
  return {
    one: await outcome(page, authorize(one)),
    two: await outcome(page, authorize(two)),
    three: await outcome(page, guarded(three)),
  };
}

const hosts = (tenant) => ['one', 'two', 'three'].map((name) => `${name}.${tenant}.test`);

await journey(chromium, async (browser) => {
  const acme = hosts('acme');
  const page = await openPage(browser);
  report('stranger', await visitAll(page, acme));
  report('entered by an application', await enter(page, authorize(acme[0])));
  report('signed in', await visitAll(page, acme));
  report('at another tenant', await visitAll(page, hosts('globex')));

  // Another device of the same person, which comes in by the protected application.
  const phone = await openPage(browser, { locale: 'de-DE' });
  report('entered by the proxy', await enter(phone, guarded(acme[2])));
  report('signed in on the phone', await visitAll(phone, acme));
  await page.goto(`http://${acme[1]}:${server}/`);
  report('sessions', await page.locator('ul.sessions li').count());

  await signOut(page, acme[1]);
  report('signed out', await visitAll(page, acme));
  report('still signed in on the phone', await visitAll(phone, acme));

  await enter(page, authorize(acme[1]));
  await phone.goto(`http://${acme[0]}:${server}/`);
  await Promise.all([phone.waitForEvent('load'), phone.locator('form:has([name=everywhere]) button').click()]);
  report('signed out everywhere', [await visitAll(page, acme), await visitAll(phone, acme)]);

  // A tenant that wants to see the password at every application.
  const careful = await openPage(browser);
  const initech = hosts('initech');
  report('without silence, one', await enter(careful, authorize(initech[0])));
  report('without silence, two', await enter(careful, authorize(initech[1])));
  report('without silence, three', await enter(careful, guarded(initech[2])));
  report('without silence, three again', await outcome(careful, guarded(initech[2])));
  report('complaints', complaints);
});
