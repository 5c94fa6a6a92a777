// A real OpenID provider on a free port of this machine, for the tests of signing in and of foreign access tokens.
//
// usage: node oidc-provider.mjs <redirect uri>
// Prints one line of JSON when it listens: { issuer }. Further lines are answers to lines that it reads:
//   rotate          begins to sign with new keys and no longer publishes the old ones
//   token <account> <alg> <tenant> prints an access token for an account, as a resource server would get it
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

const [redirectUri] = process.argv.slice(2);
const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const audience = "https://crm.example/graphql";

let generation = 0;
async function keys() {
  generation += 1;
  const made = [];
  for (const [alg, options] of [["RS256", { extractable: true }], ["EdDSA", { extractable: true, crv: "Ed25519" }]]) {
    const { privateKey } = await generateKeyPair(alg, options);
    const kid = `${alg.toLowerCase()}-${generation}`;
    made.push({ ...(await exportJWK(privateKey)), alg, use: "sig", kid });
  }
  return { keys: made };
}

// An account is its address; `unverified.` before it says that nobody checked the address.
async function findAccount(_, id) {
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      email: id.replace(/^unverified\./, ""),
      email_verified: !id.startsWith("unverified."),
    }),
  };
}

async function provider() {
  const made = new Provider(issuer, {
    jwks: await keys(),
    findAccount,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: [] },
    clients: [
      {
        client_id: "dealgraph",
        client_secret: "a secret of forty characters, no more no less",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
      {
        client_id: "public",
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
        id_token_signed_response_alg: "EdDSA",
      },
    ],
    cookies: { keys: ["only for tests"] },
    enabledJWA: {
      idTokenSigningAlgValues: ["RS256", "EdDSA"],
    },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: () => ({
          scope: "api",
          audience,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: signsWith } },
        }),
        useGrantedResource: () => true,
      },
    },
    extraTokenClaims: (_, token) => ({
      tenant,
      email: token.accountId?.replace(/^unverified\./, ""),
      email_verified: !token.accountId?.startsWith("unverified."),
    }),
  });
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

let signsWith = "RS256";
let tenant = "";
let current = await provider();
server.on("request", (request, response) => current.callback()(request, response));

async function accessToken(account, alg, ofTenant) {
  signsWith = alg;
  tenant = ofTenant;
  const client = await current.Client.find("dealgraph");
  const resource = new current.ResourceServer(audience, {
    scope: "api",
    audience,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg } },
  });
  const token = new current.AccessToken({ accountId: account, client, scope: "api" });
  token.resourceServer = resource;
  return token.save();
}

console.log(JSON.stringify({ issuer, audience }));
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(" ");
  if (command === "rotate") {
    current = await provider();
    console.log(JSON.stringify({ rotated: generation }));
  } else if (command === "token") {
    console.log(JSON.stringify({ token: await accessToken(...rest) }));
  }
}
process.exit(0);
