"""One exchange with one SDK: client.py SDK, the particulars as JSON on standard input, what became of it as JSON."""

import asyncio
import json
import sys

asked = json.load(sys.stdin)


def auth0_python():
    from auth0.authentication import GetToken

    client = GetToken(asked["domain"], asked["client_id"], client_secret=asked["client_secret"])
    return client.access_token_for_connection(
        subject_token_type="urn:ietf:params:oauth:token-type:refresh_token",
        subject_token=asked["refresh_token"],
        requested_token_type="http://auth0.com/oauth/token-type/federated-connection-access-token",
        connection=asked["connection"],
    )


def auth0_api_python():
    from auth0_api_python import ApiClient, ApiClientOptions

    client = ApiClient(
        ApiClientOptions(
            domain=asked["domain"],
            audience=asked["audience"],
            client_id=asked["client_id"],
            client_secret=asked["client_secret"],
        )
    )
    options = {"connection": asked["connection"], "access_token": asked["access_token"]}
    return asyncio.run(client.get_access_token_for_connection(options))


sdks = {"auth0-python": auth0_python, "auth0-api-python": auth0_api_python}
try:
    answer = sdks[sys.argv[1]]()
    print(json.dumps({"token": bool(answer["access_token"]), "scope": answer.get("scope")}))
except Exception as error:
    code = getattr(error, "error_code", None) or getattr(error, "code", None)
    if callable(code):
        code = code()
    status = getattr(error, "status_code", None)
    print(json.dumps({"class": type(error).__name__, "status": status, "code": code, "message": str(error)}))
