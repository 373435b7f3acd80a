# SPDX-License-Identifier: Apache-2.0
"""Processes that run one workload each, at our command: eddy_workloads, and the same in PyTorch."""
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Failure(Exception):
    """What a user should read, without a traceback."""


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
        return json.loads(line)

    def ask(self, *words):
        self.tell(*words)
        return self.hear()


class Systems:
    """Starts contestants. `python` is the interpreter that has PyTorch, or None."""

    def __init__(self, build, threads, python=None):
        self.program = Path(build) / "bench" / "eddy_workloads"
        self.benchmark = Path(build) / "bench" / "eddy_bench"
        if not self.program.exists():
            raise Failure(f"there is no {self.program}; build it with: meson setup {build} -Dbuildtype=release && "
                          f"ninja -C {build}")
        self.threads = threads
        self.python = python
        listed = subprocess.run([self.program, "--list"], check=True, capture_output=True, text=True).stdout
        self.workloads = {sizes["name"]: sizes for sizes in map(json.loads, listed.splitlines())}

    def eddy(self, name, *options, threads=None):
        return Contestant([str(self.program), name, f"--threads={threads or self.threads}", *options])

    def torch(self, name, *options):
        sizes = [str(self.workloads[name][size]) for size in ("vocabulary", "time", "batch", "embedding", "hidden")]
        environment = {"OMP_NUM_THREADS": str(self.threads)}
        if "OPENBLAS_CORETYPE" not in os.environ and "avx512f" in Path("/proc/cpuinfo").read_text():
            # An OpenBLAS that does not know the processor would fall back to SSE.
            environment["OPENBLAS_CORETYPE"] = "SKYLAKEX"
        return Contestant([self.python, str(HERE / "peers" / "torch_workloads.py"), name, *sizes, "--threads",
                           str(self.threads), *options], environment)

    def node_overhead(self):
        """Seconds per executed node of next to no work."""
        found = subprocess.run([self.benchmark, "--benchmark_filter=executor/node_overhead", "--benchmark_format=json",
                                f"--threads={self.threads}"], check=True, capture_output=True, text=True)
        return json.loads(found.stdout)["benchmarks"][0]["ns/node"] * 1e-9


def python_with_torch():
    """An interpreter that can import torch, and torch's version; (None, None) without."""
    for python in dict.fromkeys([sys.executable, "/usr/bin/python3"]):
        found = subprocess.run([python, "-c", "import torch, numpy; print(torch.__version__)"], capture_output=True,
                               text=True)
        if found.returncode == 0:
            return python, found.stdout.strip()
    return None, None
