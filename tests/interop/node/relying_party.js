// A relying party on openid-client, which is certified: every flow that the server offers, and what has to be refused.
//
// The first line of stdin is {"issuer", "redirect", "bye", "web", "signer"}, clients with their proof among them.
// It prints {"open": url} where a person has to open a page, who with "deny": true declines, and reads on the next line
// where that led; all else that it prints is {"found": what, ...}, to be judged by the test.
import { createInterface } from 'node:readline';
import * as oidc from 'openid-client';

const lines = createInterface({ input: process.stdin });
const received = lines[Symbol.asyncIterator]();
const read = async () => JSON.parse((await received.next()).value);
const print = (line) => console.log(JSON.stringify(line));
const found = (what, more) => print({ found: what, ...more });

const { issuer, redirect, bye, web, signer } = await read();
const scope = 'openid profile email offline_access';

// What the server made of a request that it should refuse, as the library tells it.
async function refused(what, request) {
  try {
    await request();
    found(what, { accepted: true });
  } catch (error) {
    const { code, status, cause } = error;
    found(what, { error: error.error ?? cause?.error, code, status, message: [error.message, error.cause?.message].join(": ") });
  }
}

async function open(url, deny) {
  print({ open: url.href, deny });
  return read();
}

const connect = (client, proof) =>
  oidc.discovery(new URL(issuer), client, undefined, proof, { execute: [oidc.allowInsecureRequests] });

const config = await connect(web.client, oidc.ClientSecretBasic(web.secret));
// ID tokens come straight from the server; verify their signatures by its JWKS nevertheless.
oidc.enableNonRepudiationChecks(config);
const server = config.serverMetadata();
found('discovery', { issuer: server.issuer, s256: server.supportsPKCE() });

// Sends the person to the server; gives what came back and what it has to be checked against.
async function ask(more = {}, deny = false) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce() };
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirect,
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  });
  const { url: at, form } = await open(url, deny);
  const answer = form ? new Request(at, { method: 'POST', body: new URLSearchParams(form) }) : new URL(at);
  return { answer, checks: { ...checks, idTokenExpected: true }, form };
}

const seen = (tokens) => ({ claims: tokens.claims(), scope: tokens.scope, expires_in: tokens.expiresIn() });

// The code flow, its answer in the query.
const { answer, checks } = await ask();
const changed = (change) => {
  const url = new URL(answer);
  change(url.searchParams);
  return url;
};
await refused('without iss', () => oidc.authorizationCodeGrant(config, changed((query) => query.delete('iss')), checks));
await refused('iss of another', () =>
  oidc.authorizationCodeGrant(config, changed((query) => query.set('iss', 'https://other.example')), checks));
const tokens = await oidc.authorizationCodeGrant(config, answer, checks);
found('signed in by query', seen(tokens));
found('userinfo', { claims: await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub) });

// Its answer in a form that the browser posts; the person is signed in already.
const posted = await ask({ response_mode: 'form_post', max_age: '600' });
found('answered by form', { fields: Object.keys(posted.form ?? {}).sort() });
const second = await oidc.authorizationCodeGrant(config, posted.answer, { ...posted.checks, maxAge: 600 });
found('signed in by form', seen(second));

const stolen = await ask({ prompt: 'none' });
const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
await refused('another verifier', () =>
  oidc.authorizationCodeGrant(config, stolen.answer, { ...stolen.checks, pkceCodeVerifier }));

const declined = await ask({ response_mode: 'form_post', prompt: 'consent' }, true);
await refused('without consent', () => oidc.authorizationCodeGrant(config, declined.answer, declined.checks));

// Refresh tokens rotate, and one that was superseded takes the whole family along.
const refresh = (token, more) => oidc.refreshTokenGrant(config, token, more);
const third = await refresh(second.refresh_token);
const fourth = await refresh(third.refresh_token, { scope: 'openid email' });
const rotated = new Set([second, third, fourth].map((one) => one.refresh_token)).size === 3;
found('refreshed', { ...seen(third), rotated, narrowed: fourth.scope });
await refused('a superseded refresh token', () => refresh(second.refresh_token));
await refused('the last of its family', () => refresh(fourth.refresh_token));

// What other programs may ask about a token, and its end before its time.
const about = async (token) => oidc.tokenIntrospection(config, token);
found('introspected', { access: await about(tokens.access_token), refresh: await about(tokens.refresh_token) });
await oidc.tokenRevocation(config, tokens.access_token, { token_type_hint: 'access_token' });
found('access token revoked', { about: await about(tokens.access_token) });
await refused('userinfo after that', () => oidc.fetchUserInfo(config, tokens.access_token, oidc.skipSubjectCheck));
await oidc.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' });
found('refresh token revoked', { about: await about(tokens.refresh_token) });
await refused('refresh after that', () => refresh(tokens.refresh_token));

// A program on its own, by secret and by signature.
found('on its own', seen(await oidc.clientCredentialsGrant(config, { scope: 'orders:read' })));
const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const key = await crypto.subtle.importKey('pkcs8', Buffer.from(signer.pkcs8, 'base64'), algorithm, false, ['sign']);
const signing = await connect(signer.client, oidc.PrivateKeyJwt({ key, kid: signer.kid }));
const own = await oidc.clientCredentialsGrant(signing, { scope: 'orders:read' });
found('by private_key_jwt', { ...seen(own), about: await oidc.tokenIntrospection(signing, own.access_token) });
const { privateKey } = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
const forger = await connect(signer.client, oidc.PrivateKeyJwt({ key: privateKey, kid: signer.kid }));
await refused('another private key', () => oidc.clientCredentialsGrant(forger));

// A device without a browser: the person has one elsewhere.
const device = await oidc.initiateDeviceAuthorization(config, { scope });
await refused('device too early', () =>
  oidc.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code }));
const approved = await open(new URL(device.verification_uri_complete));
const onDevice = await oidc.pollDeviceAuthorizationGrant(config, device);
found('signed in on a device', { approved, ...seen(onDevice) });
const unwanted = await oidc.initiateDeviceAuthorization(config, { scope });
await open(new URL(unwanted.verification_uri_complete), true);
await refused('an unwanted device', () => oidc.pollDeviceAuthorizationGrant(config, unwanted));

// Out again, everywhere: what is silent afterwards is nobody.
const state = oidc.randomState();
const left = await open(oidc.buildEndSessionUrl(config, {
  post_logout_redirect_uri: bye,
  id_token_hint: tokens.id_token,
  state,
}));
found('signed out', { url: left.url, expected: `${bye}?state=${state}` });
const nobody = await ask({ prompt: 'none' });
await refused('silently after that', () => oidc.authorizationCodeGrant(config, nobody.answer, nobody.checks));

lines.close();
