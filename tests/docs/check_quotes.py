"""Checks that code quoted in the documentation still stands in the files it is quoted from.

A block that follows a line `<!-- file: PATH -->` must be a contiguous part of that file. An error message that is quoted
as `[op] …  (PATH:LINE)` must name a line that calls that op.
"""

import pathlib
import re
import sys

QUOTE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", re.S)
ERROR = re.compile(r"`\[(\w+)\] [^`]*\((\S+):(\d+)\)`")


def main(root):
    root = pathlib.Path(root)
    quotes = wrong = 0
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for op, path, line in ERROR.findall(text):
            quotes += 1
            lines = (root / path).read_text(encoding="utf-8").splitlines()
            if f"{op}(" not in "".join(lines[int(line) - 1:int(line)]):
                wrong += 1
                print(f"{page.name}: line {line} of {path} calls no {op}")
        for path, code in QUOTE.findall(text):
            quotes += 1
            if code not in (root / path).read_text(encoding="utf-8"):
                wrong += 1
                print(f"{page.name}: the code quoted from {path} is not there any more:\n{code}")
    print(f"{quotes} quotes checked")
    return 1 if wrong or not quotes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
