"""A model writes rationales: good ones pass, false ones are repaired or fail, nonsense yields nothing, and the counts are true."""
import json

import pytest
from fake_teacher import FakeTeacher, completion

from verified_code_cot import report, study, verification, writing
from verified_code_cot.commands import main
from verified_code_cot.engine import read_manifest
from verified_code_cot.records import InputError, Rationale, Verdict, load, write_jsonl
from verified_code_cot.tracing import trace
from verified_code_cot.writing import Draft, How, by_round, chosen, programs_told, repairable, shown, taken, tasks_of, writing_ask

CODE = """def total(numbers):
    result = 0
    for number in numbers:
        if number > 2:
            result += number
    return result
"""
GOOD = """I start with `result = 0`. The first number is 3, and 3 > 2 is true, so `result` becomes 3.
The second number is 1: 1 > 2 is false, so nothing is added.
The third number is 5, and 5 > 2 is true, so `result` becomes 8. The loop ends and 8 is returned.
<answer>8</answer>"""
FALSE = GOOD.replace("1 > 2 is false, so nothing is added", "it is added, so `result` becomes 4")
BACK = """The result is 8, so the numbers above 2 add up to 8. I try `total([8])`: `result` is 0 at first, number is 8, 8 > 2 is true,
and `result` becomes 8, which is returned.
<answer>total([8])</answer>"""


def told(body):
    "What a writer says that makes one mistake forward, and mends it."
    question, last = body["messages"][0]["content"], body["messages"][-1]["content"]
    if "find" in question.split("```")[0]:
        return BACK
    return GOOD if "not true of it" in last else FALSE


@pytest.fixture
def run_dir(tmp_path):
    found = trace(CODE, "total([3, 1, 5])").model_copy(update={"id": "total-1", "program": "total"})
    raised = trace(CODE, "total(None)").model_copy(update={"id": "total-2", "program": "total"})
    write_jsonl(tmp_path / "data" / "traces.jsonl", [found, raised])
    return tmp_path


def write(run_dir, answer, **options):
    with FakeTeacher(answer) as server:
        counts = writing.run(run_dir, model="m", base_urls=server.url, workers=0, **options)
        return counts, server


def texts(run_dir):
    return {r.id: r.rationale for r in load(run_dir / "data" / "rationales.jsonl", Rationale)}


def test_a_false_rationale_goes_back_with_its_mistake_and_is_repaired(run_dir):
    counts, server = write(run_dir, told)
    assert (counts["read"], counts["accepted"], counts["rejected"]) == (2, 2, {"exception": 1})
    assert (counts["verified_at_first"], counts["verified_at_last"]) == (1, 2)
    assert counts["rounds"] == [{"round": 0, "asked": 2, "answered": 2, "verified": 1, "verified_by_then": 1},
                                {"round": 1, "asked": 1, "answered": 1, "verified": 1, "verified_by_then": 2}]
    assert texts(run_dir) == {"total-1-forward-written": GOOD, "total-1-backward-written": BACK}
    sent_back = next(b["messages"] for b in server.bodies if len(b["messages"]) == 3)
    assert sent_back[1]["content"] == FALSE
    assert "`result` becomes 4" in sent_back[2]["content"] and "`3`" in sent_back[2]["content"], "the false statement and what was there"
    assert counts["teacher"]["writing"]["answered"] == 2 and counts["teacher"]["repair"]["answered"] == 1
    drafts = load(run_dir / "data" / "drafts.jsonl", Draft)
    assert [(d.id[8:11], d.round, d.verdict) for d in drafts] == [("for", 0, "contradicted"), ("for", 1, "verified"), ("bac", 0, "verified")]
    verified = verification.run(run_dir, workers=0)
    assert verified["verified"] == 2, "the stage after it comes to the same"


def test_what_was_written_is_replayed_without_a_server_and_is_the_same(run_dir):
    write(run_dir, told)
    before = (run_dir / "data" / "rationales.jsonl").read_bytes(), (run_dir / "data" / "drafts.jsonl").read_bytes()
    counts = writing.run(run_dir, narrator="recorded", model="m", workers=0)
    assert before == ((run_dir / "data" / "rationales.jsonl").read_bytes(), (run_dir / "data" / "drafts.jsonl").read_bytes())
    assert "requests" not in counts["teacher"]["writing"] and counts["verified_at_last"] == 2
    assert read_manifest(run_dir)["teacher"]["name"] == "recorded"


@pytest.mark.parametrize(("rounds", "asked"), [(0, 1), (1, 2), (3, 4)])
def test_repair_is_bounded(run_dir, rounds, asked):
    counts, server = write(run_dir, lambda body: FALSE, rounds=rounds, directions=("forward",))
    assert len(server.bodies) == asked and counts["verified_at_last"] == 0 and len(counts["rounds"]) == asked
    assert counts["accepted"] == 1 and texts(run_dir)["total-1-forward-written"] == FALSE
    assert all(len(b["messages"]) <= 3 for b in server.bodies), "a question does not grow with the rounds"


NONSENSE = ["gabel splort " * 40, "8", "<answer>8</answer>", "The answer is 8.\n<answer>9</answer>", "```\n", "\x00\x01\x02 <answer>8</answer>", "9" * 50_000,
            "<answer>__import__('os').system('true') or 8</answer>"]


@pytest.mark.parametrize("said", NONSENSE)
def test_nonsense_is_never_verified(run_dir, said):
    counts, _ = write(run_dir, lambda body: said, rounds=1)
    assert counts["verified_at_last"] == 0 and counts["accepted"] == 2
    assert verification.run(run_dir, workers=0)["verified"] == 0


@pytest.mark.parametrize(("said", "reason"), [
    ("", "reply_empty"), (completion("half a", "length"), "reply_truncated"), (completion(None, refusal="no"), "reply_refused")])
def test_what_did_not_come_is_counted_and_not_asked_for_again(run_dir, said, reason):
    counts, server = write(run_dir, lambda body: said)
    assert counts["accepted"] == 0 and counts["rejected"] == {"exception": 1, reason: 2} and len(server.bodies) == 2
    assert texts(run_dir) == {} and [d.status for d in load(run_dir / "data" / "drafts.jsonl", Draft)] == [reason[6:]] * 2


def test_a_lost_repair_keeps_the_first_text(run_dir):
    counts, _ = write(run_dir, lambda body: FALSE if len(body["messages"]) == 1 else "", directions=("forward",))
    assert counts["accepted"] == 1 and texts(run_dir)["total-1-forward-written"] == FALSE and counts["rounds"][1]["answered"] == 0


def test_a_budget_ends_the_asking_and_the_counts_say_so(run_dir):
    counts, server = write(run_dir, told, budget=0)
    assert server.bodies == [] and counts["rejected"] == {"exception": 1, "reply_budget": 2} and counts["teacher"]["writing"]["budget"] == 2


def test_samples_differ_in_their_seed(run_dir):
    counts, server = write(run_dir, told, samples=3, directions=("backward",))
    assert counts["accepted"] == 3 and sorted(b["seed"] for b in server.bodies) == [0, 1, 2]
    assert list(texts(run_dir)) == ["total-1-backward-written", "total-1-backward-written-2", "total-1-backward-written-3"]


@pytest.mark.parametrize("options", [{"samples": 0}, {"rounds": -1}, {"most_events": 3}, {"max_tokens": 0}, {"directions": ("sideways",)}])
def test_numbers_that_make_no_sense(run_dir, options):
    with pytest.raises(InputError, match="samples and max_tokens"):
        writing.run(run_dir, model="m", base_urls="http://127.0.0.1:9/v1", **options)


def test_a_long_trace_is_shown_in_part_and_says_so():
    found = trace("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t", "f(2000)")
    lines = shown(found, 60).splitlines()
    assert len(lines) == 61 and lines[40] == f"... {len(found.events) - 60} steps are left out here ..." and lines[-1] == "f returns 1999000"


def test_every_kind_of_event_can_be_shown():
    code = "def g(n):\n    yield n\n\ndef f(x):\n    try:\n        1 // x\n    except ZeroDivisionError as e:\n        x = 1\n"
    text = shown(trace(code + "    for v in g(x):\n        x += v\n    return x", "f(0)"))
    assert all(part in text for part in ("is caught", "yields 1", "g goes on", "the loop ends", "f returns 2")), text


def test_the_prompt_holds_braces_of_the_code():
    found = trace("def f(x):\n    return {'{x}': x, 'y': f'{x}'}", "f({1: 2})")
    (task, other), _ = tasks_of([found], ("forward", "backward"))
    for one in (task, other):
        text = writing_ask(one, How()).messages[0].content
        assert "{'{x}': x, 'y': f'{x}'}" in text and "`f({1: 2})`" in text


def test_which_draft_is_taken():
    drafts = [Draft(id="a", round=n, status=status, verdict=verdict, reason_code=code, score=score) for n, (status, verdict, code, score) in enumerate([
        ("answered", "contradicted", "false_claim", 0.2), ("answered", "unsupported", "little_supported", 0.4), ("failed", None, None, None)])]
    assert chosen(drafts).round == 1 and chosen(drafts[2:]) is None and [repairable(d) for d in drafts] == [True, True, False]
    assert not repairable(Draft(id="a", round=0, status="answered", verdict="error", reason_code="no_trace", score=0.0))
    assert by_round([]) == []


def test_ready_rationales_are_taken_as_they_are(tmp_path):
    row = {"code": CODE, "call": "total([3, 1, 5])", "output": "8", "direction": "forward"}
    rows = [{**row, "id": "x", "rationale": GOOD}, {**row, "id": "x", "rationale": FALSE}, {**row, "rationale": GOOD, "call": "total([9])", "output": "9"},
            {**row, "id": "y", "code": "def total(", "rationale": GOOD}, {**row, "id": "z"}]
    path = tmp_path / "pile.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\nnonsense\n")
    programs, mistakes = programs_told(path)
    assert [(p.id, [c.call for c in p.cases]) for p in programs] == [("x", ["total([3, 1, 5])", "total([9])"])]
    assert [str(m).removeprefix(str(path))[:9] for m in mistakes] == [":4: code:", ":5: ratio", ":6: not J"]
    found, refused = taken(path, [trace(CODE, c.call).model_copy(update={"program": "x"}) for c in programs[0].cases])
    assert [r.id for r in found] == ["x", "x#2", "3"] and {r.program for r in found} == {"x"} and refused == {"untraced": 1, "no_rationale": 2}


# -- the whole study ------------------------------------------------------------------------------------------------------


def studied(tmp_path, *options):
    return main(["study", "--profile", "tiny", "--out", str(tmp_path / "run"), "--workers", "1", *options])


def test_a_study_of_ready_rationales(tmp_path, capsys):
    row = {"code": CODE, "call": "total([3, 1, 5])", "output": "8", "direction": "forward"}
    (tmp_path / "pile.jsonl").write_text("\n".join(map(json.dumps, [{**row, "id": "a", "rationale": GOOD}, {**row, "id": "b", "rationale": FALSE}])))
    assert studied(tmp_path, "--teacher", "recorded", "--recorded", str(tmp_path / "pile.jsonl"), "--set", "challenge.texts=1") == 0, capsys.readouterr().err
    run = tmp_path / "run"
    assert [v.verdict for v in load(run / "data" / "verdicts.jsonl", Verdict)] == ["verified", "contradicted"]
    assert len((run / "dataset" / "train.jsonl").read_text().splitlines()) == 1 and (run / "report.html").exists()
    assert list(read_manifest(run)["counts"]) == sorted(["programs", "tracing", "writing", "verification", "challenge", "dataset", "report"])


def test_a_study_whose_narrator_talks_nonsense_ends_with_a_report_and_nothing_verified(tmp_path, capsys):
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": "total", "code": CODE, "call": "total([3, 1, 5])"}))
    with FakeTeacher(lambda body: "gabel splort " * 30) as server:
        options = ["--programs", str(tmp_path / "p.jsonl"), "--narrator", "openai", "--model", "m", "--base-url", server.url]
        assert studied(tmp_path, *options) == 0, capsys.readouterr().err
        asked = len(server.bodies)
        assert studied(tmp_path, *options) == 0 and len(server.bodies) == asked == 6
    said, run = capsys.readouterr().err, tmp_path / "run"
    assert "no rationale was verified" in said and read_manifest(run)["counts"]["verification"]["verified"] == 0
    html = (run / "report.html").read_text()
    assert "repair 2" in html and "0.0%" in html and "written" in html and not (run / "dataset").exists()


def test_a_report_of_a_study_that_came_to_no_program(tmp_path):
    counts = {"concepts": {"chunks": 3, "concepts": 2}, "synthesis": {"instructions": 1}, "agreement": {"programs": 0, "no_program": 1}}
    (tmp_path / "manifest.json").write_text(json.dumps({"counts": counts, "parameters": {}}))
    assert report.run(tmp_path)["examples"] == 0
    html = (tmp_path / "report.html").read_text()
    assert "no rationale was told" in html and "no_program" in html
    (tmp_path / "manifest.json").write_text(json.dumps({"counts": {}, "parameters": {}}))
    with pytest.raises(InputError, match="needs a run"):
        report.run(tmp_path)


@pytest.mark.parametrize(("options", "words"), [
    (["--programs", "p.jsonl", "--teacher", "openai", "--model", "m"], "is a --narrator"), (["--model", "m"], "is for --teacher or --narrator"),
    (["--narrator", "openai"], "OPENAI_BASE_URL"), (["--narrator", "recorded"], "recorded answers"),
    (["--narrator", "recorded", "--recorded", "nowhere.jsonl"], "nowhere.jsonl")])
def test_what_does_not_go_together_is_one_line(tmp_path, options, words, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert studied(tmp_path, *options) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1] and not any("Traceback" in line for line in said)


def test_the_narrator_stands_in_place_of_the_narration():
    stages = study.told_by_a_model(study.FROM_SEEDS)
    assert list(stages) == ["concepts", "synthesis", "agreement", "tracing", "writing", "verification", "challenge", "dataset", "report"]


# -- bad input, as a user meets it


def test_a_study_from_seeds_with_a_teacher_that_talks_nonsense_ends_with_a_report(tmp_path, capsys):
    (tmp_path / "list.txt").write_text("Sliding window\nBinary search\n")
    with FakeTeacher(lambda body: "gabel splort " * 30) as server:
        options = ["--seeds", str(tmp_path / "list.txt"), "--teacher", "openai", "--model", "m", "--base-url", server.url]
        assert studied(tmp_path, *options) == 0
    said, run = capsys.readouterr().err, tmp_path / "run"
    assert "no program came of what the teacher wrote" in said and "Traceback" not in said
    assert "no rationale was told" in (run / "report.html").read_text()
    counts = read_manifest(run)["counts"]
    assert counts["agreement"]["programs"] == 0 and {*counts} == {"concepts", "synthesis", "agreement", "report"}


@pytest.mark.parametrize(("options", "words"), [(["--model", "m"], "refuses the key"), (["--model", "nobody"], "does not know the model 'nobody'")])
def test_a_wrong_key_or_model_ends_a_study_at_once_with_one_line(tmp_path, capsys, monkeypatch, options, words):
    (tmp_path / "list.txt").write_text("\n".join(f"Idea number {n}" for n in range(300)))
    monkeypatch.setenv("OPENAI_API_KEY", "right" if "nobody" in options else "wrong")
    with FakeTeacher(key="right", models=("m",)) as server:
        assert studied(tmp_path, "--seeds", str(tmp_path / "list.txt"), "--teacher", "openai", "--base-url", server.url, *options) == 1
        assert len(server.bodies) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1] and not any("Traceback" in line for line in said)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("empty.md", b"", "empty.md"), ("binary.md", b"\x00\xff\x00" * 50, "binary.md"), ("folder", None, "folder"), ("nowhere", "nothing", "nowhere")])
def test_seeds_that_cannot_be_used_are_one_line(tmp_path, capsys, name, content, words):
    path = tmp_path / name
    if content is None:
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    assert studied(tmp_path, "--seeds", str(path)) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1] and not any("Traceback" in line for line in said)
