#!/bin/sh
# Lays out under DEST what `python -m benchmarks.gpu pack` wrote to CHUNKS.
#   unpack.sh CHUNKS DEST
# CHUNKS may hold only some of the chunks (SHA256SUMS is always needed): they are kept under DEST,
# and the call that brings the last one unpacks. Afterwards `. DEST/env.sh` puts in front:
#   python3        of DEST/venv: the carried packages, behind them those of this machine's python3
#   tritonserver   with its Python backend below $TRITON_BACKENDS
# PYTHON names another python3 to build on. A second call does nothing.
set -eu
[ $# = 2 ] || { echo "usage: unpack.sh CHUNKS DEST" >&2; exit 2; }
chunks=$1
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
mkdir -p "$2"
dest=$(cd "$2" && pwd)
decompressed() {
    if command -v xz > /dev/null; then
        xz -dc -T0
    else
        "$python" -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.stdin.buffer), sys.stdout.buffer)'
    fi
}
fail() { echo "error: $*" >&2; exit 1; }

[ -f "$chunks/SHA256SUMS" ] || fail "$chunks has no SHA256SUMS: name the folder that was packed"
if [ -f "$dest/complete" ] && cmp -s "$chunks/SHA256SUMS" "$dest/complete"; then
    echo "$dest is unpacked already: . $dest/env.sh"
    exit 0
fi
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$version" = 3.12 ] || fail "$python is Python $version and the packages are for 3.12; set PYTHON"

# Collect.
mkdir -p "$dest/chunks"
missing=
while read -r sum name; do
    if ! echo "$sum  $dest/chunks/$name" | sha256sum --check --status 2>/dev/null; then
        if [ -f "$chunks/$name" ]; then
            echo "$sum  $chunks/$name" | sha256sum --check --status ||
                fail "$chunks/$name is not what was packed: its SHA-256 differs; carry it again"
            cp "$chunks/$name" "$dest/chunks/$name"
        else
            missing="$missing $name"
        fi
    fi
done < "$chunks/SHA256SUMS"
if [ -n "$missing" ]; then
    echo "kept what came; still to come:$missing"
    exit 0
fi

# Unpack.
rm -rf "$dest/complete" "$dest/site" "$dest/triton" "$dest/venv"
while read -r _ name; do cat "$dest/chunks/$name"; done < "$chunks/SHA256SUMS" |
    decompressed | tar -C "$dest" -xf -
[ -d "$dest/site" ] && [ -x "$dest/triton/bin/tritonserver" ] || fail "the chunks did not unpack"

# The stub embeds Python and asks for its library by this name.
library=libpython3.12.so.1.0
found=$("$python" - "$library" << 'END'
import pathlib, subprocess, sys, sysconfig
name = sys.argv[1]
folders = [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LIBPL"), sys.base_prefix + "/lib"]
candidates = [pathlib.Path(folder) / name for folder in folders if folder]
listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
candidates += [pathlib.Path(line.split()[-1]) for line in listed.splitlines() if name in line]
print(next((path for path in candidates if path.exists()), ""))
END
)
[ -n "$found" ] || found=$(find / -xdev -name "$library" -not -path "$dest/*" 2>/dev/null | head -n 1)
if [ -n "$found" ]; then
    ln -sf "$found" "$dest/triton/lib/$library"
else
    echo "warning: $library is nowhere: vLLM will run, and Triton's Python backend will not." \
        "Ubuntu has it in the package libpython3.12t64" >&2
fi

# No pip: Debian and Ubuntu split off what would install it, and nothing is left to install.
"$python" -m venv --without-pip "$dest/venv"
packages=$("$dest/venv/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp "$here/venv_site.py" "$packages/"
"$python" - "$dest/site" > "$packages/carried.pth" << 'END'
import sys
behind = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
print(f"import venv_site; venv_site.install({sys.argv[1]!r}, {behind!r})")
END

cat > "$dest/env.sh" << END
export PATH=$dest/venv/bin:$dest/triton/bin:\$PATH
export LD_LIBRARY_PATH=$dest/triton/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}
export TRITON_BACKENDS=$dest/triton/backends
export QWEN_TRITON_COMMAND="tritonserver --backend-directory=$dest/triton/backends"
export VLLM_USE_FLASHINFER_SAMPLER=0 VLLM_USE_DEEP_GEMM=0 # neither was carried
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1
END
cp "$chunks/SHA256SUMS" "$dest/complete"
rm -rf "$dest/chunks"
echo "unpacked: . $dest/env.sh"
