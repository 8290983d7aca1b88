#!/bin/sh
# Runs the tests of package kernel on an emulated CPU that has AVX-512 VNNI and AVX-VNNI; takes some minutes.
# Usage: asm/emulate.sh [-test.run=PATTERN]
# Needs Python 3.9 or later with bochscpu-python 0.4.0, which needs glibc 2.38 or later. PYTHON names another interpreter.
set -e
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/.."
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go test -c -o "$work/kernel.test" .
go tool nm "$work/kernel.test" > "$work/symbols"
"${PYTHON:-python3}" "$here/emulate.py" "$work/symbols" "$work/kernel.test" -test.short -test.v "$@"
