"""A resource server that verifies tokens with PyJWT and its PyJWKClient for as long as it is asked.

Its argument is the issuer; JWT_SECRET, where it is set, verifies HS256 besides. It reads a line {"audience", "token"}
from stdin for each token and prints a line with its verdict.
"""

import json
import os
import sys
from urllib.request import urlopen

import jwt

secret = os.environ.get("JWT_SECRET")
with urlopen(sys.argv[1] + "/.well-known/openid-configuration") as discovery:
    metadata = json.load(discovery)

keys = jwt.PyJWKClient(metadata["jwks_uri"])


def key_and_algorithm(token):
    if secret and jwt.get_unverified_header(token)["alg"] == "HS256":
        return secret, "HS256"
    return keys.get_signing_key_from_jwt(token), "RS256"


for line in sys.stdin:
    case = json.loads(line)
    verdict = {"accepted": False}
    try:
        key, algorithm = key_and_algorithm(case["token"])
        verdict["claims"] = jwt.decode(
            case["token"],
            key,
            algorithms=[algorithm],
            issuer=metadata["issuer"],
            audience=case["audience"],
            options={"require": ["exp", "iat", "sub"]},
        )
        verdict["accepted"] = True
    except jwt.PyJWTError as error:
        verdict["reason"] = f"{type(error).__name__}: {error}"
    print(json.dumps(verdict), flush=True)
