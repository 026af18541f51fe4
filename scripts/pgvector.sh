#!/usr/bin/env bash
# Installs pgvector into the server of PG_CONFIG: the platform's package where it is new enough, else built from the
# distribution's source package. Called by setup.sh when it is missing.
. "$(dirname "$0")/lib.sh"
need_server

OLDEST=0.8.0 # convene refuses anything older: it needs iterative index scans

# The package fits only the platform's own server, not one that was put elsewhere.
packaged() {
  [ "$PG_CONFIG" -ef "/usr/lib/postgresql/$PG_MAJOR/bin/pg_config" ] || return 1
  local version
  version=$(apt-cache policy "postgresql-$PG_MAJOR-pgvector" | awk '$1 == "Candidate:" { print $2 }')
  [ -n "$version" ] && [ "$version" != '(none)' ] && dpkg --compare-versions "$version" ge "$OLDEST"
}

# A stable release whose pgvector is new enough, by distribution.
source_suite() {
  local ID=''
  . /etc/os-release
  case $ID in
    ubuntu) echo 'resolute universe' ;;
    *) echo 'trixie main' ;;
  esac
}

# The archives this machine already trusts, whichever way its sources are written; other people's are left out.
archive_uris() {
  # shellcheck disable=SC2016 # the format's names are apt's, not the shell's
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' \
    | awk '($1 == "Debian" || $1 == "Ubuntu") && $2 !~ /security/ && !seen[$2]++ { print $2 }'
}

archive_keyring() {
  local file
  for file in /usr/share/keyrings/{debian,ubuntu}-archive-keyring.{pgp,gpg}; do
    if [ -e "$file" ]; then
      echo "[signed-by=$file]"
      return
    fi
  done
}

# Downloads with apt directories of our own, so that the machine's sources and lists stay as they were.
download() {
  local work=$1 suite
  suite=$(source_suite)
  mkdir -p "$work"/{lists/partial,cache/archives/partial,parts}
  archive_uris | while read -r uri; do
    echo "deb-src $(archive_keyring) $uri $suite"
  done > "$work/sources.list"
  [ -s "$work/sources.list" ] || die "pgvector $OLDEST is missing and no archive of the distribution is configured to get it from"
  local apt=(apt-get -qq -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/parts"
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" source --download-only pgvector)
}

build() {
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory is known now
  trap "rm -rf '$work'" EXIT
  say "building pgvector from the distribution's source package"
  download "$work"
  mkdir "$work/build"
  tar -xf "$work"/pgvector_*.orig.tar.* -C "$work/build" --strip-components=1
  # Without bitcode no particular clang is needed; without OPTFLAGS the result runs on every machine of its kind.
  make -s -C "$work/build" OPTFLAGS="" with_llvm=no PG_CONFIG="$PG_CONFIG" >&2
  as_root make -s -C "$work/build" with_llvm=no PG_CONFIG="$PG_CONFIG" install >&2
}

refresh_packages pgvector
if packaged; then
  apt_install "postgresql-$PG_MAJOR-pgvector"
else
  build
fi
