#!/bin/sh
# Prints the folder of a Python environment, made from requirements/NAME.txt when it is not there
# yet: by default `dev`, in which this repository's tools and tests run. It lies outside the checkout
# and is named by that file's content, so fresh clones share it.
set -eu
cd "$(dirname "$0")/.."
name=${1:-dev}
[ -e "requirements/$name.txt" ] || {
    echo "error: there is no requirements/$name.txt; environments are dev (default), docs, train and sbom" >&2
    exit 1
}
interpreter=${PYTHON:-python3.11}
command -v "$interpreter" >/dev/null || {
    echo "error: $interpreter is not on PATH; install Python 3.11, or set PYTHON to one" >&2
    exit 1
}
version=$("$interpreter" -c 'import sys; print(sys.version.split()[0])')
content=$(cat requirements/uv.txt "requirements/$name.txt" | sha256sum | cut -c1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/qwen-operator/python-$version-$content
if [ ! -e "$folder/complete" ]; then
    echo "making the Python environment in $folder" >&2
    rm -rf "$folder"
    if ! "$interpreter" -c 'import ensurepip' 2>/dev/null; then
        # Debian splits it off.
        [ "$(id -u)" = 0 ] || {
            echo "error: $interpreter lacks the venv module; install python3-venv" >&2
            exit 1
        }
        apt-get update >&2 && apt-get install -y --no-install-recommends python3-venv >&2
    fi
    "$interpreter" -m venv "$folder" >&2
    # pip brings uv, and uv the rest: a tenth of the time.
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --require-hashes -r requirements/uv.txt >&2 &&
        "$folder/bin/uv" pip install --quiet --python "$folder/bin/python" \
            --require-hashes -r "requirements/$name.txt" >&2 || {
        echo "error: could not install requirements/$name.txt; it said why above" >&2
        rm -rf "$folder"
        exit 1
    }
    touch "$folder/complete"
fi
echo "$folder"
