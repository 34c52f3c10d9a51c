#!/usr/bin/env bash
# Runs Auth0's own SDKs against onesec and writes docs/sdk-compatibility.md; fails where an SDK gets another answer than
# it should. Needs cargo, node with npm, and python3 with venv. The SDKs speak to this machine only; everything that is
# installed goes into a directory that is removed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet --locked --manifest-path "$root/Cargo.toml" -p onesec-server --example sdk_stage
target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

cp "$here"/package.json "$here"/client.mjs "$here"/client.py "$work"
(cd "$work" && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts)
# auth0-ai wants another auth0-python than the rest: an environment of its own.
for list in requirements requirements-ai; do
    python3 -m venv "$work/$list"
    "$work/$list/bin/pip" install --quiet --disable-pip-version-check -r "$here/$list.txt"
done

python3 "$here/drive.py" "$target/debug/examples/sdk_stage" "$work" "$root/docs/sdk-compatibility.md"
