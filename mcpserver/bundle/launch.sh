#!/bin/sh
# Starts the program of this bundle that is for this machine. It is run by sh, and sets the permission to execute that unpacking may
# have lost.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
system=$(uname -s | tr '[:upper:]' '[:lower:]')
machine=$(uname -m)
case $machine in
x86_64) machine=amd64 ;;
aarch64) machine=arm64 ;;
esac
case $system-$machine in
darwin-arm64) kinds="arm64 amd64" ;; # macOS translates the second
*) kinds=$machine ;;
esac
for kind in $kinds; do
	program=$here/cprs-$system-$kind
	[ -f "$program" ] || continue
	[ -x "$program" ] || chmod +x "$program"
	exec "$program" "$@"
done
echo "error: this bundle has no program for $system on $machine" >&2
exit 1
