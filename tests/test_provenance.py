"""A dataset is verified from its own files: what holds is left alone, and every record that somebody changed is named."""
import contextlib
import io
import json
import random
import re

import pytest

from verified_code_cot import curriculum, dataset, narration, provenance, tracing, verification
from verified_code_cot.commands import main
from verified_code_cot.records import InputError, digest, read_parquet, write_jsonl, write_parquet
from verified_code_cot.rows import FORMATS, as_format, counter_of, parquet_schema, plain_row, record_digest, text_digest


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset of our own, made as the study makes it."""
    run = tmp_path_factory.mktemp("run")
    curriculum.run(run, count=21, cases=1)
    tracing.run(run, workers=0)
    narration.run(run, workers=0)
    verification.run(run, workers=0)
    dataset.run(run, validation=0.05)
    return run / "dataset"


def rows_of(folder):
    return [json.loads(line) for line in (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()]


def sealed(row):
    """A row whose digests were put right after it was changed."""
    row = {**row, "program_digest": text_digest(row["code"])}
    row["tokens"] = sum(map(counter_of("pieces"), (message["content"] for message in row["messages"])))
    return {**row, "record_digest": record_digest(row)}


def talk(row, question=None, answer=None):
    return [{"role": role, "content": new if new is not None else old["content"]}
            for role, old, new in zip(("user", "assistant"), row["messages"], (question, answer), strict=True)]


def question(change):
    return lambda row, rng, other: {"messages": talk(row, question=change(row["messages"][0]["content"], row, rng, other))}


def answer(change):
    return lambda row, rng, other: {"messages": talk(row, answer=change(row["messages"][1]["content"], row, rng, other))}


def column(**values):
    return lambda row, rng, other: {name: value(row, other) if callable(value) else value for name, value in values.items()}


def another_digit(text, row, rng, other):
    place = rng.choice([m.start() for m in re.finditer(r"\d", text)])
    return text[:place] + str((int(text[place]) + rng.randrange(1, 10)) % 10) + text[place + 1 :]


def another_word(text, row, rng, other):
    found = rng.choice(list(re.finditer(r"\b[a-z]{3,}\b", text)))
    return text[: found.start()] + "something" + text[found.end() :]


def without_a_line(text, row, rng, other):
    lines = text.split("\n")
    del lines[rng.choice([i for i, line in enumerate(lines) if line.strip() and "<answer>" not in line])]
    return "\n".join(lines)


def another_answer(text, row, rng, other):
    return re.sub(r"<answer>.*</answer>", lambda m: f"<answer>{other['output'] if row['direction'] == 'forward' else other['call']}</answer>", text, flags=re.S)


def another_constant(row, rng, other):
    """Program and question changed together, as somebody would who wants it to be consistent."""
    found = list(re.finditer(r"\b\d+\b", row["code"])) or list(re.finditer(r"\breturn\b", row["code"]))
    place = rng.choice(found)
    new = str(int(place.group()) + 1) if place.group().isdigit() else "return not"
    code = row["code"][: place.start()] + new + row["code"][place.end() :]
    return {"code": code, "messages": talk(row, question=row["messages"][0]["content"].replace(row["code"].strip(), code.strip()))}


TAMPERED = {
    "a digit of the text": answer(another_digit),
    "a word of the text": answer(another_word),
    "a line of the text removed": answer(without_a_line),
    "the text of another record": answer(lambda text, row, rng, other: other["messages"][1]["content"]),
    "the answer in the text": answer(another_answer),
    "white space of the text": answer(lambda text, row, rng, other: text.replace(". ", ".  ", 1) if ". " in text else text + " "),
    "a remark added to the text": answer(lambda text, row, rng, other: text.replace("<answer>", "All of this is certain.\n\n<answer>")),
    "the call in the question": question(lambda text, row, rng, other: text.replace(row["call"], other["call"]).replace(f"`{row['output']}`", "`'else'`")),
    "a hint in the question": question(lambda text, row, rng, other: text + " Hint: think."),
    "the program in the question": question(lambda text, row, rng, other: text.replace("return", "return  ", 1)),
    "the answer": column(answer=lambda row, other: other["answer"]),
    "the output": column(output=lambda row, other: other["output"] + "0"),
    "the call": column(call=lambda row, other: other["call"]),
    "program and question": another_constant,
    "a comment in the program": column(code=lambda row, other: row["code"] + "# a comment\n"),
    "the direction": column(direction=lambda row, other: "backward" if row["direction"] == "forward" else "forward"),
    "the style": column(style="plain"),
    "the concept": column(concept="cooking"),
    "the difficulty": column(difficulty=lambda row, other: "hard" if row["difficulty"] != "hard" else "easy"),
    "the seed": column(seed=77),
    "no seed": column(seed=None),
    "the score": column(score=lambda row, other: row["score"] / 2),
    "the counts": column(claims_supported=lambda row, other: row["claims_supported"] + 1),
    "the coverage": column(segments_supported=0),
    "the strictness": column(required=0.9),
    "the source": column(source="elsewhere"),
    "the verdict": column(verdict="contradicted"),
    "the trace": column(trace_digest=lambda row, other: other["trace_digest"]),
    "no trace": column(trace_digest=None),
    "the program's name": column(program=lambda row, other: other["program"]),
    "the id": column(id=lambda row, other: row["id"].replace("-0-", "-7-", 1)),
    "the id of another": column(id=lambda row, other: other["id"]),
    "no code": column(code=None),
}


def tamper(rows, rng, recomputed):
    """A hundred records of the set, each changed in one of the ways above, among others that are as they were."""
    places, names = rng.sample(range(1, len(rows)), 100), list(TAMPERED)
    changed = {}
    for i, place in enumerate(sorted(places)):
        row, name = rows[place], names[i % len(names)]
        other = next(r for r in rows if r["code"] != row["code"] and r["output"] != row["output"] and r["answer"] != row["answer"])
        new = {**row, **TAMPERED[name](row, rng, other)}
        assert new != row, name
        changed[place] = (name, sealed(new) if recomputed and new["code"] is not None else new)
    return changed


def check(folder):
    findings = []
    checked = provenance.check_dataset(folder, findings.append, workers=0)
    return checked, findings


def test_a_dataset_as_it_was_made_holds(made):
    checked, findings = check(made)
    assert checked.records == len(findings) >= 100 and checked.wrong == 0 and checked.same_source and checked.files == []


@pytest.mark.parametrize("recomputed", [False, True], ids=["as it is", "digests put right"])
def test_each_of_a_hundred_records_that_were_tampered_with_is_found(made, tmp_path, recomputed):
    rows = rows_of(made)
    changed = tamper(rows, random.Random(4), recomputed)
    assert len({name for name, _ in changed.values()}) == len(TAMPERED)
    now = [changed[i][1] if i in changed else row for i, row in enumerate(rows)]
    write_jsonl(tmp_path / "train.jsonl", now)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["splits"]["train"]["digest"] = digest(now)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    _, findings = check(tmp_path)
    found = {finding["row"] - 1 for finding in findings if not finding["ok"]}
    missed = {name for i, (name, _) in changed.items() if i not in found}
    assert missed == set() and len(changed) == 100
    neighbours = {"duplicate_id", "both_splits"}
    innocent = [f for f in findings if f["row"] - 1 not in changed and not f["ok"] and not {p["code"] for p in f["problems"]} <= neighbours]
    assert innocent == []


def test_what_makes_the_record_false_is_found_from_one_file_alone(made, tmp_path):
    """Without the manifest, and so without telling it again: what is false of the execution is still found."""
    rows = rows_of(made)
    false = ["the answer in the text", "the answer", "the output", "the call", "the trace", "the text of another record", "the counts", "program and question"]
    rng, now = random.Random(1), []
    for i, row in enumerate(rows[:40]):
        other = next(r for r in rows if r["code"] != row["code"] and r["output"] != row["output"] and r["answer"] != row["answer"])
        now.append(sealed({**row, **TAMPERED[false[i % len(false)]](row, rng, other)}))
    write_jsonl(tmp_path / "some.jsonl", now)
    checked, findings = check(tmp_path / "some.jsonl")
    assert [finding["row"] for finding in findings if finding["ok"]] == []
    assert set(checked.problems) <= set(provenance.PROBLEMS)


@pytest.mark.parametrize("format", FORMATS)
def test_every_form_can_be_verified(made, tmp_path, format):
    out = tmp_path / format
    dataset.export(made.parent, out, format=format)
    rows = read_parquet(out / "train.parquet")[:6]
    bad = as_format({**plain_row(rows[2]), "output": "'x'"}, format)
    write_parquet(out / "train.parquet", [*rows[:2], bad, *rows[3:]], schema=parquet_schema(format))
    (out / "validation.parquet").unlink()
    (out / "validation.jsonl").unlink()
    checked, findings = check(out)
    assert [finding["ok"] for finding in findings] == [True, True, False, True, True, True]
    assert checked.files and "train has 6 records" in checked.files[0]


def test_repeated_ids_and_programs_on_both_sides_are_found(made, tmp_path):
    rows = rows_of(made)[:3]
    write_jsonl(tmp_path / "train.jsonl", [*rows, rows[0]])
    write_jsonl(tmp_path / "validation.jsonl", [rows[1]])
    checked, _ = check(tmp_path)
    assert checked.problems["duplicate_id"] == 2 and checked.problems["both_splits"] >= 3


def test_lines_that_are_no_records_keep_their_place(made, tmp_path):
    lines = (made / "train.jsonl").read_text().splitlines()[:2]
    (tmp_path / "train.jsonl").write_text("\n".join([lines[0], "{", '{"id": "x"}', '{"messages": [], "id": "y"}', lines[1]]) + "\n")
    checked, findings = check(tmp_path)
    assert [finding["ok"] for finding in findings] == [True, False, False, False, True]
    assert checked.problems == {"unreadable": 3}


def run_command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(list(map(str, arguments)))
    return status, out.getvalue(), err.getvalue()


def test_the_command_names_the_records(made, tmp_path):
    rows = rows_of(made)[:5]
    write_jsonl(tmp_path / "train.jsonl", rows)
    assert run_command("verify", "--dataset", tmp_path, "--workers", 0)[:2] == (0, "5 records: 5 hold, 0 do not\n")
    rows[3] = sealed({**rows[3], "output": "'x'"})
    write_jsonl(tmp_path / "train.jsonl", rows)
    status, out, err = run_command("verify", "--dataset", tmp_path, "--workers", 0, "--json", "--out", tmp_path / "findings.jsonl")
    assert status == 3 and json.loads(out)["wrong"] == 1 and f"train:4: {rows[3]['id']}: " in err
    findings = [json.loads(line) for line in (tmp_path / "findings.jsonl").read_text().splitlines()]
    assert [finding["ok"] for finding in findings] == [True, True, True, False, True]
    status, _, err = run_command("verify", "--dataset", tmp_path / "nowhere", "--workers", 0)
    assert status == 1 and err.count("\n") == 1 and "nowhere" in err
    with pytest.raises(InputError):
        provenance.check_dataset(tmp_path / "nowhere")
