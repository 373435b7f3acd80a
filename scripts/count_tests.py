"""Sums the test cases of all test programs of a Meson run: prints `N passed, N failed` as its last line, with
`, N skipped` where there are such.

A program of doctest cases counts each case; any other program, or one that died before its summary, counts as one.
"""

import json
import re
import sys

SUMMARY = re.compile(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed")


def main(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            summary = SUMMARY.search(re.sub(r"\x1b\[[0-9;]*m", "", test.get("stdout") or ""))
            ok = test["result"] in ("OK", "EXPECTEDFAIL")
            if test["result"] == "SKIP":
                skipped += 1
            elif summary:
                passed += int(summary.group(1))
                # Of a program whose filters fit no case nothing is shown.
                failed += int(summary.group(2)) or (0 if ok and int(summary.group(1)) else 1)
            else:
                passed += ok
                failed += not ok
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
