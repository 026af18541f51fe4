#!/usr/bin/env bash
# Formatting, clippy, the engine's purity, dependencies and shell scripts. Runs every check, then fails if one failed.
. "$(dirname "$0")/lib.sh"
need_server
cd "$ROOT"
export PATH=$TOOLS/bin:$PATH

failed=()
check() {
  local name=$1
  shift
  say "-- $name"
  "$@" || failed+=("$name")
}

# The engine must not know the server, neither itself nor through a dependency.
pure_engine() { ! cargo tree -p convene-engine --edges normal,build,dev --prefix none --locked | grep -i pgrx; }

check 'rustfmt' cargo fmt --all --check
check 'clippy, engine' cargo clippy --locked --quiet -p convene-engine --all-targets -- -D warnings
check 'clippy, extension' cargo clippy --locked --quiet -p convene --no-default-features --features "pg$PG_MAJOR" -- -D warnings
check 'the engine knows no server' pure_engine
# Advisories come from a repository on the network, so they are left to those who can reach it: cargo deny check.
if have cargo-deny; then check 'cargo-deny' cargo deny --log-level error check bans licenses sources; fi
if have shellcheck; then check 'shellcheck' shellcheck -x -P scripts scripts/*.sh .ci/run; fi

if [ ${#failed[@]} -gt 0 ]; then die "failed: ${failed[*]}"; fi
say 'lint: all checks passed'
