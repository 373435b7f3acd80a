#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs eddy and, where it is installed, PyTorch on the same workloads in alternation and prints the ratios; with --dynet,
DyNet's training steps as well.

Before anything is timed all must compute the same from the same weights and batch: the losses of three steps of
training, the scores, or the words. A step of training is forward, backward, clipping by norm and Adam, with a full
softmax; each slice has five steps at least. A job that fails leaves the others' figures, and ends in status 1. Only ratios
within one run mean anything where a machine is shared; the FMA peak is measured between the steps as well. Peak memory is
that of a fresh process after three steps; of PyTorch's, what the bare import takes is subtracted, of eddy's nothing, but the
table says what it held before it began: its libraries. DyNet has one thread.
"""
import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import comparison_tables as tables
from contestant import Failure, Systems, python_with_torch

# Largest difference of losses and scores, relative to the value.
TOLERANCE = 2e-4
STEPS_CHECKED = 3


def check_same(name, peer, ours, theirs):
    """The largest relative difference; Failure when it is too large."""
    if len(ours) != len(theirs):
        raise Failure(f"{name}: eddy yields {len(ours)} values, {peer} {len(theirs)}")
    worst = 0.0
    for i, (a, b) in enumerate(zip(ours, theirs)):
        difference = abs(a - b) / max(abs(b), 1e-3)
        if not difference <= TOLERANCE:
            raise Failure(f"{name}: value {i} is {a} in eddy and {b} in {peer}, which differ by more than {TOLERANCE}")
        worst = max(worst, difference)
    return worst


def eddy_slice(eddy, seconds, sizes):
    result = eddy.ask("time", seconds)
    # Without a count of products there is no share.
    return {"seconds": result["median"], "steps": result["steps"], "peak": result["peak"],
            "share": sizes["flops"] / result["median"] / result["peak"] if sizes["flops"] else None}


def memory_of(contestant):
    """What a process just started says of its memory."""
    with contestant:
        contestant.ask("values", STEPS_CHECKED)
        return contestant.ask("memory")


def peak_memory(contestant):
    found = memory_of(contestant)
    return found["peak_resident"] - found.get("after_import", 0)


def peers_of(systems, name, folder):
    """What starts each peer of a workload. PyTorch, started first, writes the weights that all begin with; when it is
    started again, for its memory, it does not, as that takes memory too."""
    if not systems.python:
        return {}
    weights = folder / "weights.npz"

    def dynet():
        arrays = folder / "arrays"
        if not arrays.exists():
            with zipfile.ZipFile(weights) as archive:
                archive.extractall(arrays)
        return systems.dynet(name, arrays)

    def torch():
        return systems.torch(name, *([] if weights.exists() else ["--save", str(weights)]))

    starts = {"PyTorch": torch}
    if systems.dynet_program and systems.workloads[name]["trains"]:
        starts["DyNet"] = dynet
    return starts


def compare_workload(systems, name, seconds, rounds):
    sizes = systems.workloads[name]
    row = {"workload": name, "tokens": sizes["tokens"], "flops": sizes["flops"], "peers": {}}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        starts = peers_of(systems, name, folder)
        peers = {peer: stack.enter_context(start()) for peer, start in starts.items()}
        with systems.eddy(name, *([f"--weights={folder / 'weights.npz'}"] if peers else [])) as eddy:
            ours = eddy.ask("values", STEPS_CHECKED)["values"]
            differences = {peer: check_same(name, peer, ours, contestant.ask("values", STEPS_CHECKED)["values"])
                           for peer, contestant in peers.items()}
            slices = []
            for _ in range(rounds):
                slices.append(eddy_slice(eddy, seconds / rounds, sizes))
                slices[-1]["peers"] = {peer: contestant.ask("time", seconds / rounds)
                                       for peer, contestant in peers.items()}
        row["seconds"] = statistics.median(s["seconds"] for s in slices)
        row["steps"] = sum(s["steps"] for s in slices)
        row["share"] = statistics.median(s["share"] for s in slices) if sizes["flops"] else None
        row["peak"] = statistics.median(s["peak"] for s in slices)
        found = memory_of(systems.eddy(name))
        row["memory"], row["libraries"] = found["peak_resident"], found["at_start"]
        for peer, start in starts.items():
            theirs = [s["peers"][peer] for s in slices]
            ratios = sorted(s["peers"][peer]["median"] / s["seconds"] for s in slices)
            row["peers"][peer] = {"seconds": statistics.median(slice["median"] for slice in theirs),
                                  "steps": sum(slice["steps"] for slice in theirs), "ratios": ratios,
                                  "ratio": statistics.median(ratios), "memory": peak_memory(start()),
                                  "difference": differences[peer]}
    return row


def alternated(first, second, seconds, rounds):
    """Median over the rounds of how many times faster a step of `first` is."""
    ratios = []
    for _ in range(rounds):
        a = first.ask("time", seconds / rounds)["median"]
        ratios.append(second.ask("time", seconds / rounds)["median"] / a)
    return statistics.median(ratios)


def two_threads(systems, seconds, rounds):
    with systems.eddy("lm_medium", threads=2) as two, systems.eddy("lm_medium", threads=1) as one:
        return {"property": "lm_medium: two threads against one", "value": alternated(two, one, seconds, rounds),
                "unit": "×"}


def busy(start, seconds, rounds):
    """Speed of a step while a second process does the same, relative to its speed alone."""
    shares = []
    with start("lm_medium") as first, start("lm_medium") as second:
        for contestant in (first, second):
            contestant.ask("values", 1)
        for _ in range(rounds):
            alone = first.ask("time", seconds / rounds)["median"]
            for contestant in (first, second):
                contestant.tell("time", seconds / rounds)
            shares.append(alone / statistics.mean(c.hear()["median"] for c in (first, second)))
    return statistics.median(shares)


def busy_machine(systems, seconds, rounds):
    row = {"property": "lm_medium: speed with a second such process, of that alone",
           "value": busy(systems.eddy, seconds, rounds), "unit": "×"}
    if systems.python:
        row["torch"] = busy(systems.torch, seconds, rounds)
    return row


def short_texts(systems, seconds, rounds):
    with systems.eddy("lm_medium", "--lengths=spread") as short, systems.eddy("lm_medium") as full:
        return {"property": "lm_medium: a batch of half the mean length, of a full batch",
                "value": 1 / alternated(short, full, seconds, rounds), "unit": "×"}


def compile_time(systems, _, rounds):
    with systems.eddy("lm_paper") as eddy:
        found = [eddy.ask("compile") for _ in range(rounds)]
    return [{"property": f"lm_paper: {text}", "value": min(f[key] for f in found) * 1e3, "unit": "ms"}
            for key, text in (("first", "build and compile"), ("second", "the same for a second length"))]


def node_overhead(systems, *_):
    return [{"property": f"overhead per node, {text}", "value": value, "unit": "ns"}
            for text, value in zip(("nothing fused", "within a fused chain"), systems.node_overheads(), strict=True)]


PROPERTIES = {"threads": two_threads, "busy": busy_machine, "lengths": short_texts, "compile": compile_time,
              "overhead": node_overhead}


def parse(systems_help="all"):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", nargs="*", metavar="NAME", help=f"default: {systems_help}")
    parser.add_argument("--properties", nargs="*", choices=list(PROPERTIES), default=list(PROPERTIES), metavar="NAME",
                        help=f"further rows, of {', '.join(PROPERTIES)} (default: all)")
    parser.add_argument("--seconds", type=float, default=10, help="of each system on each workload (default: 10)")
    parser.add_argument("--rounds", type=int, default=5, help="slices these seconds are taken in (default: 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="default: the processors this process may run on")
    parser.add_argument("--precision", choices=["highest", "high", "medium"], default="highest",
                        help="of eddy's products on AMX; PyTorch's are f32 (default: highest)")
    parser.add_argument("--build", default="build", help="Meson's build folder (default: build)")
    parser.add_argument("--no-torch", action="store_true", help="eddy's side only")
    parser.add_argument("--dynet", metavar="PROGRAM", help="what bench/peers/dynet_workloads.cpp was built to (its first "
                        "lines say how); needs PyTorch, which makes the weights that all begin with")
    parser.add_argument("--markdown", metavar="FILE", help="also write the tables there")
    parser.add_argument("--json", metavar="FILE", help="also write all figures there")
    arguments = parser.parse_args()
    if arguments.seconds <= 0 or arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--seconds, --rounds and --threads must be positive")
    for file in (arguments.markdown, arguments.json):
        if file and not Path(file).resolve().parent.is_dir():
            parser.error(f"there is no folder {Path(file).resolve().parent} to write {file} to")
    if arguments.dynet:
        if arguments.no_torch:
            parser.error("--dynet needs PyTorch, which makes the weights that all begin with")
        if not shutil.which(arguments.dynet):
            parser.error(f"--dynet: there is no program {arguments.dynet}")
    return arguments


def measure(systems, arguments, result):
    """Fills `result` row by row, so that an interrupt leaves what was measured. A job that fails has a row with its
    "error", and the others run. Returns whether all went well."""
    names = list(systems.workloads) if arguments.workloads is None else arguments.workloads
    for name in names:
        if name not in systems.workloads:
            raise Failure(f"there is no workload '{name}', but {', '.join(systems.workloads)}")
    jobs = [(name, "workload", lambda name=name: compare_workload(systems, name, arguments.seconds, arguments.rounds))
            for name in names]
    jobs += [(name, "property", lambda name=name: PROPERTIES[name](systems, arguments.seconds, arguments.rounds))
             for name in arguments.properties]
    rows_of = {"workload": result["workloads"], "property": result["properties"]}
    well = True
    start = time.monotonic()
    for done, (name, kind, job) in enumerate(jobs):
        passed = time.monotonic() - start
        left = f", about {passed / done * (len(jobs) - done):.0f} s left" if done else ""
        print(f"{done + 1}/{len(jobs)} {name}{left}", file=sys.stderr, flush=True)
        try:
            rows = job()
        except Exception as error:  # whatever one job meets, the others' figures stay
            text = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            print(f"{name}: {text}", file=sys.stderr)
            rows = {kind: name, "error": text}
            well = False
        rows_of[kind].extend(rows if isinstance(rows, list) else [rows])
    return well


def write_whole(path, text):
    """The text takes the place of the file once it is complete."""
    path = Path(path)
    if path.exists() and not path.is_file():  # a device or a pipe
        path.write_text(text)
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main():
    arguments = parse()
    python = version = None
    if not arguments.no_torch:
        try:
            python, version = python_with_torch()
        except Failure as why:
            if arguments.dynet:
                raise Failure(f"--dynet needs PyTorch, and no Python can import it and numpy: {why}") from None
            print(f"eddy's side only, as no Python can import PyTorch and numpy: {why}", file=sys.stderr)
    systems = Systems(arguments.build, arguments.threads, python, arguments.dynet, arguments.precision)
    with systems.eddy("toy0") as eddy:
        machine = eddy.greeting["machine"]
    result = {"machine": machine, "threads": arguments.threads, "precision": arguments.precision, "torch": version,
              "seconds": arguments.seconds, "rounds": arguments.rounds, "tolerance": TOLERANCE,
              "date": time.strftime("%Y-%m-%d"), "workloads": [], "properties": []}
    try:
        status = 0 if measure(systems, arguments, result) else 1
    except KeyboardInterrupt:
        print("interrupted; what was measured:", file=sys.stderr)
        status = 130
    text = tables.markdown(result)
    print(text)
    if arguments.markdown:
        write_whole(arguments.markdown, text + "\n")
    if arguments.json:
        write_whole(arguments.json, json.dumps(result, indent=1) + "\n")
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"compare.py: {failure}", file=sys.stderr)
        sys.exit(1)
