// A resource server that verifies access tokens with jwks-rsa and jsonwebtoken.
//
// Reads {"issuer", "cases": [{"case", "audience", "token"}]} from stdin and prints one JSON line for each case.
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import jwt from 'jsonwebtoken';
import jwksClient from 'jwks-rsa';

const { issuer, cases } = await json(process.stdin);
const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
const metadata = await discovery.json();

const client = jwksClient({ jwksUri: metadata.jwks_uri });
const verify = promisify(jwt.verify);

function getKey(header, callback) {
  client.getSigningKey(header.kid, (error, key) => callback(error, key?.getPublicKey()));
}

for (const { case: name, audience, token } of cases) {
  try {
    const claims = await verify(token, getKey, { issuer: metadata.issuer, audience, algorithms: ['RS256'] });
    console.log(JSON.stringify({ case: name, accepted: true, claims }));
  } catch (error) {
    console.log(JSON.stringify({ case: name, accepted: false, reason: `${error.name}: ${error.message}` }));
  }
}
