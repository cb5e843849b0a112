"""The baselines, the measures, the stage; and a bounded run of the whole: tell programs, verify, falsify, count."""
import json
import math
import random
import shutil
from pathlib import Path

import pytest

from verified_code_cot import challenge
from verified_code_cot.baselines import entities, output_only, sliding_window, walk
from verified_code_cot.challenge import Counting, auroc, comparison, judged, kills, measure, method, named, wilson
from verified_code_cot.falsehoods import CRUDE
from verified_code_cot.records import InputError, Rationale, Verdict, write_jsonl
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import verify_record

SUM = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total"
TEXT = ("`total` starts as `0`. First `x` is `3`, and `total` becomes `3`. Then `x` is `4`, and `total` becomes `7`.\n\n"
        "The function returns `7`.\n\n<answer>7</answer>")
RECORD = {"id": "a", "code": SUM, "call": "f([3, 4])", "output": "7", "direction": "forward", "rationale": TEXT, "answer": None}
CRUXEVAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cruxeval.jsonl"


@pytest.fixture(scope="module")
def box():
    with Sandbox() as opened:
        yield opened


def changed(**changes):
    return {**RECORD, **changes}


# ---------------------------------------------------------------------------------------------------------------- baselines

def test_output_only_looks_for_the_output_and_at_nothing_else(box):
    assert output_only(RECORD, box).verdict == "verified"
    assert output_only(changed(rationale=TEXT.replace("becomes `3`", "becomes `99`")), box).verdict == "verified"
    assert output_only(changed(rationale="It runs 17 times."), box).verdict == "verified", "as published: part of a number will do"
    wrong = output_only(changed(rationale=TEXT.replace("7", "8")), box)
    assert (wrong.verdict, wrong.reason_code, wrong.answer.correct) == ("contradicted", "output_missing", False)
    quoted = changed(code="def f(s):\n    return s.upper()", call="f('ab')", output="'AB'", rationale='So the answer is "AB".')
    assert output_only(quoted, box).verdict == "verified"


def test_the_window_wants_every_entity(box):
    assert sliding_window(RECORD, box).verdict == "verified"
    false = sliding_window(changed(rationale=TEXT.replace("becomes `3`", "becomes `99`")), box)
    assert (false.verdict, false.reason_code) == ("contradicted", "ungrounded")
    (claim,) = [c for c in false.claims if c.verdict == "contradicted"]
    assert (claim.text, claim.claimed) == ("99", "99") and claim.observed is not None
    assert 0 < false.score < sliding_window(RECORD, box).score == 1.0


def test_the_window_reaches_fifteen_steps_and_no_further(box):
    made = trace(SUM, f"f({[1] * 30})", sandbox=box)
    near, far = "`total` becomes 6", "`total` becomes 7"
    assert [e.step for e in made.events if e.changed.get("total") in ("6", "7")] == [13, 15]
    assert [g.found for g in walk(entities(near, SUM), made)] == [True], "steps 0 to 14 are within reach"
    assert [g.found for g in walk(entities(far, SUM), made)] == [False]
    assert [g.found for g in walk(entities(far, SUM), made, window=40)] == [True]
    stepwise = "`total` becomes 4, later `total` becomes 9, and at last `total` becomes 14"
    assert all(g.found for g in walk(entities(stepwise, SUM), made)), "each one moves the pointer"


def test_the_window_goes_in_order(box):
    made = trace(SUM, f"f({list(range(1, 31))})", sandbox=box)
    late_first = walk(entities("`x` is 7. `total` becomes 28. `x` is 3", SUM), made)
    assert [g.found for g in late_first] == [True, True, False]


@pytest.mark.parametrize("function", [output_only, sliding_window], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("change", "code"), [
    ({"code": "def f(xs"}, "syntax"), ({"output": "8"}, "wrong_output"), ({"output": "7.0"}, "wrong_output"), ({"call": "f(3)"}, "exception"),
    ({"code": "def f(xs):\n    while True: pass", "output": None}, "events"), ({"code": "import no_such_module\ndef f(xs): return 1"}, "import"),
])
def test_a_record_that_cannot_be_executed_is_an_error_and_never_a_pass(box, function, change, code):
    verdict = function(changed(**change), box)
    assert (verdict.verdict, verdict.reason_code, verdict.score) == ("error", code, 0.0)


def test_an_empty_text_is_verified_by_nobody(box):
    for name in challenge.METHODS:
        assert method(name)(changed(rationale=" "), box).verdict != "verified", name


# ---------------------------------------------------------------------------------------------------------------- measures

def test_methods_by_name(tmp_path, monkeypatch, box):
    (tmp_path / "mine.py").write_text(
        "from verified_code_cot.records import Verdict\nnumber = 3\n"
        "def lenient(record, sandbox):\n    return Verdict(id=record['id'], verdict='verified', score=1.0, reason_code='verified', reason='why not')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert method("mine:lenient")(RECORD, box).reason == "why not"
    mistakes = {"claim": "neither one of", "mine:": "neither one of", "nowhere:f": "No module", "mine:strict": "has no strict",
                "mine:number": "is not a function"}
    for name, told in mistakes.items():
        with pytest.raises(InputError, match=told) as caught:
            method(name)
        assert "\n" not in str(caught.value)


def test_auroc_is_the_share_of_pairs_in_the_right_order():
    rng = random.Random(0)
    for _ in range(50):
        true, false = ([rng.randint(0, 6) / 6 for _ in range(rng.randint(1, 9))] for _ in range(2))
        by_hand = sum((a > b) + (a == b) / 2 for a in true for b in false) / (len(true) * len(false))
        assert auroc(true, false) == pytest.approx(by_hand)
    assert math.isnan(auroc([], [0.5]))


def test_wilson_against_known_values():
    assert wilson(194, 200) == pytest.approx((0.9361, 0.9862), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0) and wilson(0, 10)[0] == 0.0 and wilson(10, 10)[1] == 1.0


def test_the_counting_sandbox_counts_executions(box):
    counting = Counting(box)
    trace(SUM, "f([3, 4])", sandbox=counting, check_determinism=False)
    assert counting.executions == 1 and counting.isolation == box.isolation


def test_killed_needs_evidence_and_named_needs_the_place(box):
    text = TEXT.replace("`total` becomes `3`", "`total` becomes `5`")
    place = text.index("5")
    row = {"id": "a~k", "original": "a", "kind": "wrong value", "start": place, "end": place + 1, "record": changed(rationale=text)}
    said = judged(row, list(challenge.METHODS), box)["said"]
    assert said["claims"]["killed"] and said["claims"]["named"] and said["sliding-window"]["killed"] and not said["output-only"]["killed"]
    shrug = Verdict(id="a", verdict="contradicted", score=0.0, reason_code="x", reason="x")
    assert not challenge.evidence(shrug) and not named(shrug, text, "forward", place, place + 1)


# ---------------------------------------------------------------------------------------------------------------- the stage

@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, box):
    folder = tmp_path_factory.mktemp("challenge") / "run"
    told = []
    for n in range(5, 11):
        text = TEXT.replace("`7`", f"`{3 + n}`").replace(">7<", f">{3 + n}<").replace("`4`", f"`{n}`")
        told.append(Rationale(**changed(id=f"r{n}", call=f"f([3, {n}])", output=str(3 + n), rationale=text)))
    verdicts = [Verdict.model_validate(verify_record(r.to_dict(), box).to_dict()) for r in told]
    assert all(v.verdict == "verified" for v in verdicts), [v.reason for v in verdicts]
    write_jsonl(folder / "data" / "rationales.jsonl", told)
    verdicts[-1] = verdicts[-1].model_copy(update={"verdict": "unsupported", "reason_code": "little_supported"})
    write_jsonl(folder / "data" / "verdicts.jsonl", verdicts)
    return folder


def test_the_stage_writes_what_it_counts_and_the_same_again(run_dir):
    counts = challenge.run(run_dir, per_kind=2, texts=4, workers=0)
    path = run_dir / "data" / "challenge.jsonl"
    first = path.read_bytes()
    rows = [json.loads(line) for line in first.splitlines()]
    assert counts["true_texts"] == 4 == sum(r["kind"] is None for r in rows)
    assert counts["falsified"] == sum(r["kind"] is not None for r in rows) > 10
    assert not any(r["original"] == "r10" for r in rows), "what was not verified is not falsified"
    assert all(line["texts"] <= 2 for line in kills(rows)[:-1]) and kills(rows)[-1]["texts"] == counts["falsified"]
    told = {r["id"]: r["rationale"] for r in map(json.loads, (run_dir / "data" / "rationales.jsonl").read_text().splitlines())}
    for row in rows:
        if row["kind"]:
            assert told[row["original"]][row["start"] :].startswith(row["before"]) and row["end"] - row["start"] == len(row["after"])
    assert {"challenge.png", "challenge.svg"} <= {p.name for p in (run_dir / "figures").iterdir()}
    assert challenge.run(run_dir, per_kind=2, texts=4, workers=0) == counts and path.read_bytes() == first
    assert not (run_dir / ".parts").exists() or not any((run_dir / ".parts").iterdir())


def test_the_quota_is_spread_over_the_rationales():
    found = [{"kind": kind, "id": f"{i}"} for i in range(10) for kind in ("wrong value", "wrong branch")]
    taken = challenge.quota([m for m in found if m["kind"] == "wrong value" or m["id"] == "3"], 4)
    assert [(m["kind"], m["id"]) for m in taken] == [*(("wrong value", i) for i in "0257"), ("wrong branch", "3")]


def test_another_seed_falsifies_otherwise(run_dir):
    told = json.loads((run_dir / "data" / "rationales.jsonl").read_text().splitlines()[0]) | {"answer": None}
    rows = [measure([told], 1, seed, ["output-only"], CRUDE, 0)[0] for seed in (0, 1)]
    changes = [[(r["kind"], r["start"], r["after"]) for r in found if r["kind"]] for found in rows]
    assert changes[0] != changes[1]


def test_bad_input_is_one_clear_line(run_dir, tmp_path):
    with pytest.raises(InputError, match="method 'guess'"):
        challenge.run(run_dir, methods=["guess"], workers=0)
    with pytest.raises(InputError, match=r"verdicts\.jsonl"):
        challenge.run(tmp_path, workers=0)
    shutil.copytree(run_dir / "data", tmp_path / "none" / "data")
    (tmp_path / "none" / "data" / "verdicts.jsonl").write_text("")
    with pytest.raises(InputError, match="none of its rationales is verified"):
        challenge.run(tmp_path / "none", workers=0)


def test_a_text_in_which_nothing_can_be_falsified_is_left_out(box):
    rows, left_out = measure([changed(rationale="Nothing is said here.")], 5, 0, ["output-only"], workers=0)
    assert [r["kind"] for r in rows] == [None] and left_out == {}
    (line,) = comparison(rows)
    assert math.isnan(line["auroc"]) and line["falsified"] == 0
