#!/bin/sh
# Makes PyTorch's CUDA build load without NVIDIA's libraries, and takes its CUDA half out.
#   use-standins.sh SITE_PACKAGES
set -eu
site=$1
lazy="libcaffe2_nvrtc.so libtorch_cuda_linalg.so libtorch_nvshmem.so" # opened when a GPU is used
# shellcheck disable=SC2086 # one word for each library is meant
python3.11 /build/standins.py "$site/torch/lib" /tmp/standins --also "$site/nvidia/cu13/lib" \
    --replace libtorch_cuda.so --leave-out $lazy
(cd "$site/torch/lib" && rm libtorch_cuda.so $lazy)
mv /tmp/standins/* "$site/torch/lib/"
