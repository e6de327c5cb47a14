// The demo of the index page (development only): an authorization code flow with PKCE, as an application would do it.
// RFC 6749 §4.1, RFC 7636, RFC 9207, OIDC Core §3.1.2, RP-Initiated Logout §2. It needs no library.
"use strict";

const demo = document.getElementById("demo");
const button = document.getElementById("demo-sign-in");
const redirectUri = location.origin + "/";
const clientId = demo.dataset.clientId;

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unguessable() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

// A part of a token for display. An application must check the signature of an ID token; a browser only shows it here.
function decoded(token, part) {
  const base64 = token.split(".")[part].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(`${body.error ?? response.status}: ${body.error_description ?? response.statusText}`);
  }
  return body;
}

async function signIn() {
  const flow = { state: unguessable(), nonce: unguessable(), verifier: unguessable() };
  sessionStorage.setItem("uitsmijter-demo", JSON.stringify(flow));
  const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(flow.verifier));
  location.assign("/authorize?" + new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "openid profile email",
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: base64url(challenge),
    code_challenge_method: "S256",
    ui_locales: document.documentElement.lang,
  }));
}

async function finish(parameters) {
  const flow = JSON.parse(sessionStorage.getItem("uitsmijter-demo") ?? "{}");
  // Whatever happens next, the code in the address bar is of no further use.
  sessionStorage.removeItem("uitsmijter-demo");
  history.replaceState(null, "", "/");
  if (parameters.has("error")) {
    throw new Error(`${parameters.get("error")}: ${parameters.get("error_description") ?? ""}`);
  }
  if (!flow.state || parameters.get("state") !== flow.state) {
    throw new Error("the answer does not belong to this browser (state)");
  }
  const tokens = await answer(await fetch("/token", {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: parameters.get("code"),
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: flow.verifier,
    }),
  }));
  const identity = decoded(tokens.id_token, 1);
  if (identity.nonce !== flow.nonce) {
    throw new Error("the ID token does not belong to this request (nonce)");
  }
  // RFC 9207 §2.4: an answer that names its issuer must name the one that signed.
  if (parameters.has("iss") && parameters.get("iss") !== identity.iss) {
    throw new Error("the answer comes from another issuer (iss)");
  }
  const authorization = `Bearer ${tokens.access_token}`;
  show(tokens, await answer(await fetch("/userinfo", { headers: { authorization } })));
}

function show(tokens, profile) {
  const rows = Object.entries(profile).map(([name, value]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const cell = document.createElement("td");
    cell.textContent = typeof value === "object" ? JSON.stringify(value) : String(value);
    row.append(head, cell);
    return row;
  });
  document.getElementById("demo-profile").replaceChildren(...rows);
  document.getElementById("demo-header").textContent = JSON.stringify(decoded(tokens.access_token, 0), null, 2);
  document.getElementById("demo-claims").textContent = JSON.stringify(decoded(tokens.access_token, 1), null, 2);
  document.getElementById("demo-sign-out").href = "/logout?" + new URLSearchParams({
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: redirectUri,
  });
  document.getElementById("demo-result").hidden = false;
}

function fail(error) {
  const box = document.getElementById("demo-error");
  box.textContent = error.message;
  box.hidden = false;
  button.hidden = false;
}

if (crypto.subtle) {
  const parameters = new URLSearchParams(location.search);
  button.addEventListener("click", () => signIn().catch(fail));
  if (parameters.has("code") || parameters.has("error")) {
    finish(parameters).catch(fail);
  } else {
    button.hidden = false;
  }
} else {
  // PKCE needs SHA-256, which browsers give only to https and loopback pages.
  fail(new Error(document.getElementById("demo-error").dataset.insecure));
  button.hidden = true;
}
