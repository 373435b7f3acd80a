"""Checks what eddy/eddy.h shows to users: that no header is forgotten, and that the examples show every function.

A header whose comment begins with "// Internal:" is for the library itself and stays out of eddy.h; so do the recipes
and the command line, eddy/experiments/, which a program of one's own includes by name. Every other header must be in it.

The functions that make, differentiate, run, train, save and inspect graphs, and the cells and models that are called
like functions, must each be called in a program of examples/, and README.md must name each of these.
"""

import pathlib
import re
import sys

# Rooms whose functions the examples show. Those of core/ and data/ serve kernels and read published data sets.
SHOWN_ROOMS = {"graph", "ops", "optimizers", "models", "experiments"}
# Of eddy/experiments, what every user of the library needs.
SHOWN_EXPERIMENTS = {"eddy/experiments/checkpoint.h"}
# Parts of gradients, kernels, optimizers and tests that stand in the public headers of what they are parts of.
INTERNAL_NAMES = {
    "GruGradientLoop", "GruLoop", "LstmGradientLoop", "LstmLoop", "before_reshape", "case_tensor", "inputs_at",
    "linear_kernel", "linear_operands", "linear_type", "log_sum_exp_columns", "masked_linear_inputs", "op_cases",
    "packed_kernel", "parse_types", "plain_linear_inputs", "recent_rates", "row_steps",
    "transposed_matrix_of", "types_text", "update_caught_up_rows", "user_line", "with_rank_after_time",
}

# What begins a declaration that is no function's.
KEYWORDS = r"(struct|class|enum|union|using|typedef|extern|friend|static_assert|namespace)\b(?:\s+(\w+))?"


def without_comments(code):
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", code, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)


def outermost(code):
    """The declarations of namespace eddy, each with the code between its braces; inner namespaces are for insiders."""
    code = re.sub(r"^#(?:[^\n]*\\\n)*[^\n]*", "", without_comments(code), flags=re.M)
    code = re.sub(r"\bnamespace eddy \{", "", code)
    declaration, body, depth = "", "", 0
    for c in code:
        if c == "}":
            depth = max(0, depth - 1)
            is_function = "(" in declaration.split("=")[0] and not re.match(r"\s*(struct|class)\b", declaration)
            if depth == 0 and (is_function or re.match(r"\s*(inline )?namespace\b", declaration)):
                yield declaration, body
                declaration = body = ""
                continue
        if depth > 0:
            body += c
        elif c == ";":
            yield declaration, body
            declaration = body = ""
        elif c not in "{}":
            declaration += c
        if c == "{":
            depth += 1


def functions(code):
    """Names of the free functions a header declares, and of the classes whose objects are called."""
    for declaration, body in outermost(code):
        declaration = re.sub(r"\btemplate\s*<[^;]*?>\s*(?=[\w\[])", "", declaration, count=1).strip()
        kind = re.match(KEYWORDS, declaration)
        if kind:
            if kind[1] in ("struct", "class") and re.search(r"\boperator\(\)\(", body):
                yield kind[2]
            continue
        name = re.match(r"[^=(]*?\b(operator\W+|\w+)\s*\(", declaration)
        if name and not name[1].startswith("operator") and not declaration.startswith("requires"):
            yield name[1]


def called(code):
    """Names that are called, `f(` or `f<…>(`, and classes of which objects are made, `Cell{` or `Cell cell{`."""
    code = re.sub(r"(\.|->|\bstd::|\bfmt::)\s*\w+", "", without_comments(code))
    calls = re.findall(r"\b(\w+)(?:<[\w:, ]*>)?\s*[({]", code)
    return {*calls, *re.findall(r"\b([A-Z]\w*)\s+\w+\s*[({]", code)}


def main(root):
    root = pathlib.Path(root)
    umbrella = root / "eddy/eddy.h"
    included = set(re.findall(r'#include "([^"]+)"', umbrella.read_text(encoding="utf-8")))
    examples = set()
    errors, shown, headers = [], set(), set()
    readme = (root / "README.md").read_text(encoding="utf-8")
    for path in sorted((root / "examples").glob("*.cpp")):
        examples |= called(path.read_text(encoding="utf-8"))
        if f"`{path.stem}`" not in readme:
            errors.append(f"README.md does not name the example `{path.stem}`")
    for path in sorted((root / "eddy").rglob("*.h")):
        header, room = str(path.relative_to(root)), path.parent.name
        if path == umbrella or re.search(r"(-inl|_impl)\.h$", header):
            continue
        headers.add(header)
        code = path.read_text(encoding="utf-8")
        recipe = room == "experiments" and header not in SHOWN_EXPERIMENTS
        internal = recipe or re.search(r"^// Internal:", code, re.M)
        if internal and header in included:
            errors.append(f"eddy/eddy.h includes {header}, which is internal")
        if not internal and header not in included:
            errors.append(f'eddy/eddy.h lacks {header}; if users do not need it, begin it with "// Internal: <why>"')
        if header in included and room in SHOWN_ROOMS:
            for name in dict.fromkeys(functions(code)):
                shown.add(name)
                if name not in examples and name not in INTERNAL_NAMES:
                    errors.append(f"no example calls {name} of {header}")
    errors += [f"eddy/eddy.h includes {header}, which is not there" for header in sorted(included - headers)]
    errors += [f"INTERNAL_NAMES has {name}, which no public header declares" for name in sorted(INTERNAL_NAMES - shown)]
    print(*errors, f"{len(included)} public headers, {len(shown)} functions, {len(errors)} wrong", sep="\n")
    return 1 if errors or not shown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
