"""Checks that code quoted in the documentation still stands in the files it is quoted from.

A block that follows a line `<!-- file: PATH -->` must be a contiguous part of that file.
"""

import pathlib
import re
import sys

QUOTE = re.compile(r"<!-- file: (\S+) -->\n```\w*\n(.*?)```", re.S)


def main(root):
    root = pathlib.Path(root)
    quotes = wrong = 0
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        for path, code in QUOTE.findall(page.read_text(encoding="utf-8")):
            quotes += 1
            if code not in (root / path).read_text(encoding="utf-8"):
                wrong += 1
                print(f"{page.name}: the code quoted from {path} is not there any more:\n{code}")
    print(f"{quotes} quotes checked")
    return 1 if wrong or not quotes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
