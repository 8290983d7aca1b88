#!/usr/bin/env bash
# Writes core/eval/RESULTS.md, curve.svg and needles.svg anew.
#   core/eval/results.sh CASES MINILM [FLAG]...     folder of JSONL files, folder of all-MiniLM-L6-v2 (minilm/fetch.sh)
# On two cores with --per-set 20 it takes half an hour with AVX-512, half of it for the texts of a million tokens.
set -euo pipefail
cases=$(realpath "$1") minilm=$(realpath "$2")
shift 2
cd "$(dirname "$0")"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/cprs" ../../cmd/cprs
ln -s "$cases" "$bin/cases"
ln -s "$minilm" "$bin/minilm"
ln -s "$PWD/console" "$bin/console"
out=$PWD

# recall WORDING [FLAG]... prints a row: the recall of cprs and of bm25 on the cases, asked in that wording.
recall() {
  ./cprs eval cases --wording "$1" --baselines bm25 --budgets 0.1 "${@:2}" |
    awk -F'|' -v wording="$1" '/^## /{n++} n==1 && $2==" cprs "{cprs=$3} n==1 && $2==" bm25 "{print "| " wording " |" cprs "|" $3 "|"}'
}

cd "$bin" # so that the commands in the page name no folder of this machine
{
  cat "$out/results.md.in"
  ./cprs eval cases --minilm minilm --plot curve.svg "$@"
  printf '# Wordings\n\nEvidence recall at 10 %% kept where the same questions are asked in capitals, with two slips of the keys each, and by their key words\n'
  printf '(cprs eval cases --wording WORDING --baselines bm25 --budgets 0.1):\n\n| wording | cprs | bm25 |\n|---|---|---|\n'
  for wording in caps typos keywords; do recall "$wording" "$@"; done
  printf '\n# Output of tools\n\n'
  ./cprs eval console --per-set 0 --minilm minilm --baselines bm25,minilm,bm25+minilm,random |
    awk 'NR == 1 {show = 1} /^## / {show = /recall, mean over sets$|points|at its own/} show'
  printf '# Needles\n\n'
  ./cprs eval needle --lengths 4k,32k --depths 5
  printf '\n![score by depth and length](needles.svg)\n\n'
  ./cprs eval needle --kinds single,key-value,chain --lengths 4k,32k,128k,1m --depths 5 --plot needles.svg
} > RESULTS.md
cp RESULTS.md curve.svg needles.svg "$out"
