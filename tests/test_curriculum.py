"""The families keep their promises, and the programs drawn from them are what the later stages need."""
import ast
import json
import random
import re
import subprocess
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from statistics import median

import pytest

from verified_code_cot import curriculum, families
from verified_code_cot.families import Bug, check_family, draft, draw_spec, fill, play, strip_annotations, tidy, write_program
from verified_code_cot.fingerprints import keys_of, normal_form
from verified_code_cot.records import InputError, Program, read_jsonl
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import job_of

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = curriculum.FAMILIES


@pytest.fixture(scope="module")
def start():
    return curriculum.programs()


@pytest.fixture(scope="module")
def traced(start):
    """The results of all cases of the starting programs, in sandboxes with two hash seeds."""
    jobs = [job_of(program.code, *({"op": "trace", "call": case.call} for case in program.cases), name=program.id) for program in start]
    runs = []
    for hash_seed in (0, 1):
        with Sandbox(hash_seed=hash_seed) as box:
            runs.append({result["id"]: result["cases"] for result in box.run(jobs)})
    return runs


# --- the frame


def test_fill_takes_indentation_along_and_drops_empty_lines():
    text = "if a:\n    $body\n    $nothing\nreturn ${x}s\n"
    assert fill(text, {"body": "b = 1\nif b:\n    c = $x", "nothing": "", "x": "2"}) == "if a:\n    b = 1\n    if b:\n        c = 2\nreturn 2s\n"


@pytest.mark.parametrize("template, spec, error", [("$a", {}, KeyError), ("$a", {"a": "$a"}, ValueError)])
def test_fill_refuses_unknown_and_endless_slots(template, spec, error):
    with pytest.raises(error):
        fill(template, spec)


@pytest.mark.parametrize("before, after", [
    ("x = (a)", "x = a"), ("x = ((a + b)) * c", "x = (a + b) * c"), ("if (a > 1) and b:", "if a > 1 and b:"), ("elif (a):", "elif a:"),
    ("return (a, b)", "return (a, b)"), ("f((a, b))", "f((a, b))"), ("f(x)(y)", "f(x)(y)"), ("x = (a).real", "x = (a).real"),
    ("if not (a in b):", "if not (a in b):"), ("s = '(a)'", "s = '(a)'"), ("x = (yes) if a else (no)", "x = yes if a else no"),
    ("x = (-a) ** 2", "x = (-a) ** 2"), ("g = (lambda: 0)()", "g = (lambda: 0)()")])
def test_tidy(before, after):
    assert tidy(before) == after


def test_strip_annotations_leaves_a_program_that_does_the_same():
    code = "def f(a: int, *b: str, k: dict[str, int] | None = None) -> list[int]:\n    return [a, *b, k]\n"
    assert strip_annotations(code) == "def f(a, *b, k=None):\n    return [a, *b, k]\n"


def test_play_counts_branches_and_stops_endless_loops():
    played, sides = play("def f(n):\n    while n:\n        n -= 1\n    return n\n", ["f(2)", "f(-1)"], budget=1000)
    assert played[0].value == 0 and played[0].branches == sides and played[0].turns == 3
    assert "does not end" in played[1].exception


def test_normal_form_forgets_names_and_constants_only():
    first = "def f(xs: list) -> int:\n    '''Adds.'''\n    t = 0\n    for x in xs:\n        t += x.real\n    return t\n"
    assert normal_form(first) == normal_form("def g(a):\n    b = 5\n    for c in a:\n        b += c.real\n    return b\n")
    assert normal_form(first) != normal_form("def g(a):\n    b = 5\n    for c in a:\n        b += c.imag\n    return b\n")
    assert normal_form(first) != normal_form("def g(a):\n    b = 5\n    for c in a:\n        b += a.real\n    return b\n")


# --- the families


def test_there_are_enough_families():
    assert len(FAMILIES) >= 48
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert len({family.domain for family in FAMILIES}) >= 12
    for family in FAMILIES:
        assert len(family.strategies) >= 3 and len(family.bugs) >= 3, family.name
        assert {bug.strategy for bug in family.bugs} <= set(family.strategies), family.name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_strategies_agree_with_the_oracle_and_bugs_show(family):
    assert check_family(family, seed=101, rounds=2, share=0.3) == []


def test_a_wrong_strategy_and_a_harmless_bug_are_noticed():
    family = FAMILIES[0]
    wrong = {**family.strategies, "wrong": "def $f($s):\n    return len($s)\n"}
    assert any("wrong on" in line for line in check_family(families.Family(**{**vars(family), "strategies": wrong})))
    harmless = Bug("writes the same in other words", "loop", "$n += 1", "$n = $n + 1")
    assert any("in other words" in line for line in check_family(families.Family(**{**vars(family), "bugs": [harmless]})))


def test_a_bug_whose_place_is_gone_is_an_error():
    with pytest.raises(ValueError, match="stands 0 times"):
        families.patched("return 1", Bug("none", "loop", "return 2", "return 3"))


def test_a_draft_with_a_bug_is_the_same_program_but_for_the_bug():
    family = FAMILIES[0]
    bug = family.bugs[0]
    good = write_program(family, (spec := draw_spec(family, random.Random("0/x"), "easy")), bug.strategy)
    bad = write_program(family, spec, bug.strategy, bug)
    assert good != bad and fill(bug.new, spec) in bad
    assert draft(family, "easy", 0, bug=bug).bug == bug.what


def test_names_of_a_program_never_clash_with_names_in_its_template():
    for family in FAMILIES:
        drawn = set(" ".join(family.names.values()).split())
        for name, template in family.strategies.items():
            plain = re.sub(r"'[^'\n]*'", "", re.sub(r'""".*?"""', "", template, flags=re.DOTALL))
            fixed = set(re.findall(r"(?<![$\w.{])([a-zA-Z_]\w*)", plain))
            clash = fixed & drawn - {"value"}  # `self.value = value` in a Node's own method is harmless
            assert not clash, f"{family.name}, {name}: {sorted(clash)}"


# --- the programs


def test_all_concepts_at_all_difficulties(start):
    cells = {(program.concept, program.difficulty) for program in start}
    concepts = {concept for concept, _ in cells}
    assert len(start) >= 60 and len(concepts) >= 12 and len(cells) == 3 * len(concepts)
    wanted = {"strings", "lists", "dicts", "sets", "numbers", "recursion", "searching and sorting", "matrices", "stacks, queues and heaps",
              "dynamic programming", "generators and iterators", "classes", "exceptions"}
    assert wanted <= concepts
    smaller = curriculum.programs(count=3 * len(concepts))
    assert {(program.concept, program.difficulty) for program in smaller} == cells


def test_programs_are_well_formed(start):
    assert len({program.id for program in start}) == len({program.code for program in start}) == len(start)
    for program in start:
        tree = ast.parse(program.code, feature_version=(3, 10))
        assert program.entry_point in {getattr(node, "name", None) for node in tree.body}, program.id
        assert 3 <= len(program.cases) <= 6, program.id
        assert len({case.call for case in program.cases}) == len(program.cases)
        assert all(program.entry_point in case.call for case in program.cases)
        assert "$" not in program.code + program.title + program.summary and "  " not in program.summary and ",," not in program.summary
        assert program.summary.endswith("."), program.summary
        assert not re.search(r"[ \t]$|\n\n\n\n", program.code, re.MULTILINE) and max(map(len, program.code.splitlines())) <= 140, program.code


def test_every_case_runs_as_declared_in_the_sandbox(start, traced):
    raising = 0
    for program in start:
        for case, result, again in zip(program.cases, traced[0][program.id], traced[1][program.id], strict=True):
            assert result["status"] == ("exception" if case.output is None else "ok"), (program.id, case.call, result["status"])
            assert result.get("output") == case.output, (program.id, case.call)
            assert not result.get("cut") and 2 <= len(result["events"]) <= 2000, (program.id, case.call)
            assert result["digest"] == again["digest"], f"{program.id}: {case.call} depends on the hash seed"
            raising += case.output is None
    assert 1 <= raising <= len(start)


def test_outputs_are_literals_mostly(start):
    outputs = [case.output for program in start for case in program.cases if case.output is not None]
    literal = 0
    for output in outputs:
        try:
            ast.literal_eval(output)
            literal += 1
        except (ValueError, SyntaxError):
            continue
    assert literal == len(outputs)


def outcome_coverage(program: Program, cases: list[dict]) -> float:
    """Share of the outcomes of `if` and `while` tests, and of entered `for` loops, that the traces show."""
    sides = set()
    for node in ast.walk(ast.parse(program.code)):
        if isinstance(node, ast.If) or isinstance(node, ast.While) and not isinstance(node.test, ast.Constant):
            sides |= {(node.lineno, True), (node.lineno, False)}
        elif isinstance(node, ast.For):
            sides.add((node.lineno, True))
    shown = {(event["line"], event["outcome"]) for case in cases for event in case["events"] if event.get("outcome") is not None}
    return len(sides & shown) / len(sides) if sides else 1.0


def test_cases_reach_the_branches(start, traced):
    shares = [outcome_coverage(program, traced[0][program.id]) for program in start]
    assert median(shares) >= 0.95 and sum(shares) / len(shares) >= 0.95
    assert median(map(curriculum.branch_coverage, start)) >= 0.95


def test_cases_are_worth_tracing(traced):
    events = sorted(len(case["events"]) for cases in traced[0].values() for case in cases)
    assert events[len(events) // 2] >= 15
    trivial = [name for name, cases in traced[0].items() if sum(len(case["events"]) <= 4 for case in cases) > 1]
    assert len(trivial) <= 0.1 * len(traced[0]), trivial  # one-line functions have short traces by nature


def test_programs_are_varied(start):
    used = [curriculum.constructs(program.code) for program in start]
    assert set().union(*used) == set(curriculum.CONSTRUCTS)
    keyword_cases = [case.call for program in start for case in program.cases if re.search(r"\w=[^=]", case.call)]
    assert len(keyword_cases) >= 10
    typed = sum(any(isinstance(node, ast.arg) and node.annotation for node in ast.walk(ast.parse(program.code))) for program in start)
    documented = sum('"""' in program.code for program in start)
    assert 0.3 * len(start) <= typed <= 0.7 * len(start) and 0.2 * len(start) <= documented <= 0.5 * len(start)


def test_many_programs_are_really_different():
    drawn = set()
    for number in range(16):
        for family, level in curriculum.schedule(FAMILIES):
            spec = draw_spec(family, random.Random(f"11/{family.name}/{level}/{number}"), level)
            drawn.add(write_program(family, spec, list(family.strategies)[number % len(family.strategies)]))
    forms = {normal_form(code) for code in drawn}
    assert len(drawn) >= 2600 and len(forms) >= 2000, (len(drawn), len(forms))


def test_asking_for_more_only_adds():
    more = curriculum.programs(seed=5, count=60)
    assert curriculum.programs(seed=5, count=25) == more[:25]
    assert curriculum.programs(seed=6, count=25) != more[:25]


@pytest.mark.parametrize("count", [0, -3])
def test_a_senseless_count_is_refused(count):
    with pytest.raises(InputError, match="at least 1"):
        curriculum.programs(count=count)


def test_running_dry_is_said():
    names = {slot: words.split()[0] for slot, words in FAMILIES[0].names.items()}
    few = families.Family(**{**vars(FAMILIES[0]), "names": names, "draw": lambda rng, level: {"keep": "$ch == 'a'", "keep_words": "a"}, "result": ""})
    with pytest.raises(InputError, match="only about"):
        curriculum.programs(count=5000, families=[few])


DIGEST = """
import hashlib, importlib, sys, types
package = types.ModuleType("verified_code_cot")
package.__path__ = [{folder!r}]
sys.modules["verified_code_cot"] = package
drawn = []
for room in ("sequences", "mappings", "algorithms", "structures", "processes", "objects", "steps"):
    module = importlib.import_module("verified_code_cot.families_" + room)
    families = importlib.import_module("verified_code_cot.families")
    for family in getattr(module, room.upper()):
        for number, level in enumerate(families.DIFFICULTIES):
            made = families.draft(family, level, number)
            drawn.append((made.id, made.code, made.title, made.summary, [(call, repr(one.value), one.exception, one.turns) for call, one in made.calls]))
print(len(drawn), hashlib.sha256(repr(drawn).encode()).hexdigest())
"""


@lru_cache
def digest_under(python: str, hash_seed: str) -> str:
    code = DIGEST.format(folder=str(ROOT / "verified_code_cot"))
    done = subprocess.run([python, "-c", code], env={"PYTHONHASHSEED": hash_seed, "PATH": ""}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_under_every_hash_seed():
    assert digest_under(sys.executable, "0") == digest_under(sys.executable, "4242")


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_the_same_on_every_python(version):
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} here")
    assert digest_under(str(found[0]), "7") == digest_under(sys.executable, "0")


def test_the_stage_writes_what_it_counts(tmp_path):
    counts = curriculum.run(tmp_path / "one", seed=3, count=40)
    curriculum.run(tmp_path / "two", seed=3, count=40)
    first, second = ((tmp_path / name / "data" / "programs.jsonl").read_bytes() for name in ("one", "two"))
    assert first == second
    records = [record for _, record in read_jsonl(tmp_path / "one" / "data" / "programs.jsonl", Program)]
    assert records == curriculum.programs(seed=3, count=40)
    assert counts["programs"] == 40 == counts["easy"] + counts["medium"] + counts["hard"]
    assert counts["cases"] == sum(len(record.cases) for record in records)
    assert json.loads(first.splitlines()[0])["id"] == records[0].id
    fewer = curriculum.run(tmp_path / "three", seed=3, count=40, cases=2)
    assert fewer["cases"] == 80
    kept = [record.cases for _, record in read_jsonl(tmp_path / "three" / "data" / "programs.jsonl", Program)]
    assert kept == [record.cases[:2] for record in records]
    with pytest.raises(InputError, match="cases must be at least 1"):
        curriculum.run(tmp_path / "four", cases=0)


def test_programs_of_one_shape_are_limited(tmp_path):
    """Without, 900 texts hold programs that differ in their names or constants only; the programs themselves stay the same."""
    plain, few = curriculum.programs(count=900), curriculum.programs(count=400, per_shape=2)
    keys = [keys_of(one.code) for one in few]
    assert len({key for key, _ in keys}) == 400 and max(Counter(shape for _, shape in keys).values()) == 2
    by_id = {one.id: one for one in plain}
    assert sum(one.id in by_id for one in few) > 300 and all(by_id[one.id] == one for one in few if one.id in by_id)
    assert few[:50] == curriculum.programs(count=50, per_shape=2)
    with pytest.raises(InputError, match="per_shape must be at least 1"):
        curriculum.run(tmp_path, per_shape=0)


def test_workers_draw_the_same_programs(tmp_path):
    given = {"seed": 4, "count": 150, "cases": 1, "turns": 10, "per_shape": 2}
    counts = [curriculum.run(tmp_path / name, **given, **how) for name, how in (("here", {}), ("one", {"workers": 1}), ("two", {"workers": 2}))]
    here, one, two = ((tmp_path / name / "data" / "programs.jsonl").read_text() for name in ("here", "one", "two"))
    assert here == one == two and counts[0] == counts[1] == counts[2]
    singly = curriculum.programs(4, 150, turns=10, per_shape=2)
    assert [json.loads(line)["code"] for line in here.splitlines()] == [program.code for program in singly]
    assert counts[0]["normal_forms"] == curriculum.distinct(singly)
