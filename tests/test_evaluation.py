"""Benchmarks, their scores, and the command that makes them."""

import contextlib
import gzip
import io
import json
import os
import random
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

from verified_code_cot import evaluation
from verified_code_cot.benchmarks import BENCHMARKS, read_problems, usual_imports
from verified_code_cot.commands import main
from verified_code_cot.evaluation import Generations, evaluate, read_generations
from verified_code_cot.records import InputError
from verified_code_cot.scoring import check_problems, interval, pass_at_k, problem_score, score, summary

SHARED = Path(__file__).parents[2] / "shared" / "data"
PUBLISHED = sorted((SHARED / "cruxeval_generations").glob("*.json")) if SHARED.exists() else []
needs_shared = pytest.mark.skipif(not PUBLISHED, reason="../shared is not here")

CRUX = [
    {"id": "m0", "code": "def f(xs):\n    return sorted(xs)[::-1]", "input": "[1, 3]", "output": "[3, 1]"},
    {"id": "m1", "code": "def f(s, k=2):\n    return s * k", "input": "'ab', k=3", "output": "'ababab'"},
    {"id": "m2", "code": "def f(n):\n    while n > 100:\n        n -= 1\n    return n == 100", "input": "123", "output": "True"},
]
LCB = [
    {
        "id": "l0",
        "code": "def best(prices: List[int], fee: int = 0) -> int:\n    have: int = 0\n    for a, b in zip(prices, prices[1:]):\n"
        "        have += max(0, b - a - fee)\n    return have",
        "input": "best(prices = [1, 5, 2, 9], fee = 1)",
        "output": "9",
    },
    {
        "id": "l1",
        "code": "@lru_cache(maxsize=None)\ndef ways(n: int) -> int:\n    return 1 if n < 2 else ways(n - 1) + ways(n - 2)",
        "input": "ways(n = 10)",
        "output": "89",
        "question_id": 12,
        "difficulty": "easy",
    },
]
RUNNING = """from typing import List


def running(xs: List[int]) -> List[int]:
    \"\"\" Running sums of xs.
    >>> running([1, 2])
    [1, 3]
    \"\"\"
"""
RUNNING_TEST = """

METADATA = {}


def check(candidate):
    assert candidate([1, 2, 3]) == [1, 3, 6]
    assert candidate([]) == []
    assert candidate([-1, 1]) == [-1, 0]
"""
VOWELS_TEST = "def check(candidate):\n    assert candidate('Apple') == 2\n    assert candidate('') == 0\n    assert candidate('xyz') == 0\n"
HUMAN = [
    {
        "task_id": "Mine/0",
        "prompt": RUNNING,
        "entry_point": "running",
        "test": RUNNING_TEST,
        "canonical_solution": "    total, out = 0, []\n    for x in xs:\n        total += x\n        out.append(total)\n    return out\n",
    },
    {
        "task_id": "Mine/1",
        "prompt": 'def vowels(s: str) -> int:\n    """ How many vowels there are in s. """\n',
        "entry_point": "vowels",
        "test": VOWELS_TEST,
        "canonical_solution": "    return sum(c in 'aeiou' for c in s.lower())\n",
    },
]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def outcomes(benchmark, rows, texts, tmp_path, **running):
    """The outcomes of some answers, by problem id."""
    problems = read_problems(benchmark, str(lines(tmp_path / "problems.jsonl", rows)))
    return {one.id: one for one in score(problems, texts, workers=0, **running)}


def statuses(one):
    return [outcome.status for outcome in one.outcomes]


# what an answer comes to


def test_outputs(tmp_path):
    found = outcomes(
        "cruxeval-o",
        CRUX,
        {
            "m0": ["[3, 1]", "(3, 1)", "f([1, 3])", "[3, 1] # sorted", "sorted([1, 3])[::-1]", "[3, 1", "three", "", "[3, 1], 'why'", "\ud800"],
            "m1": [
                "'ababab'",
                '"ababab"',
                "'ab' * 3",
                "f('ab', k=3)",
                "f('ab', 3)",
                "exit()",
                "quit",
                "__import__('sys').exit()",
                "'''ababab'''",
                "'ababab'\n",
            ],
            "m2": ["True", "1", "1.0", "(not False)", "False", "f(200)", "input()", "(print('x' * 10**7) is None)", "raise_", "True; x"],
        },
        tmp_path,
    )
    assert statuses(found["m0"]) == ["passed", "wrong", "refused", "passed", "passed", "syntax", "error", "syntax", "passed", "syntax"]
    assert statuses(found["m1"]) == ["passed", "passed", "passed", "refused", "passed", "error", "error", "error", "passed", "passed"]
    assert statuses(found["m2"]) == ["passed", "passed", "passed", "passed", "wrong", "passed", "error", "passed", "error", "error"]
    assert [outcome.literal for outcome in found["m1"].outcomes][:4] == [True, True, False, False]


def test_inputs(tmp_path):
    found = outcomes(
        "cruxeval-i",
        CRUX,
        {"m0": ["f([3, 1])", "[3, 1]", "f([1, 1])", "f({1, 3})"], "m1": ["f('ab', 3)", "f(s='ab', k=3)", "f('ababab', 1)"], "m2": ["f(100)", "f(99)"]},
        tmp_path,
    )
    assert statuses(found["m0"]) == ["passed", "refused", "wrong", "passed"]
    assert statuses(found["m1"]) == ["passed"] * 3 and statuses(found["m2"]) == ["passed", "wrong"]


def test_answers_that_do_not_end(tmp_path):
    bad = [
        "max(iter(int, 1))",
        "[0] * 10**12",
        "[0 for _ in iter(int, 1)]",
        "__import__('time').sleep(100)",
        "open('/etc/passwd').read()",
        "__import__('os')._exit(0)",
        "(lambda f: f(f))(lambda f: f(f))",
        "(" * 5000,
        "10**10**10",
        "[3, 1]",
    ]
    found = outcomes("cruxeval-o", CRUX[:1], {"m0": bad}, tmp_path, seconds=0.5, memory_mb=300)["m0"]
    assert (
        statuses(found)[:2] == ["timeout", "memory"] and statuses(found)[2] in ("timeout", "memory") and statuses(found)[3:6] == ["timeout", "denied", "killed"]
    )
    assert statuses(found)[6] == "error" and not any(outcome.passed for outcome in found.outcomes[:-1]) and found.outcomes[-1].passed


def test_one_answer_cannot_help_the_next(tmp_path):
    cheat = "[3, 1] if not __import__('builtins').__dict__.update(sorted=lambda xs: [1, 3]) else 0"
    found = outcomes("cruxeval-o", CRUX[:1], {"m0": ["0", cheat, "[3, 1]", "sorted([3, 1])[::-1]"]}, tmp_path)["m0"]
    assert statuses(found)[2:] == ["passed", "passed"] and found.reference.passed


def test_livecodebench(tmp_path):
    found = outcomes(
        "lcb-exec", LCB, {"l0": ["9", "10", "best([1, 5, 2, 9], 1)", "best(prices = [1, 5, 2, 9], fee = 1)"], "l1": ["ways(n = 10)"] * 4}, tmp_path
    )
    assert statuses(found["l0"]) == ["passed", "wrong", "passed", "left out"] and (found["l0"].n, found["l0"].passed) == (3, 2)
    assert (found["l1"].n, found["l1"].passed) == (4, 0), "when all samples echo the call, all are wrong"
    assert found["l0"].reference.passed and found["l1"].reference.passed


def mutants(solution, count, seed):
    """Solutions with one small change each."""
    random_ = random.Random(seed)
    swaps = [
        ("+", "-"),
        ("==", "!="),
        ("<", "<="),
        (">", ">="),
        ("0", "1"),
        ("1", "2"),
        (" and ", " or "),
        ("True", "False"),
        ("return ", "return not "),
        ("in ", "not in "),
        ("lower", "upper"),
        ("append", "extend"),
        ("for ", "while "),
    ]
    made = []
    for _ in range(count):
        old, new = random_.choice([pair for pair in swaps if pair[0] in solution])
        places = [i for i in range(len(solution)) if solution.startswith(old, i)]
        place = random_.choice(places)
        made.append(solution[:place] + new + solution[place + len(old) :])
    return made


CHECK = """
import json, sys, signal, contextlib, io
source = sys.stdin.read()
def late(number, frame):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 20)
try:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(source, {})
except BaseException as error:
    print(json.dumps(False))
else:
    print(json.dumps(True))
"""


def own_check(row, completion):
    """HumanEval's own definition of right, run plainly in a fresh interpreter."""
    source = row["prompt"] + completion + "\n" + row["test"] + "\n" + f"check({row['entry_point']})"
    run = subprocess.run([sys.executable, "-c", CHECK], input=source, capture_output=True, text=True, timeout=60)
    return run.stdout.strip().endswith("true")


def test_humaneval_solutions_and_mutants(tmp_path):
    texts = {
        row["task_id"]: [row["canonical_solution"], *mutants(row["canonical_solution"], 6, 3), "    pass", "  return 1\n    return 2", ""] for row in HUMAN
    }
    found = outcomes("humaneval", HUMAN, texts, tmp_path, forward=False)
    for row in HUMAN:
        ours = [outcome.passed for outcome in found[row["task_id"]].outcomes]
        assert ours == [own_check(row, text) for text in texts[row["task_id"]]] and ours[0] and not all(ours)


def test_samples_in_humanevals_own_form(tmp_path):
    lines(
        tmp_path / "samples.jsonl",
        [{"task_id": row["task_id"], "completion": text} for row in HUMAN for text in (row["canonical_solution"], "    return None\n")],
    )
    problems = read_problems("humaneval", str(lines(tmp_path / "problems.jsonl", HUMAN)))
    whole, _ = evaluate("humaneval", problems, read_generations(str(tmp_path / "samples.jsonl")), workers=0, draws=50)
    assert whole["pass@1"] == 0.5 and whole["n"] == 2 and whole["pass@5"] is None and whole["outcomes"] == {"passed": 2, "wrong": 2}


@needs_shared
def test_humaneval_itself():
    with gzip.open(SHARED / "HumanEval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    problems = read_problems("humaneval", str(SHARED / "HumanEval.jsonl.gz"))
    chosen = random.Random(5).sample(range(len(rows)), 12)
    texts = {row["task_id"]: [row["canonical_solution"], *(mutants(row["canonical_solution"], 2, i) if i in chosen else [])] for i, row in enumerate(rows)}
    found = {one.id: one for one in score(problems, texts, forward=False, workers=0)}
    assert len(found) == 164 and all(one.outcomes[0].passed for one in found.values())
    for i in chosen:
        row = rows[i]
        assert [outcome.passed for outcome in found[row["task_id"]].outcomes[1:]] == [own_check(row, text) for text in texts[row["task_id"]][1:]], row[
            "task_id"
        ]


@needs_shared
def test_livecodebench_itself():
    problems = read_problems("lcb-exec", str(SHARED / "livecodebench_exec_20.jsonl"))
    found = list(score(problems, {problem.id: [problem.output, "None", problem.call] for problem in problems}, workers=0))
    assert len(found) == 20
    assert all(one.outcomes[0].passed and one.reference.passed and one.outcomes[2].status == "left out" and one.n == 2 for one in found)


# what was published

NONE = pytest.param(None, marks=pytest.mark.skip(reason="../shared is not here"))


@pytest.mark.parametrize("path", PUBLISHED or [NONE], ids=lambda path: path.stem if path else "none")
def test_published_outcomes_are_ours(path):
    """The first 60 problems of each file, every sample; VCC_FULL=1 for all 800 (minutes: some answers loop)."""
    benchmark = "cruxeval-i" if "input" in path.name else "cruxeval-o"
    problems = read_problems(benchmark, str(SHARED / "cruxeval.jsonl"))[: None if os.environ.get("VCC_FULL") else 60]
    kept = read_generations(str(path))
    scores = list(score(problems, kept.texts, forward=benchmark.endswith("o"), workers=0))
    assert evaluation.disagreements(scores, kept.published) == []
    assert sum(len(one.outcomes) for one in scores) == 10 * len(problems)
    if len(problems) == 800:
        whole, published = summary(scores, draws=10), json.loads(path.read_text())
        assert abs(whole["pass@1"] - published["pass_at_1"] / 100) < 1e-9 and abs(whole["pass@5"] - published["pass_at_5"] / 100) < 1e-9


# numbers


@pytest.mark.parametrize("n", [1, 5, 7, 10])
def test_pass_at_k_is_the_share_of_subsets(n):
    for c in range(n + 1):
        for k in (1, 5):
            drawn = [any(one < c for one in chosen) for chosen in combinations(range(n), k)]
            assert pass_at_k(n, c, k) == (pytest.approx(sum(drawn) / len(drawn), abs=1e-12) if drawn else None)


def test_intervals():
    values = [0.0] * 60 + [1.0] * 40
    low, high = interval(values)
    assert low < 0.4 < high and abs((high - low) / 2 - 1.96 * (0.24 / 100) ** 0.5) < 0.01
    assert interval(values, seed=1) == interval(values, seed=1) != interval(values, seed=2)
    wide, narrow = interval(values, 2000), interval(values * 9, 2000)
    assert narrow[1] - narrow[0] < 0.5 * (wide[1] - wide[0])


def test_intervals_cover_what_they_promise():
    """Of 300 samplings of 80 problems from a known population, about 95% of the intervals hold the truth."""
    random_ = random.Random(4)
    population = [random_.choice((0, 0.1, 0.5, 0.9, 1)) for _ in range(5000)]
    truth = sum(population) / len(population)
    held = 0
    for i in range(300):
        low, high = interval(random_.sample(population, 80), draws=300, seed=i)
        held += low <= truth <= high
    assert 0.9 < held / 300 < 0.985


# files that cannot be used


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"m0": ["1"], "m1": ["1"]}', "no answers to 'm2' of 3 problems; --partial"),
        ('{"m0": ["1"]}', "no answers to 'm1' and 1 more of 3 problems"),
        ('{"m0": ["1"], "m1": ["1"], "m2": ["1"], "x": ["1"]}', "'x': not among the 3 problems"),
        ('{"sample_0": ["1"]}', "'sample_0': not among the 3 problems, and 3 of them have no answers"),
        ('{"m0": ["1"], "m1": [], "m2": ["1"]}', "m1: has no texts"),
        ('{"m0": "1", "m1": ["1"], "m2": ["1"]}', "m0: not a list of texts"),
        ('{"m0": ["1", 2], "m1": ["1"], "m2": ["1"]}', "m0[1]: not a text but a int"),
        ('{"raw_generations": [["1"]]}', "raw_generations: not an object"),
        ('{"raw_generations": {"m0": ["1"]}, "raw_scored_generations": {"m0": [true, false]}}', "m0: 1 texts in raw_generations, 2 outcomes in raw_"),
        ("[1]", "not an object {problem id: [text, …]} but a list"),
        ("", "not JSON"),
        ("{", ":1: not JSON"),
        ("[" * 100000, "not JSON that can be read"),
    ],
)
def test_generations_that_do_not_fit(tmp_path, capsys, content, said):
    (tmp_path / "g.json").write_text(content)
    problems = lines(tmp_path / "p.jsonl", CRUX)
    assert main(["evaluate", "--benchmark", "cruxeval-o", "--problems", str(problems), "--generations", str(tmp_path / "g.json"), "--workers", "0"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err and "g.json" in err


@pytest.mark.parametrize(
    ("benchmark", "content", "said"),
    [
        ("cruxeval-o", "{}\n", "p.jsonl:1: id: this field is missing (and 3 more) (is this a file of cruxeval-o?)"),
        ("humaneval", json.dumps(CRUX[0]) + "\n", "p.jsonl:1: task_id: this field is missing"),
        ("cruxeval-i", json.dumps(CRUX[0]) + "\n" + json.dumps(CRUX[0]) + "\n", "p.jsonl:2: 'm0' stands there twice"),
        ("lcb-exec", json.dumps(LCB[0]) + "\n{\n", "p.jsonl:2: not JSON"),
        ("lcb-exec", "", "there are no problems in it"),
    ],
)
def test_problems_that_are_none(tmp_path, benchmark, content, said):
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(InputError) as error:
        read_problems(benchmark, str(tmp_path / "p.jsonl"))
    assert said in str(error.value)


def test_files_that_are_not_there(tmp_path):
    for source in ("none.jsonl", "none.jsonl.gz", "none.parquet", "deep/in/none.jsonl"):
        with pytest.raises(InputError, match="none"):
            read_problems("humaneval", str(tmp_path / source))
    (tmp_path / "plain.gz").write_text("no gzip")
    with pytest.raises(InputError, match=r"plain\.gz"):
        read_problems("humaneval", str(tmp_path / "plain.gz"))


def test_problems_by_name(monkeypatch):
    asked = []

    class Hub:
        @staticmethod
        def load_dataset(name, split):
            asked.append((name, split))
            if name == "nobody/nothing":
                raise ConnectionError("Couldn't reach the hub\nlong story")
            return HUMAN

    monkeypatch.setitem(sys.modules, "datasets", Hub)
    assert [problem.id for problem in read_problems("humaneval")] == ["Mine/0", "Mine/1"]
    assert [problem.id for problem in read_problems("humaneval", "some/copy")] == ["Mine/0", "Mine/1"]
    assert asked == [("openai/openai_humaneval", "test"), ("some/copy", "test")]
    with pytest.raises(InputError, match=r"nobody/nothing: cannot be loaded from the hub \(ConnectionError: Couldn't reach the hub\); or give a file"):
        read_problems("humaneval", "nobody/nothing")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match="needs the package datasets"):
        read_problems("cruxeval-o")


def test_parquet_and_gzip_hold_the_same_problems(tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(CRUX), tmp_path / "p.parquet")
    with gzip.open(tmp_path / "p.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in CRUX)
    plain = read_problems("cruxeval-o", str(lines(tmp_path / "p.jsonl", CRUX)))
    assert plain == read_problems("cruxeval-o", str(tmp_path / "p.parquet")) == read_problems("cruxeval-o", str(tmp_path / "p.jsonl.gz"))


def test_a_problem_that_this_machine_cannot_judge_is_named(tmp_path):
    told = []
    rows = [*LCB, {"id": "l2", "code": "def g(n: int) -> int:\n    return int(np.sum(range(n)))", "input": "g(n = 3)", "output": "3"}]
    problems = read_problems("lcb-exec", str(lines(tmp_path / "p.jsonl", rows)))
    whole, _ = evaluate("lcb-exec", problems, Generations({problem.id: [problem.output] for problem in problems}), workers=0, draws=50, tell=told.append)
    assert whole["reference_fails"] == ["l2"] and len(told) == 1 and "'l2': may be misjudged" in told[0] and "'np'" in told[0]


def test_the_usual_imports_need_only_the_standard_library():
    subprocess.run([sys.executable, "-I", "-S", "-c", usual_imports()], check=True)


# the command


def run_command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["evaluate", *map(str, arguments)])
    return status, out.getvalue(), err.getvalue()


def test_the_contract(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX)
    texts = {"m0": ["[3, 1]"] * 3 + ["[1, 3]"] * 2, "m1": ["0"] * 5, "m2": ["True"] * 5}
    (tmp_path / "g.json").write_text(json.dumps(texts))
    status, out, _ = run_command(
        "--benchmark",
        "cruxeval-o",
        "--problems",
        problems,
        "--generations",
        tmp_path / "g.json",
        "--json",
        "--per-sample",
        tmp_path / "o.json",
        "--per-problem",
        tmp_path / "q.jsonl",
        "--draws",
        200,
        "--workers",
        1,
    )
    found = json.loads(out)
    assert status == 0 and found["pass@1"] == pytest.approx((0.6 + 0 + 1) / 3) and found["pass@5"] == pytest.approx(2 / 3) and found["n"] == 5
    assert all(found["ci95"][name][0] <= found[name] <= found["ci95"][name][1] for name in ("pass@1", "pass@5"))
    assert json.loads((tmp_path / "o.json").read_text()) == {"m0": [True] * 3 + [False] * 2, "m1": [False] * 5, "m2": [True] * 5}
    assert [json.loads(line)["passed"] for line in (tmp_path / "q.jsonl").read_text().splitlines()] == [3, 0, 5]
    again = run_command("--benchmark", "cruxeval-o", "--problems", problems, "--generations", tmp_path / "g.json", "--json", "--draws", 200, "--workers", 0)
    assert again[:2] == (0, out)


def test_unequal_counts_are_scored_and_told(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX)
    (tmp_path / "g.json").write_text(json.dumps({"m0": ["[3, 1]"] * 2, "m1": ["0"], "m2": ["True"] * 2}))
    status, out, err = run_command(
        "--benchmark", "cruxeval-o", "--problems", problems, "--generations", tmp_path / "g.json", "--json", "--draws", 50, "--workers", 0
    )
    assert status == 3 and json.loads(out)["n"] is None and json.loads(out)["pass@1"] == pytest.approx(2 / 3)
    assert "'m1': not 2 answers, as to most problems, but 1" in err


def test_parts_of_a_benchmark(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX)
    (tmp_path / "g.json").write_text(json.dumps({"m0": ["[3, 1]"], "x": ["0"]}))
    common = ("--benchmark", "cruxeval-o", "--problems", problems, "--generations", tmp_path / "g.json", "--json", "--draws", 50, "--workers", 0)
    status, out, _ = run_command(*common, "--partial")
    assert status == 0 and json.loads(out)["problems"] == 1 and json.loads(out)["pass@1"] == 1.0
    (tmp_path / "g.json").write_text(json.dumps({"m0": ["[3, 1]"], "m1": ["0"]}))
    status, out, _ = run_command(*common, "--limit", 2)
    assert status == 0 and json.loads(out)["problems"] == 2


def test_published_outcomes_that_differ_are_named(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX[:1])
    (tmp_path / "g.json").write_text(json.dumps({"raw_generations": {"m0": ["[3, 1]", "4"]}, "raw_scored_generations": {"m0": [True, True]}}))
    status, out, err = run_command("--benchmark", "cruxeval-o", "--problems", problems, "--generations", tmp_path / "g.json", "--draws", 50, "--workers", 0)
    assert status == 0 and "published outcomes: 1 of 2 are the same here" in out and "m0[1]: AssertionError" in err


def test_places_that_cannot_be_written(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX[:1])
    (tmp_path / "g.json").write_text('{"m0": ["[3, 1]"]}')
    (tmp_path / "file").write_text("")
    status, out, err = run_command(
        "--benchmark",
        "cruxeval-o",
        "--problems",
        problems,
        "--generations",
        tmp_path / "g.json",
        "--draws",
        50,
        "--workers",
        0,
        "--per-sample",
        tmp_path / "file" / "o.json",
    )
    assert status == 1 and "cannot write there" in err


def test_the_choices_of_the_command_are_the_benchmarks(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "{" + ",".join(BENCHMARKS) + "}" in capsys.readouterr().out


def test_check_problems_needs_no_answers():
    row = {"id": "a", "before": "assert 1 == ", "reference": "1", "code": "", "call": None, "output": None}
    (found,) = check_problems([{"problem": row, "texts": []}])
    assert problem_score(found | {"outcomes": [{"passed": None, "status": "left out"}]}).at(1) == 0.0


def test_answers_that_did_not_behave_are_told_in_a_line_each(tmp_path):
    problems = lines(tmp_path / "p.jsonl", CRUX[:1])
    (tmp_path / "g.json").write_text(json.dumps({"m0": ["max(iter(int, 1))", "[0] * 10**12", "max(iter(int, 2))", "[3, 1]"]}))
    arguments = ("--benchmark", "cruxeval-o", "--problems", problems, "--generations", tmp_path / "g.json", "--json", "--draws", 20, "--workers", 0)
    status, out, err = run_command(*arguments, "--timeout", 0.3)
    assert status == 0 and json.loads(out)["pass@1"] == 0.25 and json.loads(out)["outcomes"] == {"memory": 1, "passed": 1, "timeout": 2}
    assert "2 answers had not ended when their time was up, first m0[0]" in err and "1 answers asked for too much memory, first m0[1]" in err
