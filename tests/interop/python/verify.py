"""A resource server that verifies access tokens with PyJWT and its PyJWKClient.

Reads {"issuer", "cases": [{"case", "audience", "token"}]} from stdin and prints one JSON line for each case.
"""

import json
import sys
from urllib.request import urlopen

import jwt

request = json.load(sys.stdin)
with urlopen(request["issuer"] + "/.well-known/openid-configuration") as discovery:
    metadata = json.load(discovery)

keys = jwt.PyJWKClient(metadata["jwks_uri"])

for case in request["cases"]:
    verdict = {"case": case["case"], "accepted": False}
    try:
        verdict["claims"] = jwt.decode(
            case["token"],
            keys.get_signing_key_from_jwt(case["token"]),
            algorithms=["RS256"],
            issuer=metadata["issuer"],
            audience=case["audience"],
            options={"require": ["exp", "iat", "sub"]},
        )
        verdict["accepted"] = True
    except jwt.PyJWTError as error:
        verdict["reason"] = f"{type(error).__name__}: {error}"
    print(json.dumps(verdict))
