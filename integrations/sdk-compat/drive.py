"""Sets the stage, lets every SDK play its three scenes, and writes the tables. Fails where an SDK is let down."""

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

STAGE, WORK, TABLE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
HERE = Path(__file__).parent
VERSIONS = json.loads((HERE / "package.json").read_text())["dependencies"]
for list_of in ("requirements", "requirements-ai"):
    VERSIONS |= dict(line.split("==") for line in (HERE / f"{list_of}.txt").read_text().split())


@dataclass
class Sdk:
    registry: str
    name: str
    call: str
    # What it lets its caller see of a refusal: the `code` and the `status`, the `code`, the `text`, or `nothing`.
    shows: str = "status"
    # What it can prove its client by.
    proofs: tuple = ("secret", "key")
    # Whose token it exchanges.
    subject: str = "refresh token"
    program: tuple = ("requirements/bin/python", "client.py")


NODE = ("node", "client.mjs")
SDKS = [
    Sdk("npm", "auth0", "`AuthenticationClient.oauth.tokenForConnection`", program=NODE),
    Sdk("npm", "@auth0/auth0-auth-js", "`AuthClient.exchangeToken`", program=NODE),
    Sdk("npm", "@auth0/auth0-server-js", "`ServerClient.getAccessTokenForConnection`", program=NODE),
    Sdk("npm", "@auth0/ai", "`TokenVaultAuthorizerBase.protect`", "nothing", ("secret",), program=NODE),
    Sdk("PyPI", "auth0-python", "`GetToken.access_token_for_connection`"),
    Sdk(
        "PyPI",
        "auth0-api-python",
        "`ApiClient.get_access_token_for_connection`",
        proofs=("secret",),
        subject="access token",
    ),
    Sdk("PyPI", "auth0-server-python", "`ServerClient.get_access_token_for_connection`", "text"),
    Sdk(
        "PyPI",
        "auth0-ai",
        "`TokenVaultAuthorizerBase.protect`",
        "text",
        program=("requirements-ai/bin/python", "client.py"),
    ),
]

DENIED = {"status": 403, "code": "access_denied", "text": "`stranger"}
NOT_CONNECTED = {
    "status": 401,
    "code": "federated_connection_refresh_token_not_found",
    "text": "Federated connection Refresh Token not found.",
}
# Who asks, for which connection, what comes of it.
SCENES = [("helper", "github", None), ("stranger", "github", DENIED), ("helper", "slack", NOT_CONNECTED)]


def main():
    stage = subprocess.Popen([STAGE, str(WORK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    faults, tables = [], {}
    try:
        stage_says = json.loads(stage.stdout.readline())
        for name, world in stage_says.pop("worlds").items():
            world |= stage_says | {"name": name}
            prepare(world)
            faults += discovery(world)
            rows = [play(sdk, proof, world, faults) for sdk in SDKS for proof in sdk.proofs]
            tables[name] = "\n".join(rows)
    finally:
        stage.stdin.close()
        stage.wait(timeout=60)
    for fault in faults:
        print(fault, file=sys.stderr)
    for t in tables.values(): print(t)
    if faults:
        sys.exit(1)


def answer(world, url, method="GET", headers=(), body=None):
    headers = {"Content-Type": "application/json", **dict(headers)}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=world["ca"])) as came:
        return json.load(came)


def prepare(world):
    """Live mode, and an agent for every client; helpers may use GitHub and Slack, of which only GitHub is connected."""

    def call(method, path, body):
        headers = {"Authorization": f"Bearer {world['admin_key']}"}
        return answer(world, world["admin_url"] + path, method, headers, body)

    link = {"user_id": world["user"], "scopes": "repo:status"}
    for connection in ("github", "slack"):
        # Slack: onesec believes it connected, the tenant's vault has nothing.
        call("POST", "/api/v1/events", {"type": "connected_account_link", "details": {**link, "connection": connection}})
    for client, told in world["clients"].items():
        agent = client
        if world["name"] == "domain" and "client_secret" in told:
            made = call("POST", "/api/v1/keys", {"name": agent, "scopes": ["exchange"], "agent_id": agent})
            told["client_secret"] = made["key"]
        else:
            agent = f"{client}-agent"
            keys = [told["jwk"]] if world["name"] == "domain" else []
            call("PUT", f"/api/v1/agents/{agent}", {"clients": [client], "keys": keys})
        if client.startswith("helper"):
            for connection in ("github", "slack"):
                lent = {"user_id": world["user"], "agent_id": agent, "connection": connection}
                call("POST", "/api/v1/delegations", lent | {"scopes": ["repo:status"]})
    call("PUT", "/api/v1/enforcement/mode", {"mode": "live"})


def discovery(world):
    """In front of a custom domain, the documents are the tenant's; else they are onesec's, and name it."""
    faults = []
    base = f"https://{world['domain']}"
    for path in ("/.well-known/openid-configuration", "/.well-known/jwks.json"):
        ours = answer(world, base + path)
        theirs = answer(world, world["tenant_url"] + path, headers={"cname-api-key": world["tenant_key"]})
        if (ours == theirs) != (world["name"] == "custom_domain"):
            faults.append(f"{world['name']}: {path} is not whose it should be: {ours}")
        if ours.get("issuer", f"{base}/") != f"{base}/":
            faults.append(f"{world['name']}: issuer {ours['issuer']}")
    return faults


def play(sdk, proof, world, faults):
    told = []
    for who, connection, refused in SCENES:
        came = ask(sdk, {**world, **world["clients"][f"{who}-{proof}"], "client_id": f"{who}-{proof}"}, connection)
        told.append(shown(came))
        faults.append(f"{world['name']} {sdk.name} {proof} {who} {connection}: {came}")
    return f"| {sdk.registry} `{sdk.name}` | {VERSIONS[sdk.name]} | {sdk.call} | {proof} | " + " | ".join(told) + " |"


def ask(sdk, asked, connection):
    program = [str(WORK / sdk.program[0]) if sdk.registry == "PyPI" else sdk.program[0], *sdk.program[1:], sdk.name]
    trust = {name: asked["ca"] for name in ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}
    done = subprocess.run(
        program,
        input=json.dumps(asked | {"connection": connection}),
        capture_output=True,
        text=True,
        cwd=WORK,
        env={**os.environ, **trust},
        timeout=60,
    )
    if not done.stdout.strip():
        return {"token": False, "class": "crash", "message": done.stderr[-500:]}
    return {"token": False, **json.loads(done.stdout.splitlines()[-1])}


def shown(came):
    if came["token"]:
        return "token"
    status = f" ({came['status']})" if came.get("status") else ""
    return f"`{came['class']}`: `{came['code']}`{status}"

main()
