"""Checks that eddy's folders include only folders above them, in the order of the table in docs/architecture.md."""

import pathlib
import re
import sys


def main(root):
    root = pathlib.Path(root)
    table = (root / "docs/architecture.md").read_text(encoding="utf-8")
    layers = re.findall(r"^\| `eddy/(\w+)/` \|", table, re.M)
    folders = {path.name for path in (root / "eddy").iterdir() if path.is_dir()}
    errors = [f"docs/architecture.md lists {name}, or eddy/ has it, but not both" for name in folders ^ set(layers)]
    includes = 0
    for height, layer in enumerate(layers):
        for path in sorted((root / "eddy" / layer).rglob("*.[hc]*")):
            for other in re.findall(r'#include "eddy/(\w+)/', path.read_text(encoding="utf-8")):
                includes += 1
                if other not in layers[:height + 1]:
                    errors.append(f"{path.relative_to(root)} includes eddy/{other}/, which is no folder above it")
    print(*errors, f"{includes} includes between {len(layers)} folders, {len(errors)} wrong", sep="\n")
    return 1 if errors or not includes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
