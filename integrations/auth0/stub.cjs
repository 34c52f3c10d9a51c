// The Actions API as far as our Actions use it: it notes what was called.
"use strict";

const path = require("node:path");

/** Runs an Action. Gives what it called, in order, or what it threw. */
async function run(action, event, broken = {}) {
  const calls = [];
  const note = (name) => (...args) => {
    if (broken[name]) throw new Error("the tenant fails");
    calls.push([name, ...args]);
  };
  const api = { access: { deny: note("access.deny") }, refreshToken: { revoke: note("refreshToken.revoke") } };
  if (broken.noRefreshToken) delete api.refreshToken;
  const code = require(path.join(__dirname, "actions", `${action}.js`));
  const handler = action === "post-login" ? code.onExecutePostLogin : code.onExecuteCredentialsExchange;
  try {
    await handler(event, api);
    return { calls };
  } catch (error) {
    return { calls, threw: String(error) };
  }
}

module.exports = { run };

// By itself: `{"action", "event"}` on standard input, what was called on standard output.
if (require.main === module) {
  const { action, event } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  run(action, event).then((result) => process.stdout.write(JSON.stringify(result)));
}
