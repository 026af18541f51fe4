#!/usr/bin/env bash
# Prints the SQL in the order in which it runs: the files of install(), then the extension script.
. "$(dirname "$0")/lib.sh"
need_server
cd "$ROOT"

# The order stands in the source, once; the files are found by it.
install_files() { grep -ohE '\.\./sql/[a-z_]+\.sql|sql/[a-z_]+\.sql' src/install*.rs src/install/*.rs 2>/dev/null | sed 's#^\.\./##' | awk '!seen[$0]++'; }

for file in $(install_files); do
  printf -- '-- %s\n' "$file"
  cat "$file"
  echo
done
printf -- '-- the extension script\n'
cargo_pgrx schema --release --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR"
