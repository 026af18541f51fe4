#!/usr/bin/env bash
# The demo: a throw-away cluster with the programme of a real conference. Usage: scripts/demo.sh start|stop
. "$(dirname "$0")/lib.sh"
need_server

cluster() { "$ROOT/scripts/cluster.sh" "$@"; }

start() {
  cluster start demo
  cluster psql demo -q -c 'CREATE DATABASE convene_demo' postgres
  cd "$ROOT/examples"
  cluster psql demo -q -v ON_ERROR_STOP=1 -f demo.sql convene_demo
  cat <<EOF

The cluster keeps running. Look around with
  $PG_BIN/psql -h $(cluster dir demo) -U postgres convene_demo
and remove it with
  make demo-stop
EOF
}

case ${1:-} in
  start) start ;;
  stop) cluster stop demo ;;
  *) die "usage: demo.sh start|stop" ;;
esac
