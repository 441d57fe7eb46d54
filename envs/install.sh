#!/bin/sh
# Install locked packages with their digests. Of envs/cpu.yaml all but torch, whose build the index decides; it follows at its
# locked version, like all that it brings. TORCH_INDEX is the URL of an index with CPU builds of torch; without it torch comes
# from where everything comes from. vLLM is built for one torch, so of envs/gpu.yaml that is installed as locked, too.
# Usage: envs/install.sh PYTHON LOCK...     (locks: envs/cpu.yaml or envs/gpu.yaml; envs/dev.lock)
set -eu
python=$1
shift
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
sed -n 's/^\( *- \)\{0,1\}\([^ ]*==.*--hash\)/\2/p' "$@" > "$work/lock.txt"
pip="$python -m pip --quiet --disable-pip-version-check"
case $1 in
*gpu.yaml)
    $pip install --no-deps --require-hashes -r "$work/lock.txt"
    ;;
*)
    cut -d ' ' -f 1 "$work/lock.txt" > "$work/pins.txt"
    grep -vE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==' "$work/lock.txt" > "$work/without_torch.txt"
    $pip install --no-deps --require-hashes -r "$work/without_torch.txt"
    $pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -c "$work/pins.txt" torch
    ;;
esac
