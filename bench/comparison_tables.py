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


def peers_among(rows):
    """In the order of the first row that has them."""
    return list(dict.fromkeys(peer for row in rows for peer in row.get("peers", {})))


def peer_cells(row, peer):
    found = row["peers"].get(peer)
    if found is None:
        return [""] * 5
    low, high = found["ratios"][0], found["ratios"][-1]
    return [f"{found['steps']:,}", rate(row["tokens"], found["seconds"]),
            f"**{found['ratio']:.2f}** ({low:.2f} to {high:.2f})", f"{row['memory'] / found['memory']:.2f}",
            f"{found['difference']:.0e}"]


def workload_row(row, peers):
    if "error" in row:
        return [row["workload"], "failed: " + row["error"]]
    share = "–" if row["share"] is None else f"{100 * row['share']:.0f} %"
    cells = [row["workload"], f"{row['steps']:,}", milliseconds(row["seconds"]), rate(row["tokens"], row["seconds"]),
             share, f"{row['memory'] / 2**20:,.0f}", f"{row['libraries'] / 2**20:,.0f}"]
    return cells + [cell for peer in peers for cell in peer_cells(row, peer)]


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
    header = ["workload", "steps", "ms/step", "tokens/s", "of the FMA peak", "MiB", "of them libraries"]
    peers = peers_among(result["workloads"])
    for peer in peers:
        header += [f"{peer} steps", "tokens/s", f"speed ÷ {peer}'s", f"memory ÷ {peer}'s", "difference"]
    if result["workloads"]:
        text += table(header, [workload_row(row, peers) for row in result["workloads"]]) + "\n"
    if result["properties"]:
        header = ["property", "eddy"] + (["PyTorch"] if torch else [])
        text += "\n" + table(header, [property_row(row, torch) for row in result["properties"]]) + "\n"
    return text.rstrip("\n")
