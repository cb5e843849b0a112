"""Programs that a benchmark also has are found: by code under other names, and by runs of tokens."""
import ast
import gzip
import json
from pathlib import Path

import pytest

from verified_code_cot.decontamination import Index, Known, code_keys, problem_of, read_benchmark
from verified_code_cot.records import InputError

SHARED = Path(__file__).parents[2] / "shared" / "data"
ROWS = {
    "cruxeval": ({"id": "sample_0", "code": "def f(a, b):\n    c = a * 3\n    return c + b", "input": "1, 2", "output": "5"}, "sample_0"),
    "mbpp": ({"task_id": 11, "text": "Write a function to remove the first and last occurrence of a given character from the string.",
              "code": "def remove(s, ch):\n    i = s.find(ch)\n    return s[:i] + s[i + 1:]", "test_list": []}, "11"),
    "humaneval": ({"task_id": "HumanEval/0", "prompt": "def near(xs, t):\n    'Are two numbers nearer than t?'\n",
                   "canonical_solution": "    ys = sorted(xs)\n    return any(b - a < t for a, b in zip(ys, ys[1:]))\n",
                   "entry_point": "near", "test": ""}, "HumanEval/0"),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_benchmark_is_read_and_its_program_found_under_other_names(tmp_path, name):
    row, id = ROWS[name]
    path = tmp_path / f"{name}.jsonl"
    path.write_text(json.dumps(row) + "\n")
    problems = read_benchmark(f"{name}={path}")
    assert [p.name for p in problems] == [f"{name} {id}"] == [p.name for p in read_benchmark(str(path))]
    tree = ast.parse(problems[0].code)
    for node in ast.walk(tree):
        for field in ("id", "arg"):
            if getattr(node, field, None) in {"a", "b", "c", "s", "ch", "i", "xs", "t", "ys"}:
                setattr(node, field, getattr(node, field) + "_new")
    index = Index().add(problems)
    hit = index.hit("# a comment\n" + ast.unparse(tree))
    assert (hit.problem, hit.how) == (f"{name} {id}", "code")
    assert index.hit("def g(q):\n    return q[::-1]") is None


def test_a_copied_piece_and_a_copied_task_are_found_by_their_tokens():
    index = Index().add([problem_of(ROWS["mbpp"][0], "mbpp", 1)])
    task = ROWS["mbpp"][0]["text"]
    assert index.hit("def g(q):\n    return q[::-1]", words=f"Task: {task.upper()}").how == "ngram"
    piece = "def g(s, ch):\n    if not s:\n        return None\n    i = s.find(ch)\n    return s[:i] + s[i + 1:] + '!'"
    hit = index.hit(piece)
    assert hit.how == "ngram" and 0 < hit.share < 1
    strict = Index(share=hit.share).add([problem_of(ROWS["mbpp"][0], "mbpp", 1)])
    assert strict.hit(piece) is None, "more than the share is asked for"


def test_a_function_inside_a_larger_program_is_found():
    index = Index().add([Known("x 1", "def f(a, b):\n    c = a * 3\n    return c + b", "")])
    inside = "def helper(p, q):\n    'Help.'\n    r = p * 3\n    return r + q\n\n\ndef main(n):\n    return helper(n, n)"
    assert index.hit(inside).how == "code"
    assert index.hit(inside.replace("p * 3", "p * 4")) is None


def test_rows_that_are_none_are_refused_in_one_line(tmp_path):
    path = tmp_path / "b.jsonl"
    for content, said in [('{"id": 1, "question": "?"}\n', "row 1 has neither"), ("", "there are no problems"), ("{\n", "b.jsonl:1")]:
        path.write_text(content)
        with pytest.raises(InputError, match=said) as error:
            read_benchmark(str(path))
        assert "\n" not in str(error.value)


def test_the_hub_without_a_network_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="google-research-datasets/mbpp|datasets"):
        read_benchmark("mbpp")


def test_text_that_is_no_python_has_a_key():
    assert len(code_keys("not (python")) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
def test_the_public_benchmarks_find_themselves_and_each_other_not():
    crux = read_benchmark(f"cruxeval={SHARED / 'cruxeval.jsonl'}")
    human = read_benchmark(f"humaneval={SHARED / 'HumanEval.jsonl.gz'}")
    assert len(crux) == 800 and len(human) == 164
    index = Index().add(crux)
    assert all(index.hit(problem.code).how == "code" for problem in crux[::10])
    met = sum(index.hit(problem.code) is not None for problem in human)
    assert met < 0.1 * len(human)
    with gzip.open(SHARED / "HumanEval.jsonl.gz", "rt") as file:
        assert human[0].code.startswith(json.loads(next(file))["prompt"])
