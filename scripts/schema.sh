#!/usr/bin/env bash
# Prints the SQL in the order in which it runs: the files of install(), then the extension script.
. "$(dirname "$0")/lib.sh"
need_server
cd "$ROOT"

# The order stands in the source, once.
install_files() { sed -nE 's#.*include_str!\("\.\./(sql/[a-z_]+\.sql)"\).*#\1#p' src/install.rs; }

for file in $(install_files); do
  printf -- '-- %s\n' "$file"
  cat "$file"
  echo
done
printf -- '-- the extension script\n'
cargo_pgrx schema --release --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR"
