# SPDX-License-Identifier: Apache-2.0
"""The tables of compare.py as Markdown."""


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "| --- |" + " ---: |" * (len(header) - 1)]
    # A row that failed is shorter.
    rows = [row + [""] * (len(header) - len(row)) for row in rows]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def rate(tokens, seconds):
    return f"{tokens / seconds:,.0f}"


def milliseconds(seconds):
    return f"{seconds * 1e3:.3g}" if seconds < 1 else f"{seconds * 1e3:,.0f}"


def workload_row(row, with_torch):
    if "error" in row:
        return [row["workload"], "failed: " + row["error"]]
    steps = f"{row['steps']:,}" + (f" and {row['torch_steps']:,}" if with_torch else "")
    share = "–" if row["share"] is None else f"{100 * row['share']:.0f} %"
    cells = [row["workload"], steps, milliseconds(row["seconds"]), rate(row["tokens"], row["seconds"]), share,
             f"{row['memory'] / 2**20:,.0f}"]
    if not with_torch:
        return cells
    low, high = row["ratios"][0], row["ratios"][-1]
    return cells + [rate(row["tokens"], row["torch_seconds"]), f"**{row['ratio']:.2f}** ({low:.2f} to {high:.2f})",
                    f"{row['memory'] / row['torch_memory']:.2f}", f"{row['difference']:.0e}"]


def property_row(row, with_torch):
    if "error" in row:
        return [row["property"], "failed: " + row["error"]]
    cells = [row["property"], value(row["value"], row["unit"])]
    return cells + [value(row["torch"], row["unit"]) if "torch" in row else ""] if with_torch else cells


def value(number, unit):
    return f"{number:.3g} {unit}"


def markdown(result):
    torch = result["torch"]
    text = (f"{result['machine']}; {result['threads']} threads asked for, {result['date']}"
            + (f"; PyTorch {torch}" if torch else "") + ".\n\n")
    header = ["workload", "steps", "ms/step", "tokens/s", "of the FMA peak", "MiB"]
    if torch:
        header += ["PyTorch tokens/s", "speed ÷ PyTorch's", "memory ÷ PyTorch's", "difference"]
    if result["workloads"]:
        text += table(header, [workload_row(row, torch) for row in result["workloads"]]) + "\n"
    if result["properties"]:
        header = ["property", "eddy"] + (["PyTorch"] if torch else [])
        text += "\n" + table(header, [property_row(row, torch) for row in result["properties"]]) + "\n"
    return text.rstrip("\n")
