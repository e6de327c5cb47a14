"""schemathesis against a running server: does it keep what its OpenAPI document promises?

Reads {"issuer", "seconds", "examples", "seed", "secret", "username", "password"} from stdin. Runs twice, as a stranger
and with everything that a client, a person and a proxy know, prints what schemathesis prints, and as the last line
{"requests", "failed", "unanswered"}: how many requests there were, which of the two runs found something, and which
operations never came to the end that they are for.
"""

import base64
import hashlib
import html
import json
import random
import re
import sys
from collections import Counter
from urllib.parse import parse_qs, quote_plus, urlsplit

import requests
import schemathesis
from click.exceptions import Exit
from schemathesis.cli import schemathesis as command_line

asked = json.load(sys.stdin)
issuer, secret = asked["issuer"], asked["secret"]

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)
CALLBACK = "https://app.example/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
AUTHORIZATION = {
    "client_id": "web",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile email",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}

# What an operation is for; a run with credentials that never gets there has tested its errors alone.
ENDS = {
    "POST /token": 200,
    "GET /userinfo": 200,
    "POST /userinfo": 200,
    "GET /token/info": 200,
    "POST /token/info": 200,
    "POST /introspect": 200,
    "POST /revoke": 200,
    "POST /device_authorization": 200,
    "POST /oauth/device_authorization": 200,
    "GET /authorize": 303,
    "POST /authorize": 303,
    "GET /login": 200,
    "POST /login": 303,
    "GET /consent": 200,
    "POST /consent": 303,
    "GET /activate": 200,
    "POST /activate": 200,
    "GET /logout": 200,
    "POST /logout": 303,
    "POST /": 303,
    "GET /interceptor": 200,
    "GET /static/{name}": 200,
    "GET /.well-known/jwks.json": 304,
    "GET /.well-known/openid-configuration": 304,
}


class Person:
    """A browser in which somebody is signed in; whatever a request uses up or ends is made again."""

    def __init__(self):
        self.browser = requests.Session()
        self.browser.trust_env = False
        self.code()

    def get(self, path, **parameters):
        return self.browser.get(issuer + path, params=parameters, allow_redirects=False)

    def page(self, answer):
        """Follows redirects within the server; gives the page, or the redirect that leaves it."""
        for _ in range(8):
            where = answer.headers.get("location", "")
            if not where.startswith("/"):
                break
            answer = self.browser.get(issuer + where, allow_redirects=False)
        return answer

    def code(self):
        """An authorization code, signing in again if somebody signed out."""
        answer = self.page(self.get("/authorize", **AUTHORIZATION))
        if answer.status_code == 200:
            form = {"interaction": hidden(answer), "username": asked["username"], "password": asked["password"]}
            answer = self.page(self.browser.post(issuer + "/login", data=form, allow_redirects=False))
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    def cookies(self):
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.browser.cookies)

    def interaction(self, path, **parameters):
        """A fresh step that waits at a page, for somebody who is signed in."""
        self.code()
        return hidden(self.page(self.get(path, **parameters)))


def hidden(page, name="interaction"):
    found = re.search(f'name="{name}" value="([^"]*)"', page.text)
    return html.unescape(found[1]) if found else "none"


def post(path, **form):
    http = requests.Session()
    http.trust_env = False
    return http.post(issuer + path, data=form).json()


def proof(client):
    return {"client_id": client, "client_secret": secret}


def tokens():
    code = {"grant_type": "authorization_code", "code": person.code(), "redirect_uri": CALLBACK}
    return post("/token", **code, code_verifier=VERIFIER, **proof("web"))


def device_code():
    return post("/device_authorization", client_id="tv")


def grants():
    """One way to a token after the other."""
    while True:
        yield {"grant_type": "client_credentials", "scope": "jobs", **proof("service")}
        password = {"username": asked["username"], "password": asked["password"]}
        yield {"grant_type": "password", "client_id": "legacy", **password}
        code = {"code": person.code(), "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        yield {"grant_type": "authorization_code", **code, **proof("web")}
        yield {"grant_type": "refresh_token", "refresh_token": tokens()["refresh_token"], **proof("web")}
        yield {"grant_type": "device_code", "device_code": device_code()["device_code"], "client_id": "tv"}
        exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
        kind = "urn:ietf:params:oauth:token-type:access_token"
        subject = {"subject_token": tokens()["access_token"], "subject_token_type": kind, "audience": "service"}
        yield {"grant_type": exchange, **subject, **proof("service")}


def any_token():
    given = tokens()
    return chance.choice([given["access_token"], given["refresh_token"]])


def basic(client):
    pair = f"{quote_plus(client)}:{quote_plus(secret)}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer():
    return {"Authorization": "Bearer " + tokens()["access_token"]}


def etag(path):
    return {"If-None-Match": person.get(path).headers["etag"]}


def consent():
    return person.interaction("/authorize", **AUTHORIZATION, prompt="consent")


def activation():
    user_code = device_code()["user_code"]
    return {"interaction": person.interaction("/activate"), "user_code": user_code, "decision": "deny"}


def login():
    step = person.interaction("/login")
    return {"interaction": step, "username": asked["username"], "password": asked["password"]}


def application():
    where = urlsplit(issuer)
    return {
        "X-Forwarded-Proto": where.scheme,
        "X-Forwarded-Host": where.netloc,
        "X-Forwarded-Uri": "/orders",
        "X-Forwarded-Method": "GET",
    }


def session_to_end():
    person.code()
    return {"token": hidden(person.get("/"), "token"), "everywhere": "1"}


way = grants()
# One of our own: hypothesis starts the common one afresh for every request.
chance = random.Random(asked["seed"])
# For each operation where the real values go, and how they are made.
KNOWN = {
    "POST /token": ("body", lambda: next(way)),
    "GET /userinfo": ("headers", bearer),
    "POST /userinfo": ("headers", bearer),
    "GET /token/info": ("headers", bearer),
    "POST /token/info": ("body", lambda: {"access_token": tokens()["access_token"]}),
    "POST /introspect": ("body", lambda: {"token": any_token(), **proof("web")}),
    "POST /revoke": ("body", lambda: {"token": any_token(), **proof("web")}),
    "POST /device_authorization": ("body", lambda: {"client_id": "tv", "scope": "openid"}),
    "POST /oauth/device_authorization": ("body", lambda: {"client_id": "tv", "scope": "openid"}),
    "GET /authorize": ("query", lambda: {**AUTHORIZATION, "interaction": ""}),
    "POST /authorize": ("body", lambda: AUTHORIZATION),
    "GET /login": ("query", lambda: {"interaction": person.interaction("/login")}),
    "POST /login": ("body", login),
    "GET /consent": ("query", lambda: {"interaction": consent()}),
    "POST /consent": ("body", lambda: {"interaction": consent(), "decision": "allow"}),
    "GET /activate": ("query", lambda: {"interaction": person.interaction("/activate")}),
    "POST /activate": ("body", activation),
    "GET /logout": ("query", lambda: {"id_token_hint": tokens()["id_token"], "client_id": "web"}),
    "POST /logout": ("body", lambda: {"interaction": person.interaction("/logout")}),
    "POST /": ("body", session_to_end),
    "GET /interceptor": ("headers", application),
    "GET /static/{name}": ("path_parameters", lambda: {"name": "style.css"}),
    "GET /.well-known/jwks.json": ("headers", lambda: etag("/.well-known/jwks.json")),
    "GET /.well-known/openid-configuration": ("headers", lambda: etag("/.well-known/openid-configuration")),
}

person = None
answered = Counter()
ended = set()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts real values in place of some generated ones. Three in ten requests stay as they are, and of the others one
    in ten values does."""
    label = case.operation.label
    if person is None or chance.random() < 0.3:
        return
    if label in KNOWN:
        place, make = KNOWN[label]
        real = {name: value for name, value in make().items() if chance.random() < 0.9}
        generated = getattr(case, place)
        # A negative case may have a body that is no form; it stays.
        if generated is None or hasattr(generated, "update"):
            setattr(case, place, {**(generated or {}), **real})
    if label.split()[1] in ("/introspect", "/revoke") and chance.random() < 0.3:
        case.headers = {**(case.headers or {}), **basic("service")}
    case.headers = {**(case.headers or {}), "Cookie": person.cookies()}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Forward-auth takes every method, which a document cannot say without repeating itself."""
    return not (case.operation.path == "/interceptor" and "method" in failure.title.lower())


@schemathesis.hook
def after_call(context, case, response):
    answered["requests"] += 1
    if ENDS.get(case.operation.label) == response.status_code:
        ended.add(case.operation.label)


def run():
    """One run of schemathesis; gives whether it found nothing."""
    limits = ["--phases", "coverage,fuzzing", "--max-examples", str(asked["examples"])]
    if asked["seconds"]:
        limits = ["--max-time", str(asked["seconds"])]
    common = ["--checks", CHECKS, "--seed", str(asked["seed"]), "--continue-on-failure", "--no-color", "--no-shrink"]
    # Redirects are answers to look at; those that lead away would be somebody else's server.
    # A credential that was made up would stand beside the real one.
    common += ["--generation-with-security-parameters", "false" if person else "true"]
    common += ["--max-redirects", "0", "--generation-database", "none", "--warnings", "off", "--request-timeout", "60"]
    # How busy the machine is says nothing about the server.
    common += ["--suppress-health-check", "all"]
    try:
        code = command_line.main(["run", issuer + "/openapi.json", *limits, *common], standalone_mode=False)
    except (Exit, SystemExit) as end:
        code = getattr(end, "exit_code", None) or getattr(end, "code", None)
    return not code


failed = []
if not run():
    failed.append("as a stranger")
person = Person()
if not run():
    failed.append("with credentials")
unanswered = sorted(set(ENDS) - ended)
print(json.dumps({"requests": answered["requests"], "failed": failed, "unanswered": unanswered}))
