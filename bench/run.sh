#!/usr/bin/env bash
# Runs the benchmarks; a name runs one part.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .tools/venv/bin/python bench/recommendation.py "$@"
