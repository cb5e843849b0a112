"""Instructions, candidates, agreement: what is a test, which programs agree, what is kept, and what cannot be looked at."""
import inspect
import json
from collections import Counter

import pytest
from fake_teacher import FakeTeacher
from hypothesis import given
from hypothesis import strategies as st

from verified_code_cot import agreement, concepts, examiner, synthesis
from verified_code_cot.agreement import Agreement, Cluster, Examined, call_in, clusters, cross_checked, examine, winner
from verified_code_cot.concepts import Concept
from verified_code_cot.curriculum import FAMILIES
from verified_code_cot.families import DIFFICULTIES
from verified_code_cot.filtering import Mix, bench_of, kept_by, measured
from verified_code_cot.records import InputError, Program, load
from verified_code_cot.sandbox import Limits, Sandbox
from verified_code_cot.synthesis import Candidate, Instruction, behaves, fitting, read_candidates, refused_program, task_of, wrong_value, written_tests
from verified_code_cot.tracing import trace


@pytest.fixture(scope="module")
def exam():
    with Sandbox(Limits(wall_s=0.5, cpu_s=1), entry="examiner") as box:
        yield box


def one(exam, entry_point, programs, tests):
    (found,) = examine([(entry_point, programs, tests)], exam)
    return found


# -- which program passes which test ----------------------------------------------------------------------------------


def test_each_way_to_fail_a_test_is_a_failure_of_that_test_alone(exam):
    programs = ["def f(x):\n    if x == 0:\n        while True: pass\n    return x", "import os\ndef f(x):\n    return os.getpid() if x == 1 else x",
                "def f(x):\n    raise SystemExit", "def f(x) return x", "import no_such_module\ndef f(x):\n    return x", "f = lambda x: x"]
    tests = ["assert f(2) == 2", "assert f(0) == 0", "assert f(3) == 3"]
    found = one(exam, "f", programs, tests)
    assert [sorted(row) for row in found.passed] == [[0, 2], [0, 1, 2], [], [], [], [0, 1, 2]]


def test_tests_do_not_see_each_other_and_programs_do_not_either(exam):
    program = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    found = one(exam, "f", [program, program], ["assert f(7) == 1", "assert f(8) == 1", "assert f(9) == 2"])
    assert found.passed == [{0, 1}, {0, 1}]


def test_a_program_that_rigs_the_game_gains_nothing_for_others(exam):
    rigged = "import builtins\nbuiltins.AssertionError = ValueError\nclass Yes:\n    def __eq__(self, other): return True\ndef f(x):\n    return Yes()\n"
    honest = "def f(x):\n    return x\n"
    found = one(exam, "f", [rigged, honest], ["assert f(1) == 1", "assert f(1) == 2"])
    assert found.passed == [{0, 1}, {0}]


@pytest.mark.parametrize(("test", "why"), [
    ("assert f(1) == f(1)", "vacuous"), ("assert f(1) or True", "vacuous"), ("assert f(1) != 3", "vacuous"), ("assert f(1) is not None", "vacuous"),
    ("assert True", "does_not_call_the_entry_point"),
    ("assert g(1) == 1", "does_not_call_the_entry_point"), ("f(1)", "not_one_assertion"), ("", "not_one_assertion"), ("assert f(", "syntax"),
    ("assert f(1) == 1; assert f(2) == 2", "not_one_assertion")])
def test_tests_that_say_nothing_are_thrown_out(exam, test, why):
    found = one(exam, "f", ["def f(x):\n    return x"], [test, "assert f(1) == 1"])
    assert found.unusable == {why: 1} and found.passed == [{1}] and found.calls == [None, "f(1)"]


@pytest.mark.parametrize(("test", "call"), [
    ("assert f(1) == 1", "f(1)"),
    ("assert 1 == f(1)", "f(1)"), ("assert f(1)[0] == 1", "f(1)[0]"), ("assert not f([1])", "f([1])"), ("assert f(1) is True", "f(1)"),
    ("assert sorted(f(1)) == [1]", "sorted(f(1))"), ("assert f(f(1)) == 1", "f(f(1))"),
    ("assert f(1) == 1, 'message'", "f(1)"), ("assert 0 < f(1) < 2", "f(1)")])
def test_the_call_of_a_test(test, call):
    assert call_in(test, "f") == (call, None)


# -- clusters ---------------------------------------------------------------------------------------------------------

ROWS = st.lists(st.frozensets(st.integers(0, 9)), max_size=8)


@given(ROWS, st.sampled_from(["product", "codet"]))
def test_clusters_hold_each_program_once_and_are_ranked(rows, score):
    found = clusters(rows, score)
    members = [n for cluster in found for n in cluster.programs]
    assert sorted(members) == [n for n, tests in enumerate(rows) if tests]
    assert all(rows[n] == cluster.tests for cluster in found for n in cluster.programs)
    worth = [agreement.SCORES[score](len(c.programs), len(c.tests)) for c in found]
    assert worth == sorted(worth, reverse=True)


@given(ROWS)
def test_who_wins_does_not_depend_on_how_tests_are_numbered(rows):
    turned = [frozenset(9 - n for n in tests) for tests in rows]
    assert [c.programs for c in clusters(rows)] == [c.programs for c in clusters(turned)]


def test_reasons_for_keeping_nothing():
    calls = ["f(1)"] * 10
    assert winner(Examined([], calls, Counter()))[1] == "no_program"
    assert winner(Examined([frozenset()], [None], Counter()))[1] == "no_usable_test"
    assert winner(Examined([frozenset()] * 3, calls, Counter()))[1] == "no_program_passes_a_test"
    assert winner(Examined([frozenset({1, 2})], calls, Counter()))[1] == "too_few_programs_agree"
    assert winner(Examined([frozenset({1, 2})] * 2, calls, Counter()))[1] == "too_few_tests_passed"
    assert winner(Examined([frozenset(range(5))] * 2, calls, Counter())) == (Cluster((0, 1), frozenset(range(5))), "kept")
    assert cross_checked(Cluster((0, 1), frozenset({1})), {0: ("a",), 1: ("b",)}) is None


# -- the embedded teacher ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES[::7], ids=lambda f: f.name)
def test_candidates_of_a_family_are_what_they_say(family):
    import random

    for difficulty in DIFFICULTIES:
        task, rng = task_of(family, difficulty, 0, 0), random.Random(0)
        for code, _, flaw in synthesis.written_programs(task, rng, 5, 0.0):
            assert flaw is None and behaves(code, task)
        tests = written_tests(task, rng, 10, 0.5)
        space = {}
        exec(synthesis.write_program(family, task.spec, next(iter(family.strategies))), space)
        for test, right in tests:
            try:
                exec(test, dict(space))
                passed = True
            except AssertionError:
                passed = False
            assert passed == right, test


SIMPLE = st.integers() | st.booleans() | st.text(max_size=4) | st.none()
VALUES = st.recursive(SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=6)


@given(VALUES, st.randoms(use_true_random=False))
def test_a_wrong_value_is_mostly_another_one(value, rng):
    tries = [wrong_value(value, rng) for _ in range(20)]
    assert any(one != value for one in tries)


def test_a_concept_without_a_family_is_counted_and_all_of_them_is_an_error(tmp_path):
    (tmp_path / "list.txt").write_text("binary search\ncooking pasta\nbracket matching\n")
    concepts.run(tmp_path, seeds=str(tmp_path / "list.txt"))
    counts = synthesis.run(tmp_path)
    assert counts["without_family"] == ["cooking-pasta"] and counts["instructions"] == 6
    (tmp_path / "list.txt").write_text("cooking pasta\n")
    concepts.run(tmp_path, seeds=str(tmp_path / "list.txt"))
    with pytest.raises(InputError, match="no family for any of the 1 concepts"):
        synthesis.run(tmp_path)


def test_families_are_found_for_other_peoples_words():
    def concept(name):
        return Concept(id="c", name=name, description=name, source="s", unit="line", first=1, last=1)

    expected = {"Breadth-first search": "graph_steps", "Merging intervals": "merged_intervals", "Run-length encoding": "run_lengths",
                "Binary trees": "tree_walk",
                "State machines": "turnstile", "Topological sorting of tasks": "task_order", "Linked lists": "linked_chain"}
    found = {name: [family.name for family in fitting(concept(name))] for name in expected}
    assert all(expected[name] in found[name] for name in expected), found


def test_the_study_so_far_is_the_same_every_time_and_nearly_all_that_is_kept_is_right(tmp_path):
    for run in ("a", "b"):
        concepts.run(tmp_path / run)
        synthesis.run(tmp_path / run, count=20, seed=3)
        counts = agreement.run(tmp_path / run, workers=0, keep=2, cases=3)
    for name in ("concepts", "instructions", "candidates", "agreement", "programs"):
        assert (tmp_path / "a" / "data" / f"{name}.jsonl").read_bytes() == (tmp_path / "b" / "data" / f"{name}.jsonl").read_bytes()
    programs = load(tmp_path / "a" / "data" / "programs.jsonl", Program)
    candidates = {c.id: c for c in load(tmp_path / "a" / "data" / "candidates.jsonl", Candidate)}
    rows = [json.loads(line) for line in (tmp_path / "a" / "data" / "agreement.jsonl").read_text().splitlines()]
    kept = [candidates[id].right for row in rows for id in row["kept"]]
    assert counts["instructions"] == 20 and counts["kept"] >= 18 and sum(kept) / len(kept) >= 0.95
    assert len({p.id for p in programs}) == len(programs) and len({p.concept for p in programs}) >= 15
    for program in programs[::9]:
        for case in program.cases:
            assert trace(program.code, case.call).output == case.output


def test_nobody_decides_by_what_only_the_embedded_teacher_knows():
    source = inspect.getsource(agreement)
    assert ".right" not in source and ".flaw" not in source
    made = Instruction(id="i", concept="c", name="C", difficulty="easy", title="T", instruction="I", signature="def f()", entry_point="f")
    items = agreement.candidates_by_instruction([made], [Candidate(id="i/p0", instruction="i", kind="program", code="x", right=True, flaw="y")])
    assert items[0]["programs"] == [{"id": "i/p0", "code": "x"}]


def test_what_depends_on_the_hash_seed_is_no_case(tmp_path):
    code = "def f(x):\n    return list({'a', 'b', 'c', 'd'})[:x]\n"
    tests = ["assert f(0) == []", "assert len(f(2)) == 2", "assert len(f(3)) == 3"]
    made = Instruction(id="c/easy", concept="c", name="C", difficulty="easy", title="T", instruction="I", signature="def f(x)", entry_point="f")
    programs = [{"id": f"p{n}", "code": code + "#" * n} for n in range(2)]
    item = {"instruction": made.to_dict(), "programs": programs, "tests": [{"id": f"t{n}", "code": test} for n, test in enumerate(tests)]}
    (found,) = agreement.agree_on([item], "product", 2, 0.5, None, None)
    assert isinstance(found, Agreement) and found.reason == "kept" and "f(2)" not in [case.call for case in found.programs[0].cases]
    assert all(trace(code, case.call).status == "ok" for case in found.programs[0].cases)
    item["tests"] = [{"id": "t", "code": "assert f(2)[0] in 'abcd'"}, {"id": "u", "code": "assert f(3)[0] in 'abcd'"}]
    assert agreement.agree_on([item], "product", 2, 0.5, None, None)[0].reason == "no_case_is_deterministic"


# -- with a model -----------------------------------------------------------------------------------------------------


def clever(body):
    question = body["messages"][0]["content"]
    if "Set a programming exercise" in question:
        name = "double" if "easy" in question else "broken signature("
        return json.dumps({"title": "Double", "instruction": "Give twice x.", "signature": f"def {name}(x: int) -> int:" if name == "double" else name})
    if "solutions" in question:
        codes = ["def double(x):\n    return x * 2", "def double(x):\n    return x + x", "```python\ndef double(x):\n    return sum([x, x])\n```",
                 "def double(x):\n    return x ** 2", "def other(x): return x"]
        return json.dumps({"programs": [{"approach": "a", "code": code} for code in codes]})
    tests = ["assert double(2) == 4", "assert double(5) == 10", "assert double(0) == 0", "assert double(3) == 7", "assert double(1) == double(1)"]
    return json.dumps({"tests": tests})


def test_the_stages_with_a_model(tmp_path):
    (tmp_path / "list.txt").write_text("doubling\n")
    concepts.run(tmp_path, seeds=str(tmp_path / "list.txt"))
    with FakeTeacher(clever) as server:
        options = {"teacher": "openai", "model": "m", "base_urls": server.url}
        counts = synthesis.run(tmp_path, **options)
    assert (counts["instructions"], counts["programs"], counts["tests"], counts["instructions_refused_signature"]) == (1, 4, 5, 2)
    assert counts["refused_without_entry_point"] == 1 and counts["teacher"]["candidates"]["answered"] == 2
    counts = agreement.run(tmp_path, workers=0, keep=None, cases=None)
    programs = load(tmp_path / "data" / "programs.jsonl", Program)
    assert counts["kept"] == 1 and {p.source for p in programs} == {"m"} and len(programs) == 3
    assert all({c.call: c.output for c in p.cases} == {"double(2)": "4", "double(5)": "10", "double(0)": "0"} for p in programs)
    again = synthesis.run(tmp_path, **{**options, "teacher": "recorded"})
    assert again["programs"] == 4 and "requests" not in again["teacher"]["candidates"]


def test_a_model_that_talks_nonsense_gives_no_program_and_no_failure(tmp_path):
    (tmp_path / "list.txt").write_text("doubling\n")
    concepts.run(tmp_path, seeds=str(tmp_path / "list.txt"))
    with FakeTeacher(lambda body: "gabel splort ".join(["zz"] * 40)) as server:
        counts = synthesis.run(tmp_path, teacher="openai", model="m", base_urls=server.url)
    assert counts["instructions"] == 0 and counts["instructions_reply_malformed"] == 3
    assert agreement.run(tmp_path, workers=0)["programs"] == 0 and (tmp_path / "data" / "programs.jsonl").read_text() == ""


def test_what_a_model_sends_is_read_as_a_strangers():
    assert refused_program("def f(x):\n  return x", "f") is None and refused_program("f = 3", "f") == "refused_without_entry_point"
    assert refused_program("def f(", "f") == "refused_syntax"
    made = Instruction(id="i", concept="c", name="C", difficulty="easy", title="T", instruction="I", signature="def f()", entry_point="f")
    reply = synthesis.Reply(id="i/programs", digest="", status="answered", value={"programs": [{"approach": "a", "code": "def f(): pass"}] * 3})
    assert read_candidates(made, [reply])[1] == {"refused_copy": 2}


@pytest.mark.parametrize("options", [{"programs": 0}, {"tests": 0}, {"count": 0}, {"wrong_tests": 2.0}])
def test_numbers_that_make_no_sense(tmp_path, options):
    with pytest.raises(InputError, match="must be at least 1"):
        synthesis.run(tmp_path, **options)


# -- the filter, measured ---------------------------------------------------------------------------------------------


def test_agreement_is_better_than_a_majority_and_that_is_better_than_nothing():
    benches = [bench_of(family, "medium") for family in FAMILIES[::4]]
    found = measured(benches, Mix(), rounds=20)
    assert found["product"]["precision"] >= 0.95 and found["product"]["recall"] >= 0.9
    assert found["product"]["precision"] > found["majority"]["precision"] > found["none"]["precision"]
    clean = measured(benches, Mix(wrong_programs=0.0, wrong_tests=0.0), rounds=2)
    assert clean["product"] == {"precision": 1.0, "recall": 1.0, "tasks": 1.0}
    assert kept_by("none", benches[0], [0, 1], []) == [0, 1]


def test_the_examiner_is_the_same_outside_of_the_sandbox():
    program = examiner.prepare({"code": "def f(x):\n    return x"}, {})
    assert examiner.run(program, {"tests": ["assert f(1) == 1", "assert f(1) == 2"]}, {}, None) == {"status": "ok", "passed": [True, False]}
    assert examiner.passes(program, "assert f(1) == 2") == "AssertionError"
