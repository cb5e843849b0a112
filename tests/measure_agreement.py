"""How many programs a second are held against their tests, isolated, beside a bare fork per program in the same run?

    python tests/measure_agreement.py [CRUXEVAL.jsonl] [WORKERS]

Each of CRUXEval's 800 programs with one test, and with ten (its own case, ten times). The bare fork runs the same module and the same tests in a
child of a process that has imported little, and sends the results back through a pipe: no isolation, no limits. Both spread over WORKERS processes.
"""
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

DATA = Path(__file__).parents[2] / "shared" / "data" / "cruxeval.jsonl"


def jobs_from(path, tests):
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [{"id": row["id"], "setup": {"code": row["code"]}, "cases": [{"tests": [f"assert f({row['input']}) == {row['output']}"] * tests}]} for row in rows]


def bare(jobs):
    "The results of all jobs, each program in a fork of this process."
    passed = 0
    for job in jobs:
        receive, send = os.pipe()
        if os.fork() == 0:
            code, found = compile(job["setup"]["code"], "<program>", "exec"), []
            for test in job["cases"][0]["tests"]:
                space = {}
                try:
                    exec(code, space)
                    exec(test, space)
                    found.append(True)
                except Exception:  # noqa: BLE001 - a failed test
                    found.append(False)
            os.write(send, json.dumps(found).encode())
            os._exit(0)
        os.close(send)
        passed += sum(json.loads(os.read(receive, 1 << 16)))
        os.close(receive)
        os.wait()
    return passed


def isolated(jobs):
    "The results of all jobs in one sandbox."
    from verified_code_cot.agreement import EXAM_LIMITS
    from verified_code_cot.sandbox import Sandbox

    with Sandbox(EXAM_LIMITS, entry="examiner") as box:
        return sum(sum(case["passed"]) for result in box.run(jobs) for case in result["cases"])


def rate(work, jobs, workers):
    "Programs a second, and how many tests were passed."
    parts = [jobs[n::workers] for n in range(workers)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.map(time.sleep, [0.05] * workers)
        start = time.perf_counter()
        passed = sum(pool.map(work, parts, chunksize=1))
        return len(jobs) / (time.perf_counter() - start), passed


def main(path=DATA, workers=2, rounds=5):
    for tests in (1, 10):
        jobs = jobs_from(path, tests) * (2 if tests == 1 else 1)
        pairs = [(rate(bare, jobs, workers), rate(isolated, jobs, workers)) for _ in range(rounds)]
        assert all(one[1] == other[1] == len(jobs) * tests for one, other in pairs), pairs
        shares = sorted(other[0] / one[0] for one, other in pairs)
        best = max(other[0] for _, other in pairs)
        print(f"{tests:2} tests: bare {max(one[0] for one, _ in pairs):6.0f} programs/s, isolated {best:6.0f} programs/s ({best * tests:.0f} executions/s); "
              f"share, median of {rounds} pairs {shares[rounds // 2]:.2f} (from {shares[0]:.2f} to {shares[-1]:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
