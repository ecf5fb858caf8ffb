#!/bin/sh
# Installs what the operator imports in /opt/venv.
set -eu
site=/opt/venv/lib/python3.11/site-packages
python3.11 -m venv --without-pip /opt/venv
VIRTUAL_ENV=/opt/venv /opt/tools/bin/uv pip install --quiet --no-deps --require-hashes \
    -r /build/operator.txt
# The operator talks through kubernetes.aio; the blocking client's typed calls are a third of all
# and imported only when one is named.
rm -rf $site/kubernetes/client/api
find $site -type d -name tests -prune -exec rm -rf {} +
# A read-only root file system keeps no bytecode, so it is made now, but not for the thousand
# generated modules of which a run imports a handful. It holds for its source whatever time that
# bears: copied between stages, half of all files come out a second younger.
python3.11 -m compileall -q -j 0 --invalidation-mode unchecked-hash \
    -x '/kubernetes/(aio/)?client/(api|models)/' $site
