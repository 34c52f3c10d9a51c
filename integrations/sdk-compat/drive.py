"""Sets the stage, lets every SDK play its scenes, and writes the tables. Fails where an SDK is let down."""

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
for pinned in ("requirements", "requirements-ai"):
    VERSIONS |= dict(line.split("==") for line in (HERE / f"{pinned}.txt").read_text().split())


@dataclass
class Sdk:
    registry: str
    name: str
    call: str
    program: tuple
    # What its caller sees of a refusal: `code` and status, the error's `text`, or `nothing`.
    sees: str = "code"
    # What its client can be proven by; `header` is the agent's API key beside what proves the client to the tenant.
    proofs: tuple = ("secret", "key")
    subject: str = "refresh token"
    # Where onesec stands before the tenant, what keeps it from working at all.
    kept_out: str = ""


JS = ("node", "client.mjs")
PY = ("requirements/bin/python", "client.py")
PY_AI = ("requirements-ai/bin/python", "client.py")
PROTECT = "`TokenVaultAuthorizerBase.protect`"
SDKS = [
    Sdk("npm", "auth0", "`AuthenticationClient.oauth.tokenForConnection`", JS, kept_out="`client_id` is needed"),
    Sdk("npm", "@auth0/auth0-auth-js", "`AuthClient.exchangeToken`", JS),
    Sdk("npm", "@auth0/auth0-auth-js", "`AuthClient.exchangeToken`", JS, proofs=("header",), subject="access token"),
    Sdk("npm", "@auth0/auth0-server-js", "`ServerClient.getAccessTokenForConnection`", JS),
    Sdk("npm", "@auth0/ai", PROTECT, JS, sees="nothing", proofs=("secret",)),
    Sdk("PyPI", "auth0-python", "`GetToken.access_token_for_connection`", PY),
    Sdk(
        "PyPI",
        "auth0-api-python",
        "`ApiClient.get_access_token_for_connection`",
        PY,
        proofs=("secret",),
        subject="access token",
        kept_out="only refresh tokens show whose client asks",
    ),
    Sdk("PyPI", "auth0-server-python", "`ServerClient.get_access_token_for_connection`", PY, sees="text"),
    Sdk("PyPI", "auth0-ai", PROTECT, PY_AI, sees="text"),
]
DENIED = {"status": 403, "code": "access_denied", "text": "refused by policy: no user delegated this account"}
NOT_CONNECTED = {
    "status": 401,
    "code": "federated_connection_refresh_token_not_found",
    "text": "Federated connection Refresh Token not found.",
}
# Who asks, for which connection, how it is refused.
SCENES = [("helper", "github", None), ("stranger", "github", DENIED), ("helper", "slack", NOT_CONNECTED)]


def main():
    stage = subprocess.Popen([STAGE, str(WORK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    faults, tables = [], {}
    try:
        told = json.loads(stage.stdout.readline())
        for name, world in told.pop("worlds").items():
            world |= told | {"name": name}
            prepare(world)
            faults += discovery(world)
            tables[name] = "\n".join(row(sdk, proof, world, faults) for sdk in SDKS for proof in sdk.proofs)
    finally:
        stage.stdin.close()
        stage.wait(timeout=60)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)
    page = (HERE / "page.md").read_text()
    for name, table in tables.items():
        page = page.replace(f"{{{name}}}", table)
    TABLE.write_text(page)
    print(f"written: {TABLE}")


def http(world, url, headers, method="GET", body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=world["ca"])) as answer:
        return json.load(answer)


def prepare(world):
    """Live mode, and an agent for every client; helpers may use GitHub and Slack, of which only GitHub is connected."""

    def call(method, path, body):
        authorization = {"Authorization": f"Bearer {world['admin_key']}"}
        return http(world, world["admin_url"] + path, authorization, method, body)

    link = {"user_id": world["user"], "scopes": "repo:status"}
    for connection in ("github", "slack"):
        # Slack: onesec believes it connected, the tenant's vault has nothing.
        call("POST", "/api/v1/events", {"type": "connected_account_link", "details": {**link, "connection": connection}})
    for client, particulars in world["clients"].items():
        by_key_of_ours = world["name"] == "domain" and "client_secret" in particulars
        agent = client if by_key_of_ours else f"{client}-agent"
        made = call("POST", "/api/v1/keys", {"name": agent, "scopes": ["exchange"], "agent_id": agent})
        particulars["api_key"] = made["key"]
        if by_key_of_ours:
            particulars["client_secret"] = made["key"]
        else:
            keys = [particulars["jwk"]] if world["name"] == "domain" else []
            call("PUT", f"/api/v1/agents/{agent}", {"clients": [client], "keys": keys})
        for connection in ("github", "slack") if client.startswith("helper") else ():
            lent = {"user_id": world["user"], "agent_id": agent, "connection": connection, "scopes": ["repo:status"]}
            call("POST", "/api/v1/delegations", lent)
    call("PUT", "/api/v1/enforcement/mode", {"mode": "live"})


def discovery(world):
    """Before a custom domain the documents are the tenant's, to the letter; else they are onesec's."""
    base = f"https://{world['domain']}"
    for path in ("/.well-known/openid-configuration", "/.well-known/jwks.json"):
        ours = http(world, base + path, {})
        theirs = http(world, world["tenant_url"] + path, {"cname-api-key": world["tenant_key"]})
        if (ours == theirs) != (world["name"] == "custom_domain"):
            yield f"{world['name']}: {path} is not whose it should be: {ours}"
        if ours.get("issuer", f"{base}/") != f"{base}/":
            yield f"{world['name']}: the issuer is {ours['issuer']}"


def row(sdk, proof, world, faults):
    told = []
    for who, connection, refused in SCENES:
        came = play(sdk, asked(sdk, proof, world, who) | {"connection": connection})
        told.append(shown(sdk, came))
        if not as_expected(sdk, came, expected(sdk, proof, world, refused)):
            faults.append(f"{world['name']}: {sdk.name} by {proof}, {who} for {connection}: {came}")
    cells = [f"{sdk.registry} `{sdk.name}`", VERSIONS[sdk.name], sdk.call, sdk.subject, proof, verdict(sdk, proof, world)]
    return f"| {' | '.join(cells + told)} |"


def asked(sdk, proof, world, who):
    client = f"{who}-secret" if proof == "header" else f"{who}-{proof}"
    particulars = {**world, **world["clients"][client], "client_id": client, "subject": sdk.subject.replace(" ", "_")}
    if proof != "header":
        del particulars["api_key"]
    return particulars


def expected(sdk, proof, world, refused):
    """`None` is a token."""
    if why := kept_out(sdk, proof, world):
        return {"status": 400, "code": "invalid_request", "text": why}
    return refused


def kept_out(sdk, proof, world):
    if world["name"] != "custom_domain":
        return ""
    return sdk.kept_out or ("a client assertion is used up before the exchange" if proof == "key" else "")


def verdict(sdk, proof, world):
    if kept_out(sdk, proof, world):
        return "no"
    return {"code": "yes", "text": "yes, told apart by text", "nothing": "token yes, refusals all alike"}[sdk.sees]


def as_expected(sdk, came, refused):
    if refused is None or came["token"]:
        return came["token"] and refused is None
    match sdk.sees:
        case "code":
            return (came.get("status"), came.get("code")) == (refused["status"], refused["code"])
        case "text":
            return refused["text"] in came["message"]
        case _:
            return came["class"] == "TokenVaultInterrupt"


def play(sdk, particulars):
    program = [str(WORK / sdk.program[0]) if sdk.registry == "PyPI" else sdk.program[0], *sdk.program[1:], sdk.name]
    trust = {name: particulars["ca"] for name in ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")}
    environment = {**os.environ, **trust}
    done = subprocess.run(
        program, input=json.dumps(particulars), capture_output=True, text=True, cwd=WORK, env=environment, timeout=60
    )
    if not done.stdout.strip():
        return {"token": False, "class": "crash", "message": done.stderr[-500:]}
    return {"token": False, **json.loads(done.stdout.splitlines()[-1])}


def shown(sdk, came):
    if came["token"]:
        return "token"
    if sdk.sees != "code":
        return f"`{came['class']}`: “{came['message']}”"
    return f"`{came['class']}`: `{came.get('code')}` ({came.get('status')})"


main()
