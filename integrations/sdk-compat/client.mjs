// One exchange with one SDK: node client.mjs SDK, the particulars as JSON on standard input, what became of it as JSON.
import { readFileSync } from "node:fs";

const { domain, client_id: clientId, client_secret: clientSecret, refresh_token: subjectToken, connection } = JSON.parse(
  readFileSync(0, "utf8"),
);

const sdks = {
  async auth0() {
    const { AuthenticationClient } = await import("auth0");
    const client = new AuthenticationClient({ domain, clientId, clientSecret, retry: { enabled: false } });
    const answer = await client.oauth.tokenForConnection({ subject_token: subjectToken, connection });
    return answer.data;
  },
  async "@auth0/auth0-auth-js"() {
    const { AuthClient } = await import("@auth0/auth0-auth-js");
    const client = new AuthClient({ domain, clientId, clientSecret });
    const subjectTokenType = "urn:ietf:params:oauth:token-type:refresh_token";
    const { accessToken, scope } = await client.exchangeToken({ connection, subjectToken, subjectTokenType });
    return { access_token: accessToken, scope };
  },
};

try {
  const { access_token, scope } = await sdks[process.argv[2]]();
  console.log(JSON.stringify({ token: Boolean(access_token), scope }));
} catch (error) {
  const code = error.cause?.error ?? error.error;
  const status = error.statusCode ?? error.status;
  console.log(JSON.stringify({ class: error.constructor.name, status, code, message: error.message }));
}
