// The application: signs in with oidc-client-ts, shows who that is, renews its tokens and signs out.
'use strict';

const place = `${location.origin}/`;
const element = (id) => document.getElementById(id);

function show(state, message, user) {
  element('message').textContent = message;
  element('profile').textContent = user ? JSON.stringify(user.profile, null, 2) : '';
  element('access-token').textContent = user?.access_token ?? '';
  document.body.dataset.state = state;
}

function shield(action) {
  return async () => {
    document.body.dataset.state = 'loading';
    try {
      await action();
    } catch (error) {
      show('failed', `${error.name}: ${error.error ?? error.message}`);
    }
  };
}

async function start() {
  const settings = await (await fetch('/settings.json')).json();
  const users = new oidc.UserManager({
    redirect_uri: place,
    popup_redirect_uri: place,
    post_logout_redirect_uri: place,
    scope: 'openid profile email',
    loadUserInfo: true,
    automaticSilentRenew: false,
    ...settings,
  });
  // For whoever opens the console.
  globalThis.users = users;

  element('sign-in').onclick = shield(() => users.signinRedirect());
  element('sign-in-by-popup').onclick = shield(async () =>
    show('signed-in', 'signed in by popup', await users.signinPopup({ popupAbortOnClose: true })),
  );
  element('renew').onclick = shield(async () => show('signed-in', 'renewed', await users.signinSilent()));
  element('forget').onclick = shield(async () => { await users.removeUser(); show('signed-out', 'forgotten'); });
  element('sign-out').onclick = shield(() => users.signoutRedirect({ state: 'goodbye' }));

  const answer = new URLSearchParams(location.search);
  if (answer.has('code') || answer.has('error')) {
    history.replaceState({}, '', '/');
    const user = await users.signinCallback(`${place}?${answer}`);
    return show('signed-in', 'signed in', user);
  }
  if (answer.has('state')) {
    history.replaceState({}, '', '/');
    const end = await users.signoutCallback(`${place}?${answer}`);
    return show('signed-out', `signed out: ${end.userState}`);
  }
  const user = await users.getUser();
  return user ? show('signed-in', 'welcome back', user) : show('signed-out', 'nobody is signed in');
}

shield(start)();
