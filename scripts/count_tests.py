"""Sums the test cases of all test programs of a Meson run: prints `N passed, N failed` as its last line, with
`, N skipped` where there are such, after a line for each case that was skipped.

A program of doctest cases counts each case; any other program, or one that died before its summary, counts as one. A
case that lacks what it needs, such as data that do not belong to the project, says so with MESSAGE("skipped: …") and
counts as skipped, not as passed.
"""

import json
import re
import sys

SKIPPED = re.compile(r"^.*: MESSAGE: skipped: .*$", re.MULTILINE)
SUMMARY = re.compile(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def main(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            output = re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout") or "")
            summary = SUMMARY.search(output)
            ok = test["result"] in ("OK", "EXPECTEDFAIL")
            if test["result"] == "SKIP":
                skipped += 1
            elif summary:
                lacking = SKIPPED.findall(output)
                print("".join(f"{case}\n" for case in lacking), end="")
                passed += int(summary.group(1)) - len(lacking)
                skipped += len(lacking)
                # Of a program whose filters fit no case nothing is shown.
                failed += int(summary.group(2)) or (0 if ok and int(summary.group(1)) else 1)
            else:
                passed += ok
                failed += not ok
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
