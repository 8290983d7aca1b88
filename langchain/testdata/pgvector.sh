#!/usr/bin/env bash
# Installs PostgreSQL with pgvector below DIR, starts it on a socket there, and prints its URL; or stops it.
#   export PGVECTOR_URL=$(langchain/testdata/pgvector.sh start DIR)
#   langchain/testdata/pgvector.sh stop DIR
# The binaries come from a package of the Python Package Index. The server refuses root: started by root, it runs as "nobody", who must
# be able to reach DIR. DIR must be short, since the path of a socket is: 80 characters at most.
set -euo pipefail
usage="usage: pgvector.sh start|stop DIR"
verb=${1:?$usage} dir=${2:?$usage}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
pg=$dir/pgserver/pginstall/bin data=$dir/data

unprivileged() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@")
  else
    "$@"
  fi
}

case $verb in
start)
  if [ ! -d "$dir/pgserver" ]; then
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    python3 -m pip download --quiet --no-deps --dest "$tmp" pgserver==0.1.4 >&2
    python3 -m zipfile -e "$tmp"/pgserver-0.1.4-*.whl "$dir" >&2
    chmod +x "$pg"/*
  fi
  if [ ! -d "$data" ]; then
    mkdir -p "$data"
    if [ "$(id -u)" = 0 ]; then chown nobody "$data"; fi
    unprivileged "$pg/initdb" -D "$data" -U postgres --auth=trust -E UTF8 --no-locale >&2
  fi
  if ! unprivileged "$pg/pg_ctl" -D "$data" status >/dev/null; then
    unprivileged "$pg/pg_ctl" -D "$data" -w -l "$data/server.log" -o "-c listen_addresses='' -c unix_socket_directories='$data' -c fsync=off" start >&2
  fi
  printf 'postgres://postgres@/postgres?host=%s\n' "$data"
  ;;
stop) unprivileged "$pg/pg_ctl" -D "$data" -m immediate stop >&2 ;;
*) echo "$usage" >&2; exit 2 ;;
esac
