// A resource server that verifies tokens with jwks-rsa and jsonwebtoken for as long as it is asked.
//
// Its argument is the issuer; JWT_SECRET, where it is set, verifies HS256 besides. It reads a line {"audience", "token"}
// from stdin for each token and prints a line with its verdict.
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import jwt from 'jsonwebtoken';
import jwksClient from 'jwks-rsa';

const [issuer] = process.argv.slice(2);
const secret = process.env.JWT_SECRET;
const algorithms = secret ? ['RS256', 'HS256'] : ['RS256'];
const discovery = await fetch(`${issuer}/.well-known/openid-configuration`);
const metadata = await discovery.json();

const client = jwksClient({ jwksUri: metadata.jwks_uri });
const verify = promisify(jwt.verify);

function getKey(header, callback) {
  if (secret && header.alg === 'HS256') return callback(null, secret);
  client.getSigningKey(header.kid, (error, key) => callback(error, key?.getPublicKey()));
}

for await (const line of createInterface({ input: process.stdin })) {
  const { audience, token } = JSON.parse(line);
  try {
    const claims = await verify(token, getKey, { issuer: metadata.issuer, audience, algorithms });
    console.log(JSON.stringify({ accepted: true, claims }));
  } catch (error) {
    console.log(JSON.stringify({ accepted: false, reason: `${error.name}: ${error.message}` }));
  }
}
