# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmark programs for moments: that they work and say what was wrong, not how fast anything is.

  test_programs.py BUILD_FOLDER
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(sys.argv.pop()).resolve()


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def bench(*arguments):
    return run(BUILD / "bench" / "eddy_bench", "--threads=1", "--benchmark_min_time=0.01", *arguments)


class EddyBench(unittest.TestCase):
    def test_ops_are_listed(self):
        listed = bench("--list-ops")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("\ntanh ", listed.stdout)

    def test_an_op_is_timed_at_a_shape(self):
        timed = bench("--op", "tanh", "--shape", "f32[64]", "--benchmark_format=json")
        self.assertEqual(timed.returncode, 0, timed.stderr)
        names = [found["name"] for found in json.loads(timed.stdout)["benchmarks"]]
        self.assertIn("op/tanh/forward/f32[64]/manual_time", names)

    def test_problems_in_both_notations(self):
        forward = "--benchmark_filter=layer/lstm/forward"
        # Layers take a second each, however short the time asked for.
        timed = bench("--problem", "20x16x128x128", forward, "--benchmark_format=json")
        self.assertEqual(timed.returncode, 0, timed.stderr)
        self.assertIn("x_oneDNN", json.loads(timed.stdout)["benchmarks"][0])
        listed = bench("--problem", "l1t2mb3sic4", forward, "--benchmark_list_tests=true")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertIn("layer/lstm/forward/l1t2mb3sic4", listed.stdout)
        wrong = bench("--problem", "2x3x4", forward)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("eddy_bench: '2x3x4' is neither time x batch x input x hidden", wrong.stderr)

    def test_a_node_costs_something_alone_and_fused(self):
        timed = bench("--benchmark_filter=executor/node_overhead", "--benchmark_format=json")
        self.assertEqual(timed.returncode, 0, timed.stderr)
        self.assertEqual([found["ns/node"] > 0 for found in json.loads(timed.stdout)["benchmarks"]], [True, True])

    def test_updates_of_parameters(self):
        timed = bench("--benchmark_filter=update/adam(_catch_up_rows)?/", "--benchmark_format=json")
        self.assertEqual(timed.returncode, 0, timed.stdout + timed.stderr)
        self.assertEqual([found["%copy"] > 0 for found in json.loads(timed.stdout)["benchmarks"]], [True, True])


class BenchKernels(unittest.TestCase):
    def test_what_is_asked_for_is_known_before_anything_is_timed(self):
        program = BUILD / "bench" / "bench_kernels"
        told = run(program, "--help")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertTrue(told.stdout.startswith("bench_kernels [all|lstm|gemm] [ROUNDS]\n"), told.stdout)
        for arguments in (["--hepl"], ["lstms"], ["lstm", "few"], ["lstm", "1", "2"]):
            refused = run(program, *arguments)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), arguments)
            self.assertIn(f"'{arguments[-1]}'", refused.stderr)


class Compare(unittest.TestCase):
    def compare(self, build, *arguments):
        """The process and its figures."""
        with tempfile.TemporaryDirectory() as folder:
            figures = Path(folder) / "figures.json"
            compared = run(sys.executable, HERE / "compare.py", "--no-torch", "--seconds", "0.1", "--rounds", "1",
                           "--build", build, "--json", figures, *arguments)
            return compared, json.loads(figures.read_text()) if figures.exists() else None

    def test_workloads_have_figures(self):
        compared, figures = self.compare(BUILD, "--workloads", "toy0", "toy3", "greedy", "--properties")
        self.assertEqual(compared.returncode, 0, compared.stderr)
        self.assertEqual([row["workload"] for row in figures["workloads"]], ["toy0", "toy3", "greedy"])
        for row in figures["workloads"]:
            self.assertGreaterEqual(row["steps"], 5)
            self.assertGreater(row["seconds"], 0)
            self.assertGreater(row["memory"], row["libraries"])
            self.assertGreater(row["libraries"], 0)
        # Greedy decoding skips products, so that it has no share of the peak.
        self.assertEqual([row["share"] is None for row in figures["workloads"]], [False, False, True])
        self.assertIn("| greedy | ", compared.stdout)

    def test_files_are_replaced_whole_and_through_links(self):
        with tempfile.TemporaryDirectory() as folder:
            tables, former = Path(folder) / "tables.md", Path(folder) / "former.md"
            former.write_text("former\n")
            tables.symlink_to(former)
            (Path(folder) / "kept.md").hardlink_to(former)
            compared, _ = self.compare(BUILD, "--workloads", "toy0", "--properties", "--markdown", tables)
            self.assertEqual(compared.returncode, 0, compared.stderr)
            self.assertEqual(former.read_text(), compared.stdout)
            self.assertTrue(tables.is_symlink())
            # A file written in place would have changed under its other name, too.
            self.assertEqual((Path(folder) / "kept.md").read_text(), "former\n")
            self.assertEqual(len(list(Path(folder).iterdir())), 3)

    def test_one_failing_job_leaves_the_others(self):
        with tempfile.TemporaryDirectory() as build:
            program = Path(build) / "bench" / "eddy_workloads"
            program.parent.mkdir()
            program.write_text(f"""#!/bin/sh
case "$1" in
  toy1) echo out of luck; exit ;;
  toy2) exit 3 ;;
esac
exec '{BUILD}/bench/eddy_workloads' "$@"
""")
            program.chmod(0o755)
            compared, figures = self.compare(build, "--workloads", "toy1", "toy2", "toy3", "--properties", "overhead")
        self.assertEqual(compared.returncode, 1, compared.stderr)
        broken, ended, fine = figures["workloads"]
        self.assertEqual(broken, {"workload": "toy1",
                                  "error": "eddy_workloads answered 'out of luck', which is no JSON"})
        self.assertEqual(ended["error"], "eddy_workloads ended; its error is above")
        self.assertGreater(fine["seconds"], 0)
        self.assertIn("eddy_bench", figures["properties"][0]["error"])
        self.assertIn("| toy2 | failed: eddy_workloads ended", compared.stdout)

    def test_threads_are_a_whole_number_and_precisions_have_names(self):
        for program in ("eddy_workloads", "eddy_bench"):
            for threads in ("1.9", "1e10", "0"):
                refused = run(BUILD / "bench" / program, f"--threads={threads}")
                self.assertEqual(refused.returncode, 1, program)
                self.assertIn(f"must be a positive whole number, not '{threads}'", refused.stderr)
            refused = run(BUILD / "bench" / program, "--precision=low")
            self.assertEqual(refused.returncode, 1, program)
            self.assertIn("medium, high or highest, not 'low'", refused.stderr)

    def test_what_cannot_be_done_is_known_before_anything_is_timed(self):
        compare = [sys.executable, HERE / "compare.py", "--build", BUILD]
        for arguments, why in ((["--json", "missing/figures.json"], "there is no folder"),
                               (["--dynet", "missing"], "--dynet: there is no program missing"),
                               (["--dynet", "true", "--no-torch"], "--dynet needs PyTorch")):
            refused = run(*compare, *arguments)
            self.assertEqual((refused.returncode, refused.stdout), (2, ""), arguments)
            self.assertIn(why, refused.stderr)

    def test_a_folder_without_benchmarks(self):
        with tempfile.TemporaryDirectory() as build:
            (Path(build) / "build.ninja").touch()
            compared, figures = self.compare(build)
        self.assertEqual((compared.returncode, figures), (1, None))
        self.assertIn(f"meson configure {build} -Dbench=true && meson compile -C {build}", compared.stderr)


if __name__ == "__main__":
    unittest.main()
