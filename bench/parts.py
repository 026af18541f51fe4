"""How a benchmark of several parts is run: those that the command line names, or all, in a throw-away cluster."""

import sys

from lib.cluster import Cluster


def run_parts(parts, name, sized=False, **settings):
    """`parts` are functions of a cluster by their names, where `sized` also of a divisor of the sizes: a number among the words."""
    words = sys.argv[1:]
    divisor = next((int(word) for word in words if word.isdigit()), 1)
    wanted = [word for word in words if not (sized and word.isdigit())] or list(parts)
    unknown = [word for word in wanted if word not in parts]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; the parts are {', '.join(parts)}")
    cluster = Cluster(name).start(**settings)
    try:
        for word in wanted:
            parts[word](cluster, divisor) if sized else parts[word](cluster)
    finally:
        cluster.stop()
