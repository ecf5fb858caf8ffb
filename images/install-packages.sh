#!/bin/sh
# Installs the Debian packages that a list names, unless the base image was made with them.
set -eu
list=$1
mark=/etc/image-packages
if ! cmp -s "$list" "$mark"; then
    apt-get update
    # shellcheck disable=SC2046 # one word for each package is meant
    apt-get install -y --no-install-recommends $(grep -v '^#' "$list")
    rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
fi
