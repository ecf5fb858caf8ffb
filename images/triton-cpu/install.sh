#!/bin/sh
# Lays out Triton in /opt/tritonserver and vLLM with its Python in /opt/venv.
#   install.sh [INDEX]: take PyTorch's CPU build from that index
set -eu
torch_index=$1
uv="/opt/tools/bin/uv pip install --quiet --no-deps"
site=/opt/venv/lib/python3.11/site-packages

# The stub links Debian's libpython, so the venv must be of Debian's Python and no other.
python3.11 -m venv --without-pip /opt/venv
export VIRTUAL_ENV=/opt/venv
$uv --require-hashes -r /build/triton-cpu.txt
if [ -n "$torch_index" ]; then
    $uv --index-url "$torch_index" "$(grep -o '^torch==[0-9.]*' /build/triton-cpu-torch.txt)"
else
    $uv --require-hashes -r /build/triton-cpu-torch.txt
    sh /build/use-standins.sh "$site"
fi

# Only for building against, or the wheels' own tests.
rm -rf $site/torch/include $site/torch/bin/protoc* $site/torch/share $site/nvidia/cu13/include
find $site -name '*.a' -delete
find $site -type d -name tests -prune -exec rm -rf {} +
strip --strip-unneeded $site/vllm/*.so $site/torch/lib/libtorch_cpu.so
# A read-only root file system keeps no bytecode, so it is made now. It holds for its source whatever
# time that bears: copied between stages, half of all files come out a second younger. Some wheels
# hold files for a later Python, which do not compile.
python3.11 -m compileall -q -j 0 --invalidation-mode unchecked-hash $site > /dev/null || true

# Triton, from a wheel of which only the binaries count, at the paths that it looks in by itself.
wheel=$(mktemp -d)
$uv --require-hashes --target "$wheel" -r /build/triton-cpu-server.txt
from=$wheel/pytriton/tritonserver
to=/opt/tritonserver
mkdir -p $to/bin $to/backends/python
mv "$from/bin/tritonserver" $to/bin/
mv "$from/backends/python/libtriton_python.so" \
    "$from/backends/python/triton_python_backend_utils.py" \
    "$from/python_backend_stubs/3.11/triton_python_backend_stub" $to/backends/python/
mv "$wheel/nvidia_pytriton.libs" $to/lib
rm -rf $to/lib/libpython3* "$wheel"
# wheels lose the bit
chmod 0755 $to/bin/tritonserver $to/backends/python/triton_python_backend_stub
