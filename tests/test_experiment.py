"""The experiment: what the arms' data are, and that a student is trained and asked as the room says."""
import importlib.util
import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_code_cot import arms, experiment, loop, student
from verified_code_cot.records import InputError

HAS_TORCH = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="the extra [train] is not installed")
ALL = arms.CURRICULUM[2]


def executed(code, call):
    """What a call returns, by Python itself."""
    scope = {}
    exec(code, scope)
    return eval(call, scope)


def read(row):
    """The steps of a rationale, read back by another way than it was written: (name, operand, operator, constant, result)."""
    forward = re.findall(r"^(\w+) = \((\d) (.) (\d)\) % 10 = (\d)\.$", row["rationale"], re.MULTILINE)
    backward = re.findall(r"^\((\w+) (.) (\d)\) % 10 = (\d), so \1 = (\d)\.$", row["rationale"], re.MULTILINE)
    return [(n, int(a), op, int(k), int(r)) for n, a, op, k, r in forward] if row["direction"] == "forward" else [
        (n, int(a), op, int(k), int(r)) for n, op, k, a, r in backward]


def holds(row):
    """Is every step of a rationale what the program does? Decided from the program's text and a run of it, not from the room's own tables."""
    *lines, last = row["code"].splitlines()[1:]
    statements = [re.match(r"\s+(\w+) = \((\w+) (.) (\d)\) % 10$", line).groups() for line in lines]
    value, told = {"x": int(row["call"][2:-1])}, []
    for target, source, operator, constant in statements:
        before = value[source]
        value[target] = eval(f"({before} {operator} {constant}) % 10")
        told.append((target, before, operator, int(constant), value[target], source))
    if row["direction"] == "forward":
        return read(row) == [step[:5] for step in told]
    chain, name = [], last.split()[1]
    for target, before, operator, constant, after, source in reversed(told):
        if target == name:
            chain.append((source, after, operator, constant, before))
            name = source
    return read(row) == chain


def answer(row):
    return re.search(r"<answer>(.*)</answer>$", row["rationale"]).group(1)


def right(row):
    return answer(row) == row["output"] if row["direction"] == "forward" else executed(row["code"], answer(row)) == int(row["output"])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(arms.TRAINED + arms.HELD_OUT), st.integers(1, 6), st.integers(0, 9), st.sampled_from(arms.BOTH))
def test_what_is_told_as_true_is_true(seed, family, size, start, direction):
    rng = random.Random(seed)
    program = arms.draw(rng, family, size)
    task, row = arms.pose(rng, program, direction, start)
    told = task.true()
    row["rationale"] = arms.words(told, direction, program.statements[program.last].target, told[task.last].result)
    assert executed(row["code"], row["call"]) == int(row["output"])
    assert holds(row) and right(row)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(arms.CURRICULUM))
def test_what_is_told_as_false_is_false_and_reaches_as_far_as_it_says(number, stage):
    row = arms.example(1, stage, number, 1.0, arms.BOTH, frozenset())
    assert row["kind"] in arms.KINDS[row["reach"]]
    assert not holds(row)
    assert right(row) == (row["reach"] == "local")


def test_every_kind_occurs_in_both_directions_where_it_can():
    rows = [arms.example(0, ALL, n, 1.0, arms.BOTH, frozenset()) for n in range(1500)]
    seen = Counter((row["kind"], row["direction"]) for row in rows)
    kinds = {kind for reach in arms.KINDS.values() for kind in reach}
    assert {kind for kind, _ in seen} == kinds
    assert {kind for kind, direction in seen if direction == "backward"} == kinds - {"stale value"}
    assert 0.45 < sum(row["reach"] == "local" for row in rows) / 1500 < 0.55


def test_a_dose_changes_nothing_but_the_rationales_it_corrupts():
    streams = {dose: [arms.example(3, ALL, n, dose, arms.BOTH, frozenset()) for n in range(600)] for dose in (0.0, 0.1, 0.3, 0.5)}
    for row in streams[0.0]:
        assert row["kind"] is None and holds(row)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5)):
        for a, b in zip(streams[low], streams[high], strict=True):
            assert {k: a[k] for k in ("code", "call", "direction")} == {k: b[k] for k in ("code", "call", "direction")}
            assert a == b if a["kind"] or not b["kind"] else True
    assert 0.44 < sum(row["kind"] is not None for row in streams[0.5]) / 600 < 0.56


def test_programs_of_the_tests_are_not_in_the_streams():
    free = {arms.example(0, arms.CURRICULUM[0], n, 0.0, arms.BOTH, frozenset())["code"] for n in range(40)}
    held = frozenset(sorted(free)[:20])
    assert not held & {arms.example(0, arms.CURRICULUM[0], n, 0.0, arms.BOTH, held)["code"] for n in range(300)}


def test_a_filter_keeps_what_its_method_verifies_tops_up_and_counts(tmp_path):
    stream = [arms.example(0, ALL, n, 0.5, arms.BOTH, frozenset()) for n in range(1024)]
    rows, table = arms.kept(stream, 60, "claims", tmp_path)
    assert len(rows) == 60 == sum(line["kept"] for line in table.values())
    assert [row["id"] for row in rows] == [row["id"] for row in stream if row["id"] in {r["id"] for r in rows}], "in the order of the stream"
    assert table["true"]["kept"] == table["true"]["seen"], "no true rationale is lost"
    assert sum(line["kept"] for kind, line in table.items() if kind not in ("true", "coincidence")) <= 3, "hardly anything else that is false passes"
    again, _ = arms.kept(stream, 60, "claims", tmp_path)
    assert again == rows
    with pytest.raises(InputError, match="the stream ends after 30 examples"):
        arms.kept(stream[:30], 60, "claims", tmp_path)


def test_the_simpler_methods_let_through_what_they_are_known_to(tmp_path):
    stream = [arms.example(0, ALL, n, 1.0, ("forward",), frozenset()) for n in range(120)]
    said = {method: {row["id"]: row["verdict"] for row in arms.judge_partition(stream, method)} for method in arms.FILTERS}
    local = [row["id"] for row in stream if row["reach"] == "local"]
    assert all(said["output-only"][one] == "verified" for one in local), "a right answer hides a false step from whoever reads only the answer"
    step = [row["id"] for row in stream if row["kind"] in ("slip", "misread")]
    passed = {method: sum(verdicts[one] == "verified" for one in step) for method, verdicts in said.items()}
    assert passed["claims"] == 0 < passed["sliding-window"] < passed["output-only"]


def test_a_wrong_record_is_named(tmp_path):
    row = {**arms.example(0, ALL, 0, 0.0, arms.BOTH, frozenset()), "output": "99"}
    with pytest.raises(InputError, match=re.escape(row["id"])):
        arms.judge_partition([row], "claims")


def test_forms_change_what_follows_the_question_and_keep_its_length():
    rows = [arms.example(0, ALL, n, 0.0, arms.BOTH, frozenset()) for n in range(200)]
    words = student.vocabulary(row["question"] + row["rationale"] for row in rows)
    back = {number: word for word, number in words.items()}
    for row in rows:
        told, only, filler = (student.pair(row, form, words) for form in student.FORMS)
        assert told[0] == only[0] == filler[0] and "".join(back[n] for n in told[0]) == row["question"]
        assert "".join(back[n] for n in told[1][:-1]) == row["rationale"]
        assert "".join(back[n] for n in only[1][:-1]) == row["rationale"][row["rationale"].rindex("<answer>"):]
        assert len(filler[1]) == len(told[1]) and filler[1][-len(only[1]):] == only[1]
    with pytest.raises(InputError, match="form 'sung'"):
        student.pair(rows[0], "sung", words)


def test_shuffled_rationales_are_others_of_the_same_size_with_the_own_answer():
    rows = [arms.example(0, ALL, n, 0.0, arms.BOTH, frozenset()) for n in range(400)]
    mixed = student.shuffled(rows, 0)
    assert sorted(r["rationale"].split("<answer>")[0] for r in mixed) == sorted(r["rationale"].split("<answer>")[0] for r in rows)
    assert [answer(r) for r in mixed] == [answer(r) for r in rows]
    assert sum(holds(r) for r in mixed) < 60, "programs of one line are few, so some fit by chance"


def test_batches_hold_every_pair_once_and_depend_on_the_seed_only():
    pairs = [([i] * (i % 7 + 1), [i]) for i in range(500)]
    one, same, other = (list(student.batches(pairs, 8, random.Random(seed))) for seed in (0, 0, 1))
    assert one == same != other
    assert sorted(p for batch in one for p in batch) == sorted(pairs)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(student.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"\[train\]"):
        student.train([], student.Student(), 10)


@needs_torch
def test_a_student_learns_to_copy_and_is_the_same_for_the_same_seed():
    words = student.vocabulary(["0123456789= "])
    texts = [f"{a}{b}={a}{b}" for a in range(10) for b in range(10)]
    pairs = [(student.numbers(t[:3], words), [*student.numbers(t[3:], words), words[student.END]]) for t in texts] * 20
    shape = student.Student(hidden=32, layers=2, feed_forward=64, batch=25)
    made = [student.train([pairs], shape, len(words), seed=0, every=20) for _ in range(2)]
    (model, how), (_, again) = made
    assert how["losses"] == again["losses"] and how["losses"][-1][1] < 0.5 * how["losses"][0][1]
    assert how["examples"] == 2000 and how["steps"] == 80 and how["tokens"] == 2000 * 6
    said = student.ask(model, words, [t[:3] for t in texts])
    assert sum(a == t[3:] for a, t in zip(said, texts, strict=True)) > 30
    assert said == student.ask(model, words, [t[:3] for t in texts], at_once=7)


TRIAL = experiment.PROFILES["trial"]
ROOT = Path(__file__).parents[1]
KEPT = ROOT / "nbs" / "results" / "experiment.json"


def test_the_tests_questions_are_none_of_the_training_data():
    asked, held = experiment.questions(TRIAL, 0)
    assert asked == experiment.questions(TRIAL, 0)[0]
    assert Counter((row["set"], row["direction"]) for row in asked) == {
        (name, d): TRIAL.tests for name in ("inputs", "programs", *arms.HELD_OUT) for d in arms.BOTH}
    stream = [arms.example(0, stage, n, 0.5, arms.BOTH, held) for stage in TRIAL.curriculum for n in range(500)]
    codes, pairs = {row["code"] for row in stream}, {(row["code"], row["call"]) for row in stream}
    for row in asked:
        assert executed(row["code"], row["call"]) == int(row["output"]) and holds(row) and right(row)
        if row["set"] == "inputs":
            assert row["code"] in codes and (row["code"], row["call"]) not in pairs
        else:
            assert row["code"] in held and row["code"] not in codes


def test_answers_are_marked_by_execution():
    forward, backward = (experiment.unseen(0, "programs", n) for n in (0, 3))
    assert (forward["direction"], backward["direction"]) == arms.BOTH
    texts = [forward["rationale"], forward["rationale"].replace("<answer>", "<answer>1"), "", "<answer>((</answer>"]
    assert experiment.marks([forward] * 4, texts) == [True, False, False, False]
    other = f"f({int(backward['call'][2:-1]) + 10})"  # another input with the same output, since all is modulo 10
    assert executed(backward["code"], other) == int(backward["output"])
    assert experiment.marks([backward] * 3, [backward["rationale"], f"<answer>{other}</answer>", "<answer>f()</answer>"]) == [True, True, False]


def test_a_filtered_pool_is_of_the_wanted_size_in_every_stage_and_made_once(tmp_path, monkeypatch):
    _, held = experiment.questions(TRIAL, 0)
    arm = experiment.ARMS["50%, filtered by output-only"]
    small = replace(TRIAL, examples=50)
    stages, table = experiment.rows_of(arm, small, 0, held, tmp_path, 0)
    assert [len(rows) for rows in stages] == experiment.counts_of(small) and sum(experiment.counts_of(small)) == 50
    assert sum(line["kept"] for line in table.values()) == 50 < sum(line["seen"] for line in table.values())
    monkeypatch.setattr(experiment, "kept", None)
    assert experiment.rows_of(arm, small, 0, held, tmp_path, 0) == (stages, table)


def test_arms_that_are_not_filtered_have_the_shares_they_say():
    _, held = experiment.questions(TRIAL, 0)
    size = replace(TRIAL, examples=1000)
    for name, low, high in (("all true", 0, 0), ("10% corrupted", 0.07, 0.13), ("30% corrupted", 0.26, 0.34), ("50% corrupted", 0.45, 0.55)):
        stages, table = experiment.rows_of(experiment.ARMS[name], size, 0, held, "unused", 0)
        assert low <= 1 - table["true"]["kept"] / sum(map(len, stages)) <= high
    stages, _ = experiment.rows_of(experiment.ARMS["all true, backward only"], size, 0, held, "unused", 0)
    assert {row["direction"] for rows in stages for row in rows} == {"backward"}
    names = ("answers only", "answers only, as many tokens")
    few, many = (sum(map(len, experiment.rows_of(experiment.ARMS[name], size, 0, held, "unused", 0)[0])) for name in names)
    assert 1.5 * few < many < 3 * few


def test_an_unknown_profile_is_one_line():
    with pytest.raises(InputError, match="profile 'maxi': there are trial, mini, arms, full"):
        experiment.run("unused", "maxi")


def test_nothing_is_begun_when_the_time_is_over_and_what_is_there_is_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "one_student", lambda *_: pytest.fail("a student was begun"))
    experiment.write_json(tmp_path / "results" / "all-true-0.json", {"arm": "all true", "seed": 0})
    found = experiment.run(tmp_path, "trial", minutes=-1.0)
    assert found["runs"] == [{"arm": "all true", "seed": 0}] and found["planned"] == 3
    assert json.loads((tmp_path / "experiment.json").read_text()) == json.loads(json.dumps(found))


@needs_torch
def test_a_trial_runs_and_goes_on_where_it_was(tmp_path, monkeypatch):
    small = replace(TRIAL, examples=48, tests=3, judged=3, arms=("answers only", "50%, filtered by our verifier", "natural errors"))
    monkeypatch.setitem(experiment.PROFILES, "trial", small)
    found = experiment.run(tmp_path, "trial")
    assert [run["arm"] for run in found["runs"]] == list(small.arms)
    for run in found["runs"]:
        assert run["training"]["examples"] == 48 and set(run["tests"]) == {f"{s}/{d}" for s in ("inputs", "programs", *arms.HELD_OUT) for d in arms.BOTH}
    assert found["runs"][2]["data"]["natural"]["kept"] > 40, "a student that has seen 34 examples errs"
    (tmp_path / "results" / "answers-only-0.json").unlink()
    again = experiment.run(tmp_path, "trial")
    assert [{**run, "training": None} for run in again["runs"]] == [{**run, "training": None} for run in found["runs"]]


@needs_torch
def test_the_notebook_trains_when_papermill_runs_it(tmp_path):
    papermill = pytest.importorskip("papermill")
    papermill.execute_notebook(ROOT / "nbs" / "15c_experiment.ipynb", tmp_path / "out.ipynb", {"profile": "trial", "run_dir": str(tmp_path / "run")},
                               cwd=ROOT / "nbs", progress_bar=False, log_output=False)
    assert len(json.loads((tmp_path / "run" / "experiment.json").read_text())["runs"]) == 3
    assert {p.name for p in (tmp_path / "run" / "figures").glob("*.png")} == {"arms.png", "dose.png"}


def test_the_results_that_are_kept_are_of_the_profile_as_it_is():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    size = experiment.PROFILES[kept["profile"]]
    assert kept["settings"] == json.loads(json.dumps(experiment.asdict(size))) and kept["primary"] == list(experiment.PRIMARY)
    assert {run["arm"] for run in kept["runs"]} <= set(size.arms)
    for run in kept["runs"]:
        total = sum(line["kept"] for line in run["data"].values())
        assert total == run["training"]["examples"] and (total == size.examples or experiment.ARMS[run["arm"]].match_tokens)
        assert all(cell["n"] == size.tests for cell in run["tests"].values())


def test_the_readme_says_of_the_experiment_what_the_results_say():
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| ") and line.split("|")[1].strip() in experiment.ARMS]
    assert [line.split("|")[1].strip() for line in rows] == list(experiment.by_arm(kept))
    for line, (_, runs) in zip(rows, experiment.by_arm(kept).items(), strict=True):
        assert [cell.strip() for cell in line.split("|")[2:-1]] == [
            str(len(runs)), *(experiment.said(experiment.column(runs, what)) or "–" for what in ("right", "right at temperature 1", "verified"))]
    assert experiment.said(experiment.contrast(kept, experiment.PRIMARY), signed=True) in readme


def test_the_readme_says_of_the_loop_what_the_results_say():
    rows = {row["difficulty"]: row for row in json.loads(KEPT.with_name("loop.json").read_text(encoding="utf-8"))["survival"]["difficulty"]}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    easy, medium, hard = (f"{rows[level]['verified']} of {rows[level]['written']}" for level in ("easy", "medium", "hard"))
    assert f"{easy} on easy programs, {medium} on medium and {hard} on hard ones" in readme
    right, false = (sum(row[name] for row in rows.values()) for name in ("right answer", "right answer, false steps"))
    assert f"{false} of the {right} texts with a right answer had a false step" in readme


def test_the_loops_programs_are_fresh_and_even_by_difficulty():
    held = frozenset(row["code"] for row in (experiment.unseen(0, "programs", n) for n in range(60)))
    made = loop.fresh(0, 60, held)
    assert made == loop.fresh(0, 60, held) and len({program.code for program in made}) == 60
    assert not held & {program.code for program in made}
    assert {program.concept for program in made} == {*arms.TRAINED, *arms.HELD_OUT}
    sizes = {level: {len(p.code.splitlines()) - 2 for p in made if p.difficulty == level} for level in loop.SIZES}
    assert all(found <= set(loop.SIZES[level]) and found for level, found in sizes.items())
    assert all(executed(p.code, p.cases[0].call) == int(p.cases[0].output) for p in made)


def test_only_verified_rationales_become_lessons():
    row = experiment.unseen(0, "programs", 0)
    words = student.vocabulary([row["question"] + row["rationale"]])
    some = [{**row, "verdict": verdict} for verdict in ("verified", "contradicted", "unsupported")]
    assert loop.lessons(some, words, times=3) == [[student.pair(row, "told", words)]] * 3


def test_a_folder_without_a_student_is_one_line(tmp_path):
    with pytest.raises(InputError, match="no student was saved there" if HAS_TORCH else r"\[train\]"):
        loop.run(tmp_path, tmp_path / "loop")
