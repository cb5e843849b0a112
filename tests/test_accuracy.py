"""The measures against known verdicts and against the labelled set's own script; the handwritten set: its labels, and how well the verifier does on it."""
import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from verified_code_cot.accuracy import (
    CLASSES,
    MEASURES,
    Labelled,
    Statement,
    assess,
    audited,
    class_of,
    corrected,
    error_rates,
    judge,
    judge_partition,
    labelled_text,
    measures,
    mistakes,
    read_labelled,
    steps_only,
    true_share,
    verdicts_of,
)
from verified_code_cot.records import Answer, Claim, InputError, Verdict, write_jsonl

ROOT = Path(__file__).parents[1]
OURS = read_labelled(ROOT / "tests" / "handwritten")
GOLD = ROOT.parent / "shared" / "gold"
KINDS = {"state", "expression", "condition", "iteration", "call", "result", "semantics", "proposal"}
RESULTS = json.loads((ROOT / "nbs" / "results" / "accuracy.json").read_text(encoding="utf-8"))


# ------------------------------------------------------------------------------------------------------------- the handwritten set

def value_of(item, call):
    names = {}
    exec(item.code, names)
    return eval(call, names)


def test_the_set_is_as_large_and_as_mixed_as_it_should_be():
    assert len(OURS) >= 80 and len({item.id for item in OURS}) == len(OURS)
    assert len({item.voice for item in OURS}) >= 30
    dirty = [item for item in OURS if any(s.label == "F" for s in item.statements)]
    assert 0.4 <= len(dirty) / len(OURS) <= 0.6
    assert sum(item.answer_correct for item in dirty) >= 35, "nearly always one false step before a right answer"
    assert sum(item.direction == "backward" for item in OURS) >= 10


@pytest.mark.parametrize("item", OURS, ids=lambda item: item.id)
def test_outputs_and_answers_are_as_recorded(item):
    assert repr(value_of(item, item.call)) == item.output
    if item.direction == "backward":
        answers = re.findall(r"<answer>(.*)</answer>|assert (.*?) ==", item.rationale)
        proposed = next(a or b for a, b in reversed(answers))
        assert (repr(value_of(item, proposed)) == item.output) is item.answer_correct
    else:
        ending = [item.rationale[s.start:s.end] for s in item.statements if s.label != "N"][-1]
        assert (item.output in ending) is item.answer_correct


@pytest.mark.parametrize("item", OURS, ids=lambda item: item.id)
def test_statements_cover_the_text_and_false_ones_say_why(item):
    place = 0
    for s in item.statements:
        assert place <= s.start < s.end and item.rationale[place:s.start].strip() == ""
        assert (s.label == "F") == (s.why_false is not None) and (s.kind in KINDS) == (s.label == "F")
        place = s.end
    assert item.rationale[place:].strip() == ""


def parsed(words):
    try:
        return ast.parse(" ".join(words).strip("`(").replace("`", ""), mode="eval").body
    except SyntaxError:
        return None


def closed_equalities(text):
    """(expression, value) for each `… = …` in a text with a computation on literals before it and a literal after it."""
    pieces = re.split(r" ==? ", text)
    for left, right in zip(pieces, pieces[1:], strict=False):
        before, after = left.split(), re.split(r"[.,;:)]?(?:\s|$)", right)
        made = next((tree for i in range(len(before)) if (tree := parsed(before[i:]))), None)
        value = next((tree for i in range(len(after), 0, -1) if (tree := parsed(after[:i]))), None)
        if not isinstance(made, ast.BinOp | ast.Call) or value is None:
            continue
        names = {node.id for node in ast.walk(made) if isinstance(node, ast.Name)}
        if names <= {"min", "max", "len", "int", "abs"} and not any(isinstance(node, ast.Name) for node in ast.walk(value)):
            yield ast.unparse(made), ast.unparse(value)


def test_computations_in_true_statements_are_right():
    found = [pair for item in OURS for s in item.statements if s.label == "T" for pair in closed_equalities(item.rationale[s.start:s.end])]
    assert len(found) >= 25
    assert [(made, value) for made, value in found if eval(made) != eval(value)] == []


@pytest.mark.parametrize(("broken", "message"), [
    ("hello\n", "1: a rationale begins"),
    ("@ a sideways terse\n<<<\nx=1\n>>>\nf()\n1\nT|x\n", "1: expected `@ ID"),
    ("@ a forward terse\ncode\n>>>\nf()\n1\nT|x\n", "1: after `@ a forward terse` come"),
    ("@ a forward terse\n<<<\nx=1\n>>>\nf()\n", "1: after"),
    ("@ a forward terse\n<<<\nx=1\n>>>\nf()\n1\nF|x is 2\n", "7: an F says"),
    ("@ a forward terse\n<<<\nx=1\n>>>\nf()\n1\nT|x is 2 ## [state] it is 1\n", "7: an F says"),
    ("@ a forward terse\n<<<\nx=1\n>>>\nf()\n1\nloose\n", "7: a line that belongs"),
])
def test_a_broken_file_is_told_with_its_line(tmp_path, broken, message):
    path = tmp_path / "x.txt"
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(InputError, match=re.escape(f"x.txt:{message}")):
        read_labelled(path)


def test_a_line_without_label_belongs_to_the_statement_before():
    text, statements = labelled_text([(1, "T|Answer:"), (2, "```python"), (3, "N|  end"), (4, ""), (5, "T|a | b")], "x")
    assert text == "Answer:\n```python\n  end\n\na | b"
    assert [text[s.start:s.end] for s in statements] == ["Answer:\n```python", "end", "a | b"]


def test_jsonl_and_text_are_read_alike(tmp_path):
    write_jsonl(tmp_path / "all.jsonl", OURS)
    assert read_labelled(tmp_path) == OURS
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.jsonl:1"):
        read_labelled(tmp_path / "bad.jsonl")
    with pytest.raises(InputError, match="none.txt"):
        read_labelled(tmp_path / "none.txt")


# ---------------------------------------------------------------------------------------------------------------- the measures

def labelled(id, labels, code="def f(): ...", correct=True):
    """Statements of ten characters, one for each label."""
    statements = [Statement(start=10 * i, end=10 * i + 10, label=label, why_false="?" if label == "F" else None) for i, label in enumerate(labels)]
    return Labelled(id=id, code=code, call="f()", output="1", direction="forward", rationale="x" * 10 * len(labels), answer_correct=correct,
                    statements=statements)


def judged(id, verdict, *claims, correct=True, score=0.5):
    """A verdict with claims (first character, last, verdict[, whether it shows both values])."""
    made = [Claim(start=a, end=b, text="", kind="state", verdict=v, claimed="1", observed="2" if not bare else None) for a, b, v, *bare in claims]
    return Verdict(id=id, verdict=verdict, score=score, reason_code="?", reason="", answer=Answer(text="1", correct=correct), claims=made)


def test_measures_count_what_they_say():
    items = [labelled("a", "TFTN"), labelled("b", "TT"), labelled("c", "FT", correct=False)]
    verdicts = [
        judged("a", "contradicted", (0, 5, "supported"), (12, 18, "contradicted"), (12, 18, "supported"), (31, 39, "contradicted")),
        judged("b", "verified", (0, 10, "supported"), (8, 12, "contradicted"), (10, 20, "contradicted", True), score=0.9),
        judged("c", "verified", (0, 10, "supported"), (10, 20, "unverifiable"), correct=True),
    ]
    found = measures(items, verdicts, draws=50)
    n = found["counts"]
    assert (n["F"], n["F_found"], n["F_supported"], n["called"], n["called_F"]) == (2, 1, 1, 2, 1)
    assert (n["T"], n["T_supported"]) == (5, 2), "a claim over two statements and one without evidence count for nothing"
    assert (n["dirty"], n["dirty_verified"], n["first_exact"], n["clean"], n["clean_verified"], n["clean_contradicted"]) == (2, 1, 1, 1, 1, 0)
    assert (n["answers"], n["answers_right"]) == (3, 2)
    assert found["auroc"] == 1.0 and found["false_statement_recall"] == 0.5
    assert [(m["what"], m["id"]) for m in mistakes(items, verdicts)] == [("false alarm", "a"), ("missed", "c")]


def test_what_is_not_there_is_never_good():
    items = [labelled("a", "TF"), labelled("b", "T")]
    found = measures(items, [], draws=20)
    assert found["missing"] == 2 and found["contradicted_precision"] is None and found["interval95"]["contradicted_precision"] is None
    assert found["true_statement_coverage"] == found["clean_verified"] == found["answer_accuracy"] == 0.0 and found["auroc"] == 0.5
    assert measures([labelled("a", "N")], [], draws=5)["false_statement_recall"] is None


def test_intervals_are_drawn_over_programs():
    one = [labelled(str(i), "F", code="one program") for i in range(20)]
    said = [judged(str(i), "contradicted", *([(0, 9, "contradicted")] if i < 10 else [])) for i in range(20)]
    assert measures(one, said, 200)["interval95"]["false_statement_recall"] == [0.5, 0.5], "drawing one program again gives the same"
    many = [item.model_copy(update={"code": item.id}) for item in one]
    low, high = measures(many, said, 200)["interval95"]["false_statement_recall"]
    assert 0.2 < low < 0.4 and 0.6 < high < 0.8
    assert measures(many, said, 200) == measures(many, said, 200)


def test_steps_only_cuts_the_last_assertion_and_hands_over_the_truth():
    closing = next(item for item in OURS if item.id == "h12")
    cut = steps_only(closing)
    assert closing.rationale.startswith(cut.rationale) and "assert" in closing.rationale and "assert" not in cut.rationale
    assert len(cut.statements) == len(closing.statements) - 1 and cut.answer == closing.call
    wrong = next(item for item in OURS if not item.answer_correct and item.direction == "forward")
    assert steps_only(wrong).answer == wrong.output and steps_only(wrong).answer_correct


@pytest.mark.skipif(not GOLD.is_dir(), reason="../shared is not here")
@pytest.mark.parametrize("flags", [[], ["--steps-only"]], ids=["plain", "steps-only"])
@pytest.mark.parametrize("source", ["gold", "ours"])
def test_all_figures_equal_those_of_the_labelled_sets_script(tmp_path, flags, source):
    lines = (GOLD / "gold.jsonl").read_text(encoding="utf-8").splitlines()[::5]
    if source == "ours":
        lines = [item.model_dump_json(exclude_none=True) for item in OURS[:24]]
    gold, out = tmp_path / "gold.jsonl", tmp_path / "out.jsonl"
    gold.write_text("\n".join(lines) + "\n", encoding="utf-8")
    items = read_labelled(gold)
    given = [steps_only(item) for item in items] if flags else items
    verdicts = verdicts_of(judge_partition([item.record() for item in given], ["claims"]), "claims")
    verdicts[3] = verdicts[3].model_copy(update={"verdict": "error", "claims": []})
    write_jsonl(out, verdicts[:-1])  # one is missing, one is an error
    script = [sys.executable, str(GOLD / "score.py")]
    theirs = json.loads(subprocess.run([*script, "score", str(out), "--gold", str(gold), *flags], capture_output=True, text=True, check=True).stdout)
    ours = measures(given, verdicts[:-1])
    del ours["auroc"], ours["interval95"]["auroc"]
    assert theirs["missing"] == 1 and theirs["errors"] == 1 and theirs["counts"]["called"] > 0
    assert ours == theirs
    assert list(ours["false_found_by_kind"]) == list(theirs["false_found_by_kind"])
    asked = subprocess.run([*script, "input", "--gold", str(gold), *flags], capture_output=True, text=True, check=True).stdout
    assert [json.loads(line) for line in asked.splitlines()] == [{k: v for k, v in item.record().items() if k != "answer" or flags} for item in given]


# ------------------------------------------------------------------------------------- how well the verifier does on the handwritten set

@pytest.fixture(scope="module")
def assessed():
    return assess(OURS, judge(OURS, workers=0), draws=100)


# Floors (and ceilings) a little beside what was measured on 2026-11-23 at 05:20, plain and steps only: recall 51% and 51%, precision 100% and 100%,
# false but supported 18% and 18%, coverage 83% and 83%, first false exact 51% and 51%, false accept 39% and 39%, false reject 3% and 0%, clean verified
# 95% and 97%, answer 99% and 100%, AUROC 0.85 and 0.88. Raise them when the verifier gets better; lower none without saying why.
# The ceiling of false accept was 38% for some minutes (32% measured at 05:10). Then `Thresholds.coverage` went from 0.5 to 0.3, which was measured alone:
# false accept 34% -> 39% (two more rationales with a false step verified), clean verified 92% -> 95% (one more). It is a price that was paid, no gain.
PLAIN = {
    "false_statement_recall": (0.44, 1), "contradicted_precision": (0.90, 1), "false_statement_supported": (0, 0.24), "true_statement_coverage": (0.78, 1),
    "first_false_exact": (0.43, 1), "false_accept": (0, 0.44), "false_reject": (0, 0.08), "clean_verified": (0.87, 1), "answer_accuracy": (0.96, 1),
    "auroc": (0.80, 1),
}
STEPS_ONLY = {**PLAIN, "clean_verified": (0.89, 1), "answer_accuracy": (0.98, 1), "auroc": (0.82, 1)}


@pytest.mark.parametrize(("setting", "floors"), [("plain", PLAIN), ("steps only", STEPS_ONLY)])
def test_the_accuracy_does_not_fall(assessed, setting, floors):
    found = assessed[setting]["claims"]
    assert found["missing"] == 0 and found["errors"] == 0
    for name, (least, most) in floors.items():
        assert least <= found[name] <= most, f"{setting}: {name} is {found[name]}, with {found['counts']}"


def test_the_claims_method_sees_what_the_others_do_not(assessed):
    for setting, methods in assessed.items():
        for other in ("output-only", "sliding-window"):
            assert methods["claims"]["auroc"] > methods[other]["auroc"] + 0.1, setting
        assert methods["claims"]["false_accept"] < methods["output-only"]["false_accept"]


# ------------------------------------------------------------------------------------------------------------------ the finding

def test_each_rationale_falls_into_one_class():
    text = "a" * 80 + "assert f() == 1"
    early, late, closing = (0, 5, "contradicted"), (70, 79, "contradicted"), (81, 90, "contradicted")
    assert class_of(text, True, judged("a", "verified")) == "right, verified"
    assert class_of(text, True, judged("a", "unsupported")) == "right, not confirmed"
    assert class_of(text, True, judged("a", "contradicted", late)) == "right, contradicted"
    assert class_of(text, True, judged("a", "contradicted", closing)) == "right, not confirmed", "the closing assertion is no step"
    assert class_of(text, False, judged("a", "contradicted", late, early)) == "wrong, 1st quarter"
    assert class_of(text, False, judged("a", "contradicted", late, closing)) == "wrong, 4th quarter"
    assert class_of(text, False, judged("a", "contradicted", closing)) == "wrong, no false step found"
    assert class_of(text, False, judged("a", "error")) == "error"


def test_the_correction_finds_the_share_again():
    for share in (0.0, 0.1, 0.6, 1.0):
        assert corrected(share * 0.8 + (1 - share) * 0.05, 0.05, 0.8) == pytest.approx(share)
    items = [labelled(str(i), "F" if i < 10 else "T", code=str(i)) for i in range(30)]
    rates = error_rates(items, [i < 8 or i == 29 for i in range(30)], draws=200)
    assert rates[0] == (0.05, 0.8)
    rows = [{"code": str(i), "class": "right, contradicted" if i < 20 else "right, verified"} for i in range(100)]
    found = true_share(rows, rates)
    assert found["observed"] == 0.2 and found["corrected"] == pytest.approx(0.2)
    low, high = found["corrected95"]
    assert low < 0.15 and high > 0.25, "both the sample and the error rates are uncertain"


def test_alarms_that_were_read_give_a_share_with_an_interval():
    found = audited([str(i) for i in range(100)], {**{str(i): i < 5 for i in range(20)}, "elsewhere": True}, right=1000, sensitivity=0.8)
    assert (found["alarms"], found["read"], found["real"], found["found"], found["estimated"]) == (100, 20, 5, 0.025, 0.0312)
    assert found["false_reject"] == pytest.approx(0.075 / (1 - 0.03125), abs=1e-4)
    assert 0.01 < found["found95"][0] < 0.02 and 0.04 < found["found95"][1] < 0.06
    with pytest.raises(InputError, match="none of the alarms was read"):
        audited(["a"], {}, 10, 0.8)


def test_the_results_kept_hold_numbers_and_no_text():
    def strings(value):
        if isinstance(value, dict):
            return [text for key, inner in value.items() for text in [key, *strings(inner)]]
        return [text for inner in value for text in strings(inner)] if isinstance(value, list) else [value] if isinstance(value, str) else []
    assert max(map(len, strings(RESULTS))) < 60
    classes = RESULTS["finding"]["classes"]
    assert Counter(sum(found.values()) for found in classes.values()) == {400: 4} and all(set(found) == set(CLASSES) for found in classes.values())
    for setting in ("plain", "steps only"):
        assert set(RESULTS["gold"][setting]) == {"claims", "sliding-window", "output-only"}
        assert all(set(MEASURES) <= set(found) for found in RESULTS["gold"][setting].values())
