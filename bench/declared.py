"""Tenants and clients as an operator would write them, and the requests of their clients."""

from pathlib import Path
from urllib.parse import urlencode

SECRET = "a secret of the benchmark, 32 characters or more"
CALLBACK = "https://app.example.com/callback"

# Says who the person is without asking anybody: what is measured is the server.
SCRIPT = """
      class UserLoginProvider {
        isLoggedIn = false; profile = {};
        constructor(credentials) {
          this.isLoggedIn = credentials.password === "open sesame";
          this.profile = { name: "Ada Lovelace", email: credentials.username + "@example.com", email_verified: true };
          commit(this.isLoggedIn, { subject: credentials.username });
        }
        get canLogin() { return this.isLoggedIn; }
        get userProfile() { return this.profile; }
        get role() { return "user"; }
      }
"""

PERSONS = 300


def person(number):
    """A name to sign in with. Everybody signs in as somebody else: attempts on one name are counted and slowed down."""
    return f"ada-{number}"


# A person of the tenant's own. The hash is as cheap as argon2id gets: it is not what is measured.
LISTED = """
    - username: {name}
      password_hash: $argon2id$v=19$m=8,t=1,p=1$QmKIXRoaaLQWZqXwH/IpXA$d5dGs+9xGnNvcdBSQCMP9JPvdvDDMSq9jvRdjSN9xQg
      profile: {{ name: Ada Lovelace, email: {name}@example.com, email_verified: true }}"""

USERS = "  users:" + "".join(LISTED.format(name=person(number)) for number in range(PERSONS)) + "\n"

# Asks a backend, like the script of the README.
ASKING = """
      class UserLoginProvider {
        constructor(credentials) {
          fetch("@BACKEND@/validate-login", { method: "POST", body: credentials })
            .then((answer) => { this.user = answer.json(); commit({ subject: this.user.id }); })
            .catch(() => commit(false));
        }
        get canLogin() { return this.user !== undefined; }
        get userProfile() { return { name: this.user.name }; }
      }
"""

# Never comes to an end.
ENDLESS = "\n      class UserLoginProvider { constructor() { for (;;); } }\n"

PEOPLE = {
    "nobody": "",
    "listed": USERS,
    # The same people, in front of an application behind a proxy.
    "guarded": "  interceptor: {domain: guarded.example.com, cookie: guarded.example.com}\n" + USERS,
}
PEOPLE |= {
    name: f"  providers:\n    - |{script}"
    for name, script in (("scripted", SCRIPT), ("asking", ASKING), ("endless", ENDLESS))
}


def tenant(name, algorithm, people="nobody"):
    return f"name: {name}\nconfig:\n  hosts: [{name}.example.com]\n  jwt_algorithm: {algorithm}\n{PEOPLE[people]}"


def client(of):
    return f"""name: Service of {of}
config:
  tenantname: {of}
  ident: {of}-service
  secret: {SECRET!r}
  redirect_urls: [{CALLBACK}]
  grant_types: [authorization_code, refresh_token, client_credentials]
  scopes: [openid, profile, email, offline_access, jobs]
"""


def declare(folder, tenants, per_file=100):
    """Writes a tenant and its client for every one in `tenants`, which are arguments of `tenant`."""
    for kind in ("Tenants", "Clients"):
        place = Path(folder) / "declared" / "Resources" / "Configurations" / kind
        place.mkdir(parents=True)
        for start in range(0, len(tenants), per_file):
            some = tenants[start : start + per_file]
            written = [tenant(*one) if kind == "Tenants" else client(one[0]) for one in some]
            (place / f"{start}.yaml").write_text("---\n".join(written))


def get(of, path, *headers):
    lines = [f"GET {path} HTTP/1.1", f"Host: {of}.example.com", *headers]
    return "\r\n".join(lines) + "\r\n\r\n"


def post(of, path, fields, *headers):
    body = urlencode(fields)
    lines = [f"POST {path} HTTP/1.1", f"Host: {of}.example.com", *headers]
    lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


def as_client(of, path, **fields):
    """A form from the tenant's client, with its secret."""
    return post(of, path, fields | {"client_id": f"{of}-service", "client_secret": SECRET})


def service_token(of):
    return as_client(of, "/token", grant_type="client_credentials", scope="jobs")
