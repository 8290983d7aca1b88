#!/bin/sh
# Builds the static library that programs with the build tag rust link, from the source in Go's module cache:
#
#   build-library.sh FOLDER
#   CGO_ENABLED=1 CGO_LDFLAGS=-LFOLDER go build -tags rust ./...
#
# Needs Go, cargo and a C compiler.
set -eu

module=github.com/daulet/tokenizers@v1.27.0

if [ $# -ne 1 ]; then
	echo "usage: $0 FOLDER" >&2
	exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
source=$(go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$source/." "$work"
chmod -R u+w "$work"
cd "$work"

# Only published crates: the locked tiktoken-rs is a commit. No benchmarks, and nothing for browsers.
sed -i 's#^tiktoken-rs = .*#tiktoken-rs = "0.9"#; /^\[dev-dependencies\]/,$d' crates/tokenizers/Cargo.toml
sed -i '/tokenizers-wasm/d' Cargo.toml
cargo build --quiet --release -p tokenizers-ffi
cp target/release/libtokenizers_ffi.a "$folder/libtokenizers.a" # the name that the binding links
echo "$folder/libtokenizers.a"
