"""Code without calls: what is taken out of files, which kinds are guessed, what the search reaches, what becomes a case, and what the command says."""
import ast
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fake_teacher import FakeTeacher

from verified_code_cot import examples, prober, study, tracing
from verified_code_cot.commands import main
from verified_code_cot.curriculum import programs as drawn
from verified_code_cot.examples import Defined, cases_for, corpus, definitions_in, find_cases, forms_of, in_numbers
from verified_code_cot.proposals import changed, literals_in, parameters_of, varied
from verified_code_cot.records import InputError, Program, RecordError, load
from verified_code_cot.tracing import trace

SEARCH = {"rounds": 6, "count": 40, "enough": 3, "most": 5, "seed": 0}


def found_for(*codes, **options):
    items = [Defined(id=str(n), name=next(d.name for d in definitions_in(code, "")), code=code).to_dict() for n, code in enumerate(codes)]
    return find_cases(items, **{**SEARCH, **options})


# -- out of files


def test_a_function_comes_with_what_it_needs_and_nothing_else():
    source = '''from __future__ import annotations
import os, math as m
A, B = 2, 3
C = A + 1
class Base:
    pass
@staticmethod
def helper(x):
    return other(x) * C
def other(x):
    return x
def unused():
    return os.getcwd()
class Child(Base):
    def area(self):
        return m.pi
def wanted(x):
    return helper(x)
'''
    by_name = {d.name: d.code for d in definitions_in(source, "file")}
    assert {*by_name} == {"Base", "helper", "other", "unused", "Child", "wanted"}
    wanted = by_name["wanted"]
    assert all(part in wanted for part in ("from __future__", "A, B = 2, 3", "C = A + 1", "@staticmethod", "def other")) and "os" not in wanted
    assert "class Base" in by_name["Child"] and "math as m" in by_name["Child"] and "helper" not in by_name["Child"]
    for code in by_name.values():
        ast.parse(code)


def test_files_folders_and_json_lines(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "one.py").write_text("def f(x):\n    return x\n")
    (tmp_path / "two.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("def f(:\n")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.py").write_text("def g(): pass\n")
    rows = [{"id": "a", "code": "def h(x):\n    return x"}, {"id": "b"}, {"id": "c", "code": 7}, {"id": "a", "code": "def h(x):\n    return -x"},
            {"id": "e", "code": "def h(x): return x", "entry_point": "k"}]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\nnonsense")
    found = list(corpus([tmp_path]))
    assert [d.id for d in found if isinstance(d, Defined)] == ["a", "a-2", "pack.one.f"]
    said = [str(e).removeprefix(str(tmp_path)) for e in found if isinstance(e, RecordError)]
    assert len(said) == 7 and all("\n" not in line for line in said)
    assert any(line.startswith("/bad.py:1: not Python") for line in said) and any("binary.py" in line for line in said)
    assert any(line.startswith("/two.py:1: there is no public function") for line in said) and any("/c.jsonl:2: code" in line for line in said)
    with pytest.raises(InputError, match="no such file"):
        list(corpus([tmp_path / "nowhere"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no Python file"):
        list(corpus([tmp_path / "empty"]))


# -- kinds and values


@pytest.mark.parametrize(("code", "kinds"), [
    ("def f(a, b):\n    return a.split(b)", {"a": "str", "b": "str"}), ("def f(q):\n    return {v: k for k, v in q.items()}", {"q": "dict"}),
    ("def f(q, w):\n    q.append(w)\n    return q", {"q": "list"}), ("def f(q):\n    return q % 2 == 0", {"q": "int"}),
    ("def f(q: 'dict[str, int] | None' = None):\n    return q", {"q": "dict"}), ("def f(q, /, z=2.5, *, w='a'):\n    return q", {"z": "float", "w": "str"}),
    ("def f(q):\n    q.add(1)\n    return q | {2}", {"q": "set"}), ("def f(words):\n    return [r.split() for r in words]", {"words": "list"}),
    ("def f(g, z):\n    return g(z)", {"g": "function"}), ("def f(q):\n    if isinstance(q, tuple):\n        return 1", {"q": "tuple"}),
])
def test_kinds_are_guessed(code, kinds):
    found = {p.name: p.kinds[0][1][0] for p in parameters_of(ast.parse(code).body[0])}
    assert {name: found[name] for name in kinds} == kinds


def test_a_changed_value_stays_of_its_type():
    rng, literals = random.Random(3), literals_in(ast.parse("'stop', 7, 2.5"))
    for value in (1, "a", [1], (1, "a"), {1}, {"a": 1}, 2.5, True, None, b"x", [], {}, "", (), set()):
        for _ in range(200):
            assert type(changed(value, rng, literals)) is type(value)
    for _ in range(300):
        (first, _), text = varied(("abc", [1]), rng, literals), repr(varied(([1, [2]], {"k": (1,)}), rng, literals))
        assert isinstance(first, str) and ast.literal_eval(text) is not None


# -- the search


def test_hard_branches_are_reached():
    (found,) = found_for('''def f(words, limit):
    out = []
    for word in words:
        if word == 'stop':
            break
        if len(word) > limit:
            continue
        out.append(word if word.islower() else word.lower())
    while len(out) > 5:
        out.pop()
    return out
''', rounds=10)
    assert found.reached == found.outcomes == 11 and len({case.call for case in found.program.cases}) >= 3


def test_what_becomes_a_case_does_so_again():
    programs = [found.program for found in found_for(*(p.code for p in drawn(5, 6)))]
    assert sum(program is not None for program in programs) >= 5
    for program in filter(None, programs):
        for case in program.cases:
            again = trace(program.code, case.call)
            assert (again.status, again.output) == ("ok", case.output)
            assert case.call.startswith((program.entry_point, f"list({program.entry_point}"))


def test_the_search_is_the_same_every_time_whatever_else_is_searched():
    one, two = "def f(text):\n    return text.count('a') if text else None\n", "def g(n):\n    return [i for i in range(n) if i % 3]\n"
    alone, (first, second) = found_for(one)[0], found_for(one, two)
    assert alone == first and second.program
    assert [f.program.cases for f in found_for(two, one)] == [second.program.cases, first.program.cases]


def test_the_hash_seed_does_not_matter():
    items = [{"id": "f", "name": "f", "code": "def f(s: set[str], d):\n    return len(s | {*d})"}]
    code = f"from verified_code_cot.examples import find_cases\nprint(find_cases({items!r}, **{SEARCH!r})[0].to_json())"
    runs = [{**os.environ, "PYTHONHASHSEED": seed} for seed in "123"]
    said = {subprocess.run([sys.executable, "-c", code], env=run, capture_output=True, text=True, check=True).stdout for run in runs}
    assert len(said) == 1 and "'a', 'b'" in said.pop()


@pytest.mark.parametrize(("code", "reason"), [
    ("def f(x):\n    while True:\n        pass\n", "Spent"), ("import nowhere\ndef f(x):\n    return x\n", "ModuleNotFound"),
    ("import random\ndef f(x):\n    return random.random()\n", "nondeterministic"), ("def f(x):\n    return open('/etc/passwd').read()\n", "denied"),
    ("import os\ndef f(x):\n    os._exit(0)\n", "killed"), ("def f(x):\n    return object()\n", "no literal"),
    ("def f(x):\n    raise ValueError(x)\n", "ValueError"),
    ("def f(x):\n    return 'a' * 10 ** 10\n", "MemoryError"), ("def f(x):\n    return sum(range(10 ** 12))\n", "timeout"),
])
def test_what_cannot_be_a_case_is_told(code, reason):
    (found,) = found_for(code, rounds=1, count=3)
    assert found.program is None and reason in found.reason, found


def test_classes_generators_keywords_and_nothing():
    stack = """class Stack:
    def __init__(self, items=()):
        self.items = list(items)
    @property
    def size(self):
        return len(self.items)
    def push(self, item):
        self.items.append(item)
        return self.items
    @staticmethod
    def name():
        return 'stack'
    def _secret(self):
        pass
"""
    assert len(forms_of(Defined(id="s", name="Stack", code=stack))) == 3
    others = ["def up(n, *, step=2):\n    yield from range(0, n, step)\n", "def now():\n    return 7\n", "def v(*args, **options):\n    return len(args)\n"]
    found = found_for(stack, *others)
    calls = [[case.call for case in one.program.cases] for one in found]
    assert {c.split(").")[-1].split("(")[0] for c in calls[0]} >= {"size", "push"} and all(c.startswith("list(up(") for c in calls[1])
    assert calls[2:] == [["now()"], ["v()"]]


def test_the_prober_leaves_programs_as_they_are():
    for program in drawn(2, 12):
        made, _ = prober.prepare({"code": program.code}, {})
        for case in program.cases:
            error, value, branches = prober.tried(made, case.call, 100_000)
            assert (error, value) == (None, case.output) and branches or error is not None


# -- a model's proposals, and the command


def test_a_model_proposes_calls_and_nonsense_does_no_harm(tmp_path, capsys):
    (tmp_path / "m.py").write_text("def f(x):\n    return 'found' if sum(map(ord, x)) == 1234 else 'no'\n")
    said = json.dumps({"calls": ["f('qqqqqqqqqqh')", "f(", "__import__('os').system('true') or f(1)", "g(1)"]})
    for answer, coverage in ((said, 1.0), ("gabel splort", 2 / 3)):
        with FakeTeacher(lambda body, answer=answer: answer) as server:
            options = ["--cache", str(tmp_path / f"{len(answer)}.sqlite"), "--teacher", "openai", "--model", "m", "--base-url", server.url]
            options += ["--out", str(tmp_path / "o.jsonl"), "--workers", "0", "--json", "--rounds", "2"]
            status = main(["cases", "--code", str(tmp_path / "m.py"), *options])
        counts = json.loads(capsys.readouterr().out)
        assert status == 0 and counts["programs"] == 1 and counts["teacher"]["calls"]["asked"] == 1
        assert counts["median_coverage"] == coverage
    calls = [case.call for case in load(tmp_path / "o.jsonl", Program)[0].cases]
    assert not any("import" in call for call in calls)


def test_the_command_and_the_stage_that_reads_what_it_wrote(tmp_path, capsys):
    (tmp_path / "m.py").write_text('def double(x):\n    """Twice.\n\n    >>> double(21)\n    42\n    """\n    return 2 * x\n\ndef no(x):\n    raise OSError\n')
    (tmp_path / "bad.py").write_text("def (")
    out = tmp_path / "o.jsonl"
    assert main(["cases", "--code", str(tmp_path), "--out", str(out), "--workers", "0", "--rounds", "2"]) == 3
    said = capsys.readouterr().err
    assert "bad.py:1: not Python" in said and "m.no: no case: every call ended with OSError" in said and "2 functions and classes: 1 have cases" in said
    (program,) = load(out, Program)
    assert "double(21)" in [case.call for case in program.cases] and program.entry_point == "double"
    assert study.take_programs(tmp_path / "run", out, print)["accepted"] == 1
    counts = tracing.run(tmp_path / "run", workers=0)
    assert counts["accepted"] == counts["read"] == len(program.cases) and counts["rejected"] == {}


@pytest.mark.parametrize(("options", "words"), [
    (["--code", "nowhere.py", "--out", "o"], "nowhere.py: there is no such file"), (["--code", "empty", "--out", "o"], "no Python file"),
    (["--code", "none.py", "--out", "o"], "no public function"), (["--code", "f.py", "--out", "/proc/x/o"], "cannot write there"),
    (["--code", "f.py", "--out", "o", "--teacher", "openai"], "set OPENAI_BASE_URL"),
])
def test_mistakes_are_one_line(tmp_path, options, words, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "f.py").write_text("def f(x): return x\n")
    assert main(["cases", *options]) == 1
    assert words in capsys.readouterr().err.strip().splitlines()[-1] and not Path("o").exists()


def test_numbers_that_make_no_sense():
    with pytest.raises(InputError, match="at least 1"):
        list(cases_for([], rounds=0))
    assert in_numbers([])["median_coverage"] is None


CRUXEVAL = Path(__file__).parents[2] / "shared" / "data" / "cruxeval.jsonl"


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="the benchmark is not here; tests/measure_examples.py measures all of it")
def test_a_sample_of_cruxeval_gets_its_cases():
    rows = [json.loads(line) for line in CRUXEVAL.read_text().splitlines()][7::40]
    found = list(examples.cases_for([Defined(id=row["id"], name="f", code=row["code"]) for row in rows], workers=0))
    assert len(found) == 20 and in_numbers(found)["with_three_cases"] >= 16 and in_numbers(found)["median_coverage"] >= 0.9
