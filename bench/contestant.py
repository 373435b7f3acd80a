# SPDX-License-Identifier: Apache-2.0
"""Processes that run one workload each, at our command: eddy_workloads, and the same in PyTorch and DyNet."""
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Failure(Exception):
    """What a user should read, without a traceback."""


def last_line(text):
    return text.strip().rpartition("\n")[2]


def output_of(*command):
    """What a command prints; Failure with its last words when it fails."""
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        raise Failure(f"{Path(command[0]).name} failed: {last_line(ended.stderr) or f'status {ended.returncode}'}")
    return ended.stdout


class Contestant:
    """A process with a line of JSON for every line it is sent. Use as a context manager."""

    def __init__(self, command, environment=None):
        self.name = Path(command[0] if "python" not in Path(command[0]).name else command[1]).name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.greeting = self.hear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stdout.close()

    def tell(self, *words):
        try:
            print(*words, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise Failure(f"{self.name} ended; its error is above") from None

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"{self.name} ended; its error is above")
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise Failure(f"{self.name} answered '{line.strip()}', which is no JSON") from None

    def ask(self, *words):
        self.tell(*words)
        return self.hear()


class Systems:
    """Starts contestants. `python` is the interpreter that has PyTorch, or None; `dynet` the program that
    peers/dynet_workloads.cpp becomes, or None. `precision` is that of eddy's products."""

    def __init__(self, build, threads, python=None, dynet=None, precision="highest"):
        self.program = Path(build) / "bench" / "eddy_workloads"
        self.benchmark = Path(build) / "bench" / "eddy_bench"
        if not self.program.exists():
            configure = (f"meson configure {build} -Dbench=true" if (Path(build) / "build.ninja").exists() else
                         f"meson setup {build} -Dbuildtype=release")
            raise Failure(f"there is no {self.program}; build it with: scripts/install-dependencies --tests && "
                          f"{configure} && meson compile -C {build}")
        self.threads = threads
        self.precision = precision
        self.python = python
        self.dynet_program = dynet
        listed = output_of(self.program, "--list").splitlines()
        self.workloads = {sizes["name"]: sizes for sizes in map(json.loads, listed)}

    def eddy(self, name, *options, threads=None):
        return Contestant([str(self.program), name, f"--threads={threads or self.threads}",
                           f"--precision={self.precision}", *options])

    def sizes(self, name):
        return [str(self.workloads[name][size]) for size in ("vocabulary", "time", "batch", "embedding", "hidden")]

    def torch(self, name, *options):
        environment = {"OMP_NUM_THREADS": str(self.threads)}
        if "OPENBLAS_CORETYPE" not in os.environ and "avx512f" in Path("/proc/cpuinfo").read_text():
            # An OpenBLAS that does not know the processor would fall back to SSE.
            environment["OPENBLAS_CORETYPE"] = "SKYLAKEX"
        return Contestant([self.python, str(HERE / "peers" / "torch_workloads.py"), name, *self.sizes(name),
                           "--threads", str(self.threads), *options], environment)

    def dynet(self, name, arrays):
        """`arrays` is a folder of .npy files. DyNet has one thread."""
        return Contestant([self.dynet_program, name, *self.sizes(name), str(arrays)])

    def node_overheads(self):
        """Nanoseconds per node of next to no work: when each runs by itself, and in one fused chain."""
        found = output_of(self.benchmark, "--benchmark_filter=executor/node_overhead", "--benchmark_format=json",
                          f"--threads={self.threads}")
        return [benchmark["ns/node"] for benchmark in json.loads(found)["benchmarks"]]


def python_with_torch():
    """An interpreter that can import torch and numpy, and torch's version. Failure says what each one lacks."""
    refusals = []
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        try:
            return python, output_of(python, "-c", "import torch, numpy; print(torch.__version__)").strip()
        except (Failure, OSError) as error:
            refusals.append(f"{python}: {error}")
    raise Failure("; ".join(refusals))
