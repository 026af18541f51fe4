"""Runs the tests and says how they went: a line for each group, then `N passed, N failed`.

    run.py          everything
    run.py NAME     one group, or what a pytest -k expression selects, or else the engine tests of that name
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from conftest import GROUPS

ROOT = Path(__file__).resolve().parents[1]
NOTHING_SELECTED = 5  # pytest's exit status


def engine(*selection):
    """Runs the engine's own tests; returns (passed, failed)."""
    # Optimised, or the numeric tests would take minutes; but with overflow and debug assertions, unlike a release.
    settings = {"CARGO_PROFILE_TEST_OPT_LEVEL": "2", "CARGO_PROFILE_TEST_DEBUG": "0"}
    command = ["cargo", "test", "--locked", "--no-fail-fast", "-p", "convene-engine", *selection]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True)
    passed = failed = 0
    for line in process.stdout:
        if not re.fullmatch(r"(test .* \.\.\. ok|running \d+ tests?|)\n", line):
            print(line, end="", flush=True)
        if found := re.match(r"test result: .* (\d+) passed; (\d+) failed", line):
            passed += int(found.group(1))
            failed += int(found.group(2))
    if process.wait() != 0 and failed == 0:
        failed = 1  # it did not even compile
    return passed, failed


def modules(*arguments):
    """Runs pytest; returns ({group: counts}, exit status)."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        command = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", f"--counts={counts}", *arguments]
        status = subprocess.run(command, cwd=ROOT / "tests").returncode
        return (json.loads(counts.read_text()) if counts.exists() else {}), status


def lost(why):
    """The counts of what could not run: that is a failure, or tests could vanish unseen."""
    return {"passed": 0, "failed": 1, "note": why}


def report(counts):
    """Prints the lines; returns the exit status."""
    for group, got in counts.items():
        skipped = f", {got['skipped']} skipped" if got.get("skipped") else ""
        note = f" ({got['note']})" if "note" in got else ""
        print(f"{group:<12}{got['passed']} passed, {got['failed']} failed{skipped}{note}")
    passed = sum(got["passed"] for got in counts.values())
    failed = sum(got["failed"] for got in counts.values())
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def everything():
    passed, failed = engine()
    counts = {"engine": {"passed": passed, "failed": failed}}
    got, status = modules()
    for group in GROUPS:
        counts[group] = got.get(group) or lost("there is no test")
    if status not in (0, 1) and not any(group["failed"] for group in counts.values()):
        counts["pytest"] = lost(f"it ended with status {status}")
    return counts


def selected(name):
    if name == "engine":
        passed, failed = engine()
        return {"engine": {"passed": passed, "failed": failed}}
    if name in GROUPS:
        got, _ = modules("--group", name)
        return got or {name: lost("there is no test")}
    got, status = modules("-k", name)
    if status != NOTHING_SELECTED:
        return got or {"pytest": lost(f"it ended with status {status}")}
    passed, failed = engine(name)
    if not passed + failed:
        sys.exit(f"no group is called {name!r}, and no test answers to it; the groups are engine, {', '.join(GROUPS)}")
    return {"engine": {"passed": passed, "failed": failed}}


def main():
    print(flush=True)
    counts = selected(sys.argv[1]) if len(sys.argv) > 1 else everything()
    print()
    sys.exit(report(counts))


if __name__ == "__main__":
    main()
