// Every form that leads to an application, whose callback sends the browser on to another origin.
import { json } from 'node:stream/consumers';
import { complaints, journey, openPage, report, signIn } from './chromium.js';

const { chromium, server, application, username, password } = await json(process.stdin);

const authorize = (more) => `${server}/authorize?${new URLSearchParams({
  response_type: 'code',
  client_id: 'mover',
  redirect_uri: `${application}/callback`,
  scope: 'openid',
  code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  code_challenge_method: 'S256',
  ...more,
})}`;

const logout = `${server}/logout?${new URLSearchParams({
  client_id: 'mover',
  post_logout_redirect_uri: `${application}/bye`,
})}`;

await journey(chromium, async (browser) => {
  const page = await openPage(browser);
  const arrived = async (step, path) => {
    await page.waitForURL((now) => now.pathname === path);
    report(step, page.url());
  };

  await page.goto(authorize());
  await signIn(page, username, password);
  await page.locator('button[value=allow]').click();
  await arrived('consent', '/inside');

  await page.goto(logout);
  await page.locator('button.primary').click();
  await arrived('logout', '/outside');

  // Consent is remembered: from the login page straight to the application.
  await page.goto(authorize());
  await signIn(page, username, password);
  await arrived('login', '/inside');

  await page.goto(authorize({ response_mode: 'form_post' }));
  await arrived('form_post', '/inside');
  report('complaints', complaints);
});
