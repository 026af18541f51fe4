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

# One build at a time: a second one waits, and then finds everything done.
mkdir -p "$TOOLS"
exec 9>"$TOOLS/build.lock"
flock 9

# Taken before the build: what is edited while it runs is built the next time.
now=$(inputs)
if [ -e "$LIBRARY" ] && [ "$now$(installed)" = "$(cat "$STAMP" 2>/dev/null)" ]; then exit 0; fi

# Never over the old library: a running server has that one mapped, and would read the new one's bytes at the old places.
put() {
  if [ -w "${LIBRARY%/*}" ] && [ -w "$EXTENSION_DIR" ]; then install "$@"; else as_root install "$@"; fi
}

say "building convene for PostgreSQL $PG_MAJOR"
package=$TOOLS/package/pg$PG_MAJOR
rm -rf "$package"
cd "$ROOT"
cargo_pgrx package --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR" --out-dir "$package" >&2
put -m 755 "$package$LIBRARY" "$LIBRARY"
put -m 644 "$package$EXTENSION_DIR"/convene* "$EXTENSION_DIR"
mkdir -p "${STAMP%/*}"
echo "$now$(installed)" > "$STAMP"
