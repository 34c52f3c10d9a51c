"""onesec over HTTP, in a few lines: nothing but the standard library."""

import json
import urllib.request


class Refused(Exception):
    """onesec says no; the reason, for the model and for people."""


class Onesec:
    def __init__(self, url: str, key: str):
        self.url, self.key = url, key

    def _post(self, path: str, event: dict) -> dict:
        request = urllib.request.Request(self.url + path, json.dumps(event).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def tell(self, kind: str, **details) -> None:
        """Something that happened."""
        self._post("/api/v1/events", {"type": kind, "details": details})

    def may(self, kind: str, **details) -> None:
        """Something that is about to happen: raises `Refused` where it must not."""
        ruling = self._post("/api/v1/decide", {"type": kind, "details": details})
        if ruling["decision"] != "allow":
            why = [f"{f['detector']}: {f['reason']}" for f in ruling["findings"]]
            raise Refused("; ".join(why) or ruling["decision"])
