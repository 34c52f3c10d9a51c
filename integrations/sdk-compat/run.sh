#!/usr/bin/env bash
# Runs Auth0's own SDKs against onesec and writes docs/sdk-compatibility.md.
# Needs cargo, node with npm, and python3 with venv. Everything it installs goes into a directory that is removed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --quiet --manifest-path "$root/Cargo.toml" -p onesec-server --example sdk_stage
target=$(cargo metadata --manifest-path "$root/Cargo.toml" --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

cp "$here"/package.json "$here"/client.mjs "$here"/client.py "$work"
(cd "$work" && npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"

python3 "$here/drive.py" "$target/debug/examples/sdk_stage" "$work" "$root/docs/sdk-compatibility.md"
