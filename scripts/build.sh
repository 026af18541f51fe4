#!/usr/bin/env bash
# Builds the extension in release and installs it into the server of PG_CONFIG; does nothing when both are up to date.
. "$(dirname "$0")/lib.sh"
need_server

LIBRARY=$("$PG_CONFIG" --pkglibdir)/convene.so
EXTENSION_DIR=$("$PG_CONFIG" --sharedir)/extension
STAMP=$TOOLS/stamp/pg$PG_MAJOR

# What goes in, and what lies installed: another checkout may have put its own files there since.
inputs() {
  fingerprint Cargo.toml Cargo.lock convene.control .cargo engine src sql
  echo "$PG_CONFIG $("$PG_CONFIG" --version) $(rustc --version)"
}
installed() { sha256sum "$LIBRARY" "$EXTENSION_DIR"/convene.control "$EXTENSION_DIR"/convene--*.sql 2>/dev/null || true; }

# Taken before the build: what is edited while it runs is built the next time.
now=$(inputs)
if [ -e "$LIBRARY" ] && [ "$now$(installed)" = "$(cat "$STAMP" 2>/dev/null)" ]; then exit 0; fi

say "building convene for PostgreSQL $PG_MAJOR"
sudo_flag=()
if [ ! -w "$EXTENSION_DIR" ] && [ "$(id -u)" -ne 0 ]; then sudo_flag=(--sudo); fi
cd "$ROOT"
cargo_pgrx install --release --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR" "${sudo_flag[@]}" >&2
mkdir -p "${STAMP%/*}"
echo "$now$(installed)" > "$STAMP"
