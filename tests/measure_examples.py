"""On CRUXEval with its inputs removed: how many programs get three cases, and what branch coverage do the cases have?

    python tests/measure_examples.py [PROBLEMS.jsonl [EVERY [WORKERS]]]

PROBLEMS: default ../shared/data/cruxeval.jsonl. EVERY 10 takes each tenth program.
"""
import json
import statistics
import sys
import time
from pathlib import Path

from verified_code_cot.examples import Defined, cases_for, in_numbers


def main(path="../shared/data/cruxeval.jsonl", every="1", workers="2"):
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()][::int(every)]
    start = time.monotonic()
    found = list(cases_for([Defined(id=str(row["id"]), name="f", code=row["code"]) for row in lines], workers=int(workers)))
    seconds = time.monotonic() - start
    shares = [one.reached / one.outcomes if one.program else 0.0 for one in found]
    numbers = in_numbers(found)
    calls = {row["id"]: f"f({row['input']})" for row in lines}
    again = sum(case.call == calls[one.id] for one in found if one.program for case in one.program.cases)
    print(json.dumps({
        **numbers, "three_cases": round(numbers["with_three_cases"] / len(found), 4), "mean_coverage": round(statistics.mean(shares), 4),
        "fully_covered": round(sum(share == 1.0 for share in shares) / len(found), 4), "calls_of_the_benchmark_found": again,
        "tried": sum(one.tried for one in found), "seconds": round(seconds, 1), "programs_a_second": round(len(found) / seconds, 2),
    }, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
