"""A relying party on Authlib: a person signs in, tokens are renewed, asked about and revoked, a program has its own.

The first line of stdin is {"issuer", "redirect", "web", "plain", "signer"}, clients with their proof among them.
It prints {"open": url} where a person has to open a page, and reads on the next line where that led; all else that it
prints is {"found": what, ...}, to be judged by the test.
"""

import json
import sys

from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry


def say(line):
    print(json.dumps(line), flush=True)


def found(what, **more):
    say({"found": what, **more})


def read():
    return json.loads(sys.stdin.readline())


def refused(what, request):
    """What the server made of a request that it should refuse, as the library tells it."""
    try:
        request()
        found(what, accepted=True)
    except OAuthError as error:
        found(what, error=error.error, message=str(error))


settings = read()
web, plain, signer = settings["web"], settings["plain"], settings["signer"]


def session(client, secret, method, **more):
    made = OAuth2Session(client, secret, token_endpoint_auth_method=method, default_timeout=20, **more)
    made.trust_env = False
    return made


application = session(
    web["client"],
    web["secret"],
    # Not Basic, into which Authlib puts secrets as they are: RFC 6749 §2.3.1 has these characters encoded.
    "client_secret_post",
    revocation_endpoint_auth_method="client_secret_post",
    scope="openid profile email offline_access",
    redirect_uri=settings["redirect"],
    code_challenge_method="S256",
)
get = lambda url: application.get(url, withhold_token=True).json()

server = OpenIDProviderMetadata(get(settings["issuer"] + "/.well-known/openid-configuration"))
server.validate()
found("discovery", issuer=server["issuer"])
keys = KeySet.import_key_set(get(server["jwks_uri"]))


def verified(tokens, nonce):
    """The algorithm and the claims of an ID token, verified as Authlib's integrations for web frameworks do."""
    registry = JWSRegistry(algorithms=server["id_token_signing_alg_values_supported"], strict_check_header=False)
    token = jwt.decode(tokens["id_token"], key=keys, registry=registry)
    options = {
        "iss": {"essential": True, "values": [server["issuer"]]},
        "aud": {"essential": True, "values": [web["client"]]},
    }
    params = {"nonce": nonce, "client_id": web["client"], "access_token": tokens["access_token"]}
    claims = CodeIDToken(token.claims, token.header, options, params)
    claims.validate()
    return {"alg": token.header["alg"], "claims": claims}


def sign_in():
    """The code flow up to the code."""
    verifier, nonce = generate_token(48), generate_token()
    url, state = application.create_authorization_url(
        server["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    say({"open": url})
    return read()["url"], state, verifier, nonce


def exchange(answer, state, verifier):
    return application.fetch_token(
        server["token_endpoint"], authorization_response=answer, state=state, code_verifier=verifier
    )


answer, state, verifier, nonce = sign_in()
tokens = exchange(answer, state, verifier)
found("signed in", **verified(tokens, nonce), scope=tokens["scope"], expires_in=tokens["expires_in"])
try:
    verified(tokens, "another")
    found("another nonce", accepted=True)
except JoseError as error:
    found("another nonce", error=error.error, message=str(error))
refused("the code again", lambda: exchange(answer, state, verifier))

answer, state, verifier, nonce = sign_in()
refused("another verifier", lambda: exchange(answer, state, generate_token(48)))

tokens = exchange(*sign_in()[:3])
found("userinfo", claims=application.get(server["userinfo_endpoint"]).json())

renewed = application.refresh_token(server["token_endpoint"])
rotated = renewed["refresh_token"] != tokens["refresh_token"]
found("refreshed", **verified(renewed, None), scope=renewed["scope"], rotated=rotated)


def introspect(token):
    return application.introspect_token(server["introspection_endpoint"], token=token).json()


access, refresh = renewed["access_token"], renewed["refresh_token"]
found("introspected", access=introspect(access), refresh=introspect(refresh))
status = application.revoke_token(server["revocation_endpoint"], token=refresh, token_type_hint="refresh_token").status_code
found("revoked", status=status, access=introspect(access), refresh=introspect(refresh))
refused("refresh after that", lambda: application.refresh_token(server["token_endpoint"], refresh_token=refresh))

# By Basic, the library's default; this secret has nothing in it to encode.
own = session(plain["client"], plain["secret"], "client_secret_basic").fetch_token(
    server["token_endpoint"], grant_type="client_credentials", scope="orders:read"
)
found("on its own", scope=own["scope"], members=sorted(own))


def signed(key):
    made = session(signer["client"], key, "private_key_jwt")
    made.register_client_auth_method(PrivateKeyJWT(headers={"kid": signer["kid"]}, alg="ES256"))
    return made.fetch_token(server["token_endpoint"], grant_type="client_credentials", scope="orders:read")


found("by private_key_jwt", scope=signed(ECKey.import_key(signer["pem"]))["scope"])
refused("another private key", lambda: signed(ECKey.generate_key("P-256")))
