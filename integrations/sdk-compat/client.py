"""One exchange with one SDK: client.py SDK, the particulars as JSON on standard input, what became of it as JSON."""

import asyncio
import json
import sys

asked = json.load(sys.stdin)
signing_key = asked.get("private_key")
proof = {"client_assertion_signing_key": signing_key} if signing_key else {"client_secret": asked["client_secret"]}


def auth0_python():
    from auth0.authentication import GetToken

    client = GetToken(asked["domain"], asked["client_id"], **proof)
    return client.access_token_for_connection(
        subject_token_type="urn:ietf:params:oauth:token-type:refresh_token",
        subject_token=asked["refresh_token"],
        requested_token_type="http://auth0.com/oauth/token-type/federated-connection-access-token",
        connection=asked["connection"],
    )


def auth0_api_python():
    from auth0_api_python import ApiClient, ApiClientOptions

    client = ApiClient(
        ApiClientOptions(domain=asked["domain"], audience=asked["audience"], client_id=asked["client_id"], **proof)
    )
    options = {"connection": asked["connection"], "access_token": asked["access_token"]}
    return asyncio.run(client.get_access_token_for_connection(options))


def auth0_server_python():
    from auth0_server_python.auth_server.server_client import ServerClient

    class Store:
        """Keeps state for as long as this runs."""

        def __init__(self):
            self.kept = {}

        async def set(self, identifier, state, *_):
            self.kept[identifier] = state

        async def get(self, identifier, *_):
            return self.kept.get(identifier)

        async def delete(self, identifier, *_):
            self.kept.pop(identifier, None)

    sessions = Store()
    # A session as a login leaves it.
    session = {"user": {"sub": asked["user"]}, "refresh_token": asked["refresh_token"], "domain": asked["domain"]}
    sessions.kept["_a0_session"] = {**session, "token_sets": [], "connection_token_sets": []}
    client = ServerClient(
        domain=asked["domain"],
        client_id=asked["client_id"],
        secret="only-for-this-session-and-long-enough",
        state_store=sessions,
        transaction_store=Store(),
        **proof,
    )
    token = asyncio.run(client.get_access_token_for_connection({"connection": asked["connection"]}))
    kept = sessions.kept["_a0_session"]["connection_token_sets"][0]
    if kept["access_token"] != token:
        raise RuntimeError("the session does not have the token")
    return kept


def auth0_ai():
    from auth0_ai.authorizers.token_vault_authorizer import (
        TokenVaultAuthorizerBase,
        TokenVaultAuthorizerParams,
        get_credentials_from_token_vault,
    )

    params = TokenVaultAuthorizerParams([], asked["connection"], refresh_token=asked["refresh_token"])
    config = {"domain": asked["domain"], "client_id": asked["client_id"], **proof}
    tool = TokenVaultAuthorizerBase(params, config).protect(
        lambda: {"thread_id": "thread", "tool_call_id": "call", "tool_name": "tool"}, get_credentials_from_token_vault
    )
    credentials = asyncio.run(tool())
    return {**credentials, "scope": " ".join(credentials["scope"])}


sdks = {
    "auth0-python": auth0_python,
    "auth0-api-python": auth0_api_python,
    "auth0-server-python": auth0_server_python,
    "auth0-ai": auth0_ai,
}
try:
    answer = sdks[sys.argv[1]]()
    print(json.dumps({"token": bool(answer["access_token"]), "scope": answer.get("scope")}))
except Exception as error:
    code = getattr(error, "error_code", None) or getattr(error, "code", None)
    if callable(code):
        code = code()
    status = getattr(error, "status_code", None)
    print(json.dumps({"class": type(error).__name__, "status": status, "code": code, "message": str(error)}))
