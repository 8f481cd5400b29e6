#!/bin/sh
# Deletes from installed Python packages what no server reads: their tests, torch's C++ headers and test programs.
set -eu

packages=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
find "$packages" -depth -type d \( -name tests -o -path '*/torch/test' -o -path '*/torch/include' \) -exec rm -r {} +
# Beside them torch_shm_manager, which is wanted where processes share tensors.
if [ -d "$packages"/torch/bin ]; then
    find "$packages"/torch/bin -type f \( -iname '*test*' -o -name 'protoc*' \) -delete
fi
