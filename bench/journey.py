"""Sign-ins as browsers and clients make them, many at a time and step by step, so that each step has its figure."""

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

from declared import CALLBACK, PERSONS, as_client, get, person, post

CONNECTIONS = 32
VERIFIER = "a-code-verifier-of-the-benchmark-that-is-long-enough"
STEPS = ["authorize", "login page", "password", "code", "tokens", "userinfo"]


def head_and_body(answer):
    head, _, body = answer.partition("\r\n\r\n")
    return head, body


def header(answer, name):
    found = re.search(rf"^{name}: (.*?)\r?$", head_and_body(answer)[0], re.MULTILINE | re.IGNORECASE)
    if not found:
        raise SystemExit(f"an answer without {name}:\n{answer}")
    return found[1]


def cookies(answer):
    head = head_and_body(answer)[0]
    return dict(re.findall(r"^set-cookie: ([^=]+)=([^;]*)", head, re.MULTILINE | re.IGNORECASE))


def with_cookies(jar):
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items())


def document(answer):
    head, body = head_and_body(answer)
    if " 200 " not in head.splitlines()[0]:
        raise SystemExit(f"not a success:\n{answer}")
    return json.loads(body)


def path(location):
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"


def filled(of, page, jar, name):
    """The login form of a page, filled in and ready to be sent."""
    interaction = re.search(r'name="interaction" value="([^"]+)"', page)[1]
    typed = {"username": name, "password": "open sesame", "interaction": interaction}
    return post(of, "/login", typed, with_cookies(jar), f"Origin: http://{of}.example.com")


def sign_in(server, of, scope="openid profile email offline_access"):
    """Everybody signs in, in a browser of their own; gives CPU seconds per sign-in for each step, and the tokens."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": f"{of}-service", "redirect_uri": CALLBACK, "state": "a-state"}
    asked |= {"scope": scope, "nonce": "a-nonce"}
    asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    spent = []

    def step(requests):
        cpu, answers = server.replay(requests, CONNECTIONS, answers=True)
        spent.append(cpu)
        return answers

    begun = step([get(of, "/authorize?" + urlencode(asked))] * PERSONS)
    jars = [cookies(answer) for answer in begun]
    pages = step([get(of, path(header(a, "location")), with_cookies(jar)) for a, jar in zip(begun, jars)])
    forms = [filled(of, page, jar, person(number)) for number, (page, jar) in enumerate(zip(pages, jars))]
    signed_in = step(forms)
    jars = [jar | cookies(answer) for jar, answer in zip(jars, signed_in)]
    back = step([get(of, path(header(a, "location")), with_cookies(jar)) for a, jar in zip(signed_in, jars)])
    codes = [parse_qs(urlsplit(header(answer, "location")).query)["code"][0] for answer in back]
    redeem = {"grant_type": "authorization_code", "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    tokens = [document(a) for a in step([as_client(of, "/token", code=code, **redeem) for code in codes])]
    if "openid" in scope.split():
        people = step([get(of, "/userinfo", f"Authorization: Bearer {token['access_token']}") for token in tokens])
        if document(people[-1])["sub"] != person(PERSONS - 1):
            raise SystemExit(f"somebody else signed in:\n{people[-1]}")
    return dict(zip(STEPS, spent)), tokens


def forms(server, of, names):
    """For each name a login form, filled in and ready to be sent."""
    begun = server.replay([get(of, "/login")] * len(names), CONNECTIONS, answers=True)[1]
    jars = [cookies(answer) for answer in begun]
    asked = [get(of, path(header(answer, "location")), with_cookies(jar)) for answer, jar in zip(begun, jars)]
    pages = server.replay(asked, CONNECTIONS, answers=True)[1]
    return [filled(of, page, jar, name) for page, jar, name in zip(pages, jars, names)]


def refresh(server, of, tokens):
    """Every family is used once; gives CPU seconds per call, and the next tokens."""
    calls = [as_client(of, "/token", grant_type="refresh_token", refresh_token=t["refresh_token"]) for t in tokens]
    spent, answers = server.replay(calls, CONNECTIONS, answers=True)
    return spent, [document(answer) for answer in answers]


def introspect(server, of, tokens):
    """CPU seconds per call."""
    calls = [as_client(of, "/introspect", token=token["access_token"]) for token in tokens]
    spent, answers = server.replay(calls, CONNECTIONS, answers=True)
    if not document(answers[-1])["active"]:
        raise SystemExit(f"a token that should be alive is not:\n{answers[-1]}")
    return spent
