# shellcheck shell=bash
# Sourced by every script here: where things are, which server is meant, how commands run.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=$ROOT/.tools
export PGRX_HOME=$TOOLS/pgrx

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or by sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "this needs root and there is no sudo: $*"
  fi
}

# PostgreSQL refuses to run as root, so root lends its clusters to the user postgres.
as_server_user() {
  if [ "$(id -u)" -eq 0 ]; then
    runuser -u postgres -- "$@"
  else
    "$@"
  fi
}

# The platform's package lists are refreshed once, and only when something has to be installed.
refresh_packages() {
  [ -z "${PACKAGES_FRESH:-}" ] || return 0
  have apt-get || die "please install by hand, there is no apt-get here: $*"
  say "refreshing the package lists"
  as_root apt-get update -qq || say "some package lists could not be refreshed; going on with what is there"
  export PACKAGES_FRESH=1
}

# Installs packages; what apt has to say is shown only when it fails.
apt_install() {
  refresh_packages "$@"
  say "installing $*"
  mkdir -p "$TOOLS"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >"$TOOLS/apt.log" 2>&1 \
    || { cat "$TOOLS/apt.log" >&2; die "apt-get could not install $*"; }
}

# A pg_config counts only where its server is installed too; libpq alone brings one along.
is_server() { [ -x "$1" ] && [ -x "$("$1" --bindir)/postgres" ]; }

# The newest installed server from 15 to 18, first in the platform's places, then on PATH.
find_pg_config() {
  local major candidate
  for major in 18 17 16 15; do
    for candidate in "/usr/lib/postgresql/$major/bin/pg_config" "/usr/pgsql-$major/bin/pg_config"; do
      if is_server "$candidate"; then
        echo "$candidate"
        return
      fi
    done
  done
  candidate=$(command -v pg_config || true)
  if [ -n "$candidate" ] && is_server "$candidate"; then echo "$candidate"; fi
}

# Sets PG_CONFIG, PG_MAJOR and PG_BIN, or fails when there is no usable server.
need_server() {
  PG_CONFIG=${PG_CONFIG:-$(find_pg_config)}
  [ -n "$PG_CONFIG" ] || die "no PostgreSQL server from 15 to 18 is installed; run scripts/setup.sh"
  is_server "$PG_CONFIG" || die "PG_CONFIG=$PG_CONFIG is not the pg_config of an installed server"
  PG_MAJOR=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
  PG_BIN=$("$PG_CONFIG" --bindir)
  case $PG_MAJOR in
    15 | 16 | 17 | 18) ;;
    *) die "PostgreSQL $PG_MAJOR is not supported; set PG_CONFIG to the pg_config of a server from 15 to 18" ;;
  esac
  export PG_CONFIG PG_MAJOR PG_BIN
}

# The pinned cargo-pgrx: the user's own where it has that version, else the one under .tools.
cargo_pgrx() {
  if [ -x "$TOOLS/bin/cargo-pgrx" ]; then
    "$TOOLS/bin/cargo-pgrx" pgrx "$@"
  else
    cargo pgrx "$@"
  fi
}

# One line that changes when any of the named files or directories does.
fingerprint() {
  (cd "$ROOT" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
}
