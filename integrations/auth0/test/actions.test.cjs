// node --test integrations/auth0/test
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const { run } = require("../stub.cjs");

const MESSAGE = "Access is suspended. Please contact your administrator.";
const LOGIN = "oidc-basic-profile";
const user = (app_metadata, more = {}) => ({
  user: { user_id: "auth0|ana", app_metadata },
  client: { client_id: "c", metadata: {} },
  transaction: { protocol: LOGIN },
  ...more,
});
const client = (metadata, more = {}) => ({ client: { client_id: "c", metadata }, ...more });
const denied = { calls: [["access.deny", MESSAGE]] };
const passed = { calls: [] };

test("who is not flagged passes", async () => {
  for (const metadata of [undefined, null, {}, { plan: "gold" }, { onesec: null }, { onesec: { flagged: false } }]) {
    assert.deepEqual(await run("post-login", user(metadata)), passed, JSON.stringify(metadata));
  }
  for (const metadata of [undefined, null, {}, { tier: "1" }, { onesec_flagged: "" }, { onesec_flagged: "false" }]) {
    assert.deepEqual(await run("credentials-exchange", client(metadata)), passed, JSON.stringify(metadata));
    assert.deepEqual(await run("post-login", { ...user({}), ...client(metadata) }), passed, JSON.stringify(metadata));
  }
});

test("a flagged user is refused, and nothing of why is shown", async () => {
  const flag = { flagged: true, reason: "unauthorized-agent", at: "2026-01-01T00:00:00Z", alert: "0123abcd" };
  for (const protocol of [LOGIN, "oauth2-token-exchange", "oauth2-device-code", undefined]) {
    const event = user({ onesec: flag }, { transaction: { protocol } });
    assert.deepEqual(await run("post-login", event), denied, String(protocol));
  }
});

test("the refresh token that a flagged user's agent has is revoked as well", async () => {
  const event = user({ onesec: { flagged: true } }, { transaction: { protocol: "oauth2-refresh-token" } });
  const both = { calls: [["refreshToken.revoke", "suspended"], ["access.deny", MESSAGE]] };
  assert.deepEqual(await run("post-login", event), both);
  // Whatever becomes of that, the request is refused.
  for (const broken of [{ "refreshToken.revoke": true }, { noRefreshToken: true }]) {
    assert.deepEqual(await run("post-login", event, broken), denied);
  }
  // What cannot be refused must not pass: an Action that throws ends the login.
  const result = await run("post-login", event, { "access.deny": true });
  assert.match(result.threw ?? "", /fails/);
});

test("a flagged client or agent is refused, with and without a user", async () => {
  const flagged = { onesec_flagged: "true" };
  const machine = { calls: [["access.deny", "invalid_request", MESSAGE]] };
  assert.deepEqual(await run("credentials-exchange", client(flagged)), machine);
  assert.deepEqual(await run("credentials-exchange", client({}, { agent: { agent_metadata: flagged } })), machine);
  assert.deepEqual(await run("post-login", { ...user({}), ...client(flagged) }), denied);
  assert.deepEqual(await run("post-login", user({}, { agent: { agent_id: "agt_1", agent_metadata: flagged } })), denied);
});

test("a flag that cannot be read refuses, and never crashes", async () => {
  const cyclic = {};
  cyclic.flagged = cyclic;
  const throwing = new Proxy({}, { getOwnPropertyDescriptor: () => { throw new Error("secret detail"); } });
  const getter = Object.defineProperty({}, "flagged", { get() { throw new Error("secret detail"); } });
  const unreadable = [
    "false", "true", "", 0, 1, true, false, [], [false], {}, { flagged: "false" }, { flagged: "true" }, { flagged: 0 },
    { flagged: 1 }, { flagged: null }, { flagged: [] }, { flagged: {} }, { Flagged: false }, { flagged: new Boolean(false) },
    JSON.parse('{"__proto__": {"flagged": false}}'), Object.create({ flagged: false }), cyclic, throwing, getter,
    { reason: "x".repeat(1_000_000) }, () => false, Symbol("flag"), 0n,
  ];
  for (const onesec of unreadable) {
    assert.deepEqual(await run("post-login", user({ onesec })), denied, typeof onesec);
  }
  for (const metadata of ["text", 7, true, [], () => {}, throwing]) {
    assert.deepEqual(await run("post-login", user(metadata)), denied, typeof metadata);
  }
  for (const onesec_flagged of ["TRUE", "False", "no", "0", " ", 0, false, true, [], {}, "x".repeat(1_000_000)]) {
    const result = await run("credentials-exchange", client({ onesec_flagged }));
    assert.equal(result.calls.length, 1, String(onesec_flagged).slice(0, 20));
  }
  // An event without what must be there is none of a login that may pass.
  for (const event of [undefined, null, {}, { user: null }, { user: undefined, client: {} }]) {
    assert.deepEqual(await run("post-login", event), denied, JSON.stringify(event));
  }
  for (const event of [undefined, null, {}, { client: null }]) {
    assert.equal((await run("credentials-exchange", event)).calls.length, 1, JSON.stringify(event));
  }
});

test("no word of the flag reaches whoever is refused", async () => {
  const evil = "<script>alert(1)</script>\u202e\u0000".repeat(10_000);
  const flags = [
    { flagged: true, reason: evil, alert: evil, at: evil, toString: () => evil },
    { flagged: evil, reason: evil },
    evil,
  ];
  for (const onesec of flags) {
    const { calls, threw } = await run("post-login", user({ onesec }, { transaction: { protocol: "oauth2-refresh-token" } }));
    assert.equal(threw, undefined);
    assert.deepEqual(calls.flat(), ["refreshToken.revoke", "suspended", "access.deny", MESSAGE]);
  }
});

test("a polluted prototype changes nothing", async () => {
  const pollute = async (name, value, check) => {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
    try {
      await check();
    } finally {
      delete Object.prototype[name];
    }
  };
  await pollute("flagged", false, async () => assert.deepEqual(await run("post-login", user({ onesec: {} })), denied));
  await pollute("onesec", { flagged: false }, async () => {
    assert.deepEqual(await run("post-login", user({ onesec: { flagged: true } })), denied);
    assert.deepEqual(await run("post-login", user({})), passed);
  });
  await pollute("onesec_flagged", "false", async () => {
    assert.equal((await run("credentials-exchange", client({ onesec_flagged: "true" }))).calls.length, 1);
  });
});

test("both Actions read flags by the same code, and are files that can be pasted", () => {
  const code = (name) => fs.readFileSync(path.join(__dirname, "..", "actions", `${name}.js`), "utf8");
  const shared = (text) => text.split("// --- the same in both Actions ---")[1].split("// --- end of what is the same ---")[0];
  assert.equal(shared(code("post-login")), shared(code("credentials-exchange")));
  for (const name of ["post-login", "credentials-exchange"]) {
    assert.doesNotMatch(code(name), /require\(|import |console\.|fetch\(/, "nothing is loaded, logged or asked");
  }
});
