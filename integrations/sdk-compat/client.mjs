// One exchange with one SDK: node client.mjs SDK, the particulars as JSON on standard input, what became of it as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { domain, client_id: clientId, refresh_token: refreshToken, connection } = asked;
const proof = asked.private_key
  ? { clientAssertionSigningKey: asked.private_key }
  : { clientSecret: asked.client_secret };
const TOKEN_TYPE = "urn:ietf:params:oauth:token-type";

const sdks = {
  async auth0() {
    const { AuthenticationClient } = await import("auth0");
    const client = new AuthenticationClient({ domain, clientId, ...proof, retry: { enabled: false } });
    const answer = await client.oauth.tokenForConnection({ subject_token: refreshToken, connection });
    return answer.data;
  },
  async "@auth0/auth0-auth-js"() {
    const { AuthClient } = await import("@auth0/auth0-auth-js");
    const client = new AuthClient({ domain, clientId, ...proof });
    const wanted = { connection, subjectToken: asked[asked.subject], subjectTokenType: `${TOKEN_TYPE}:${asked.subject}` };
    const headers = asked.api_key && { "X-API-Key": asked.api_key };
    const { accessToken, scope } = await client.exchangeToken(wanted, headers && { headers });
    return { access_token: accessToken, scope };
  },
  async "@auth0/auth0-server-js"() {
    const { ServerClient } = await import("@auth0/auth0-server-js");
    const stateStore = new Store();
    // A session as a login leaves it.
    await stateStore.set("__a0_session", {
      user: { sub: asked.user },
      refreshToken,
      tokenSets: [],
      internal: { sid: "sdk-compat", createdAt: Math.floor(Date.now() / 1000) },
    });
    const client = new ServerClient({ domain, clientId, ...proof, stateStore, transactionStore: new Store() });
    const { accessToken, scope } = await client.getAccessTokenForConnection({ connection });
    const kept = (await stateStore.get("__a0_session")).connectionTokenSets;
    if (kept?.[0]?.accessToken !== accessToken) throw new Error("the session does not have the token");
    return { access_token: accessToken, scope };
  },
  async "@auth0/ai"() {
    // By `require`: its ES modules are for bundlers, node finds no file by the names in them.
    const require = createRequire(import.meta.url);
    const { TokenVaultAuthorizerBase, getCredentialsFromTokenVault } = require("@auth0/ai/TokenVault");
    const { MemoryStore } = require("@auth0/ai/stores");
    const params = { connection, scopes: [], refreshToken: async () => refreshToken, store: new MemoryStore() };
    const authorizer = new TokenVaultAuthorizerBase({ domain, clientId, ...proof }, params);
    const call = () => ({ threadID: "thread", toolCallID: "call", toolName: "tool" });
    const { accessToken, scopes } = await authorizer.protect(call, async () => getCredentialsFromTokenVault())();
    return { access_token: accessToken, scope: scopes?.join(" ") };
  },
};

/** Keeps state for as long as this runs. */
class Store {
  #kept = new Map();
  async set(id, state) {
    this.#kept.set(id, state);
  }
  async get(id) {
    return this.#kept.get(id);
  }
  async delete(id) {
    this.#kept.delete(id);
  }
  async deleteByLogoutToken() {}
}

try {
  const { access_token, scope } = await sdks[process.argv[2]]();
  console.log(JSON.stringify({ token: Boolean(access_token), scope }));
} catch (error) {
  const code = error.cause?.error ?? error.error ?? error.code;
  const status = error.statusCode ?? error.status;
  console.log(JSON.stringify({ class: error.constructor.name, status, code, message: error.message }));
}
