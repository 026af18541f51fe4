#!/usr/bin/env bash
# Runs the benchmarks; a name runs one part. `security` is a file of its own and takes a divisor of its sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.tools/venv/bin/python
case ${1:-} in
  security) exec "$python" bench/security.py "${@:2}" ;;
  "") "$python" bench/recommendation.py && exec "$python" bench/security.py ;;
  *) exec "$python" bench/recommendation.py "$@" ;;
esac
