#!/usr/bin/env bash
# Throw-away clusters, each in a directory of its own that holds data, socket and log; no TCP port is opened. Another checkout's
# clusters are others, whatever their names.
# Usage: scripts/cluster.sh start NAME [setting=value]... | stop NAME | psql NAME [argument]... | dir NAME
. "$(dirname "$0")/lib.sh"
need_server

# The server's user must reach the place, and the socket's path must fit into 107 bytes.
base_directory() {
  local base=${TMPDIR:-/tmp}
  if [ ${#base} -gt 50 ] || ! as_server_user test -x "$base"; then base=/tmp; fi
  echo "${base%/}"
}

[ $# -ge 2 ] || die "usage: cluster.sh start|stop|psql|dir NAME"
command=$1 name=$2
shift 2
[[ $name =~ ^[a-z0-9-]{1,24}$ ]] || die "a cluster's name has 1 to 24 of a-z, 0-9 and -, not '$name'"
checkout=$(cksum <<<"$ROOT")
dir=$(base_directory)/convene-$name-$UID-${checkout%% *}
data=$dir/data

running() { as_server_user "$PG_BIN/pg_ctl" -D "$data" status >/dev/null 2>&1; }

# In a shared directory somebody else may have taken the name; their files are not ours to use or remove.
check_owner() {
  local owner
  owner=$(as_server_user id -u)
  [ ! -e "$dir" ] || [ "$(stat -c %u "$dir")" = "$owner" ] || die "$dir belongs to another user"
}

stop() {
  check_owner
  if running; then as_server_user "$PG_BIN/pg_ctl" -D "$data" -m fast -w -s stop; fi
  rm -rf "$dir"
}

start() {
  stop
  mkdir -m 700 "$dir"
  [ "$(id -u)" -ne 0 ] || chown postgres: "$dir"
  as_server_user "$PG_BIN/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  # fsync is off because nothing here has to survive a crash of the machine.
  {
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$dir'"
    echo "port = 5432"
    echo "fsync = off"
    echo "synchronous_commit = off"
    echo "full_page_writes = off"
    local setting
    for setting in "$@"; do echo "${setting%%=*} = '${setting#*=}'"; done
  } | as_server_user tee -a "$data/postgresql.conf" >/dev/null
  if ! as_server_user "$PG_BIN/pg_ctl" -D "$data" -l "$dir/log" -w -s start </dev/null; then
    cat "$dir/log" >&2
    die "the cluster '$name' did not start"
  fi
}

cd / # the server's user may not be allowed to stand where the caller stands
case $command in
  start) start "$@" ;;
  stop) stop ;;
  dir) echo "$dir" ;;
  psql) cd "$OLDPWD" && exec "$PG_BIN/psql" -X -h "$dir" -p 5432 -U postgres "$@" ;;
  *) die "unknown command '$command': start, stop, psql or dir" ;;
esac
