#!/usr/bin/env bash
# Runs the benchmarks; a name runs one part. `security`, `networking`, `meetings`, `peers`, `leads`, `sponsorship`,
# `sponsorship_queue`, `insights` and `marketplace` are files of their own; the first takes a divisor of its sizes, the others take
# the names of their parts.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.tools/venv/bin/python
case ${1:-} in
  security) exec "$python" bench/security.py "${@:2}" ;;
  networking) exec "$python" bench/networking.py "${@:2}" ;;
  meetings) exec "$python" bench/meetings.py "${@:2}" ;;
  peers) exec "$python" bench/peers.py "${@:2}" ;;
  marketplace) exec "$python" bench/marketplace.py "${@:2}" ;;
  sponsorship_queue) exec "$python" bench/sponsorship_queue.py "${@:2}" ;;
  sponsorship) exec "$python" bench/sponsorship.py "${@:2}" ;;
  leads) exec "$python" bench/leads.py "${@:2}" ;;
  insights) exec "$python" bench/insights.py "${@:2}" ;;
  "")
    "$python" bench/recommendation.py && "$python" bench/networking.py && "$python" bench/meetings.py && "$python" bench/peers.py && "$python" bench/leads.py &&
      "$python" bench/sponsorship.py scoring && "$python" bench/insights.py && "$python" bench/marketplace.py &&
      "$python" bench/sponsorship_queue.py && exec "$python" bench/security.py
    ;;
  *) exec "$python" bench/recommendation.py "$@" ;;
esac
