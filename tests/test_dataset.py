"""The training set: what goes in, what is held back, and whether the readers of such files can read it."""
import json

import pytest

from verified_code_cot import dataset
from verified_code_cot.records import Answer, Claim, Coverage, InputError, Program, Rationale, Verdict, read_parquet, write_jsonl

CODE = "def f(x):\n    y = {n} * x\n    return y"


def rationale(number, direction="forward", **changes):
    name = f"p{number}"
    text = f"`y` becomes {3 * number}.\n\n<answer>{3 * number if direction == 'forward' else 'f(3)'}</answer>"
    plain = {"id": f"{name}-{direction}", "program": name, "code": CODE.format(n=number), "call": "f(3)", "output": str(3 * number),
             "direction": direction, "style": "brief", "question": None, "rationale": text}
    return Rationale(**{**plain, **changes})


def verdict(told, kind="verified", reason="verified"):
    claims = [Claim(start=0, end=14, text=told.rationale[:14], kind="state", verdict="supported", claimed="1", observed="1")]
    return Verdict(id=told.id, verdict=kind, score=0.9, reason_code=reason, reason="because", answer=Answer(text="1", correct=True),
                   claims=claims, coverage=Coverage(segments=2, concrete=2, supported=1))


def write_run(folder, rationales, verdicts, programs):
    for name, records in [("rationales", rationales), ("verdicts", verdicts), ("programs", programs)]:
        write_jsonl(folder / "data" / f"{name}.jsonl", records)
    return folder


@pytest.fixture
def run_dir(tmp_path):
    told = [rationale(n, direction) for n in range(1, 21) for direction in ("forward", "backward")]
    verdicts = [verdict(r) if i % 5 else verdict(r, "contradicted", "false_claim") for i, r in enumerate(told)]
    programs = [Program(id=f"p{n}", code=CODE.format(n=n), entry_point="f", cases=[], concept=f"c{n % 6}", difficulty="easy") for n in range(1, 21)]
    return write_run(tmp_path / "run", told, verdicts, programs)


def test_the_counts_add_up_and_only_verified_rationales_go_in(run_dir):
    counts = dataset.run(run_dir)
    assert counts["read"] == 40 == counts["train"] + counts["validation"] + sum(counts["rejected"].values())
    assert counts["rejected"] == {"false_claim": 8}
    assert counts["train"] > counts["validation"] > 0
    ids = {row["id"] for name in ("train", "validation") for row in read_parquet(run_dir / "dataset" / f"{name}.parquet")}
    refuted = {json.loads(line)["id"] for line in (run_dir / "data" / "verdicts.jsonl").read_text().splitlines() if "false_claim" in line}
    assert len(ids) == 32 and not ids & refuted


def test_no_program_and_no_concept_is_on_both_sides(run_dir):
    dataset.run(run_dir, validation=0.3)
    train, held = (read_parquet(run_dir / "dataset" / f"{name}.parquet") for name in ("train", "validation"))
    for field in ("program", "concept"):
        assert {row[field] for row in train} and not {row[field] for row in train} & {row[field] for row in held}


def test_programs_with_the_same_code_stay_together(tmp_path):
    told = [rationale(n) for n in range(1, 9)]
    twins = [r.model_copy(update={"id": r.id + "-twin", "program": f"twin{i}", "code": r.code + "  # twin", "call": "f(4)", "rationale": f"Twin {i}."})
             for i, r in enumerate(told)]
    run = write_run(tmp_path, told + twins, [verdict(r) for r in told + twins], [])
    for seed in range(5):
        counts = dataset.run(run, validation=0.25, seed=seed)
        assert counts["validation"] == 4
        train, held = ({row["program"] for row in read_parquet(run / "dataset" / f"{name}.parquet")} for name in ("train", "validation"))
        for i in range(8):
            assert ({f"p{i + 1}", f"twin{i}"} <= train) or ({f"p{i + 1}", f"twin{i}"} <= held)


def test_equal_runs_have_equal_digests_and_the_seed_moves_the_split(run_dir, tmp_path):
    first, second = dataset.export(run_dir, tmp_path / "a"), dataset.export(run_dir, tmp_path / "b")
    assert first == second
    for name in ("train.jsonl", "validation.jsonl", "README.md", "train.parquet", "validation.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len({dataset.export(run_dir, tmp_path / "c", seed=seed)["train_digest"] for seed in range(4)}) > 1


def test_adding_a_program_moves_no_other_across_the_split_without_need(run_dir, tmp_path):
    rows = [dataset.example_of(rationale(n), verdict(rationale(n)), None) for n in range(1, 41)]
    groups = [[i] for i in range(40)]
    fewer = {rows[i].program for i in dataset.split(groups[:39], rows[:39], 0.25)}
    more = {rows[i].program for i in dataset.split(groups, rows, 0.25)}
    assert len(fewer ^ more) <= 2


def test_repetitions_are_removed(tmp_path):
    told = [rationale(n) for n in (1, 2)]
    again = [r.model_copy(update={"id": r.id + "-again", "rationale": r.rationale.replace(" ", "  ")}) for r in told]
    run = write_run(tmp_path, told + again, [verdict(r) for r in told + again], [])
    assert dataset.run(run)["rejected"] == {"duplicate": 2}


@pytest.mark.parametrize(("format", "column"), [("messages", "messages"), ("prompt-completion", "completion")])
def test_load_dataset_reads_the_folder_and_the_jsonl_as_they_are(run_dir, tmp_path, monkeypatch, format, column):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    counts = dataset.export(run_dir, out, format=format)
    data = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in data.items()} == {"train": counts["train"], "validation": counts["validation"]}
    turns = data["train"][0][column]
    assert [t["role"] for t in turns] == (["user", "assistant"] if format == "messages" else ["assistant"])
    assert "<answer>" in turns[-1]["content"]
    lines = datasets.load_dataset("json", data_files={"train": str(out / "train.jsonl")}, cache_dir=str(tmp_path / "cache2"))["train"]
    assert lines[0][column] == turns and len(lines) == counts["train"]


def test_the_user_turn_holds_the_code_once(run_dir):
    dataset.run(run_dir)
    for row in read_parquet(run_dir / "dataset" / "train.parquet"):
        assert row["messages"][0]["content"].count("def f(x):") == 1
    asked = rationale(1, question=f"Look:\n{CODE.format(n=1)}\nWhat is f(3)?")
    assert dataset.question_of(asked) == asked.question


def test_the_card_says_what_is_there(run_dir):
    yaml = pytest.importorskip("yaml")
    counts = dataset.run(run_dir, license="mit")
    text = (run_dir / "dataset" / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["license"] == "mit"
    files = [{"split": name, "path": f"{name}.parquet"} for name in ("train", "validation")]
    assert front["configs"] == [{"config_name": "default", "data_files": files}]
    assert f"{counts['train']} for training and {counts['validation']} for validation" in body
    columns = read_parquet(run_dir / "dataset" / "train.parquet")[0]
    assert all(f"`{name}`" in body for name in columns), "every column is explained"
    assert "{" not in body.replace("{}", ""), "no placeholder is left"


def test_a_single_program_gives_a_training_set_without_validation(tmp_path):
    datasets = pytest.importorskip("datasets")
    told = [rationale(1, d) for d in ("forward", "backward")]
    run = write_run(tmp_path / "run", told, [verdict(r) for r in told], [])
    counts = dataset.run(run)
    assert (counts["train"], counts["validation"]) == (2, 0)
    data = datasets.load_dataset(str(run / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert list(data) == ["train"]


def test_bad_input_is_one_clear_line(run_dir, tmp_path):
    with pytest.raises(InputError, match="format 'csv'"):
        dataset.export(run_dir, tmp_path / "x", format="csv")
    with pytest.raises(InputError, match="validation 1.5"):
        dataset.export(run_dir, tmp_path / "x", validation=1.5)
    with pytest.raises(InputError, match=r"rationales\.jsonl"):
        dataset.export(tmp_path / "nowhere", tmp_path / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        dataset.export(run_dir, tmp_path / "file")
    none = write_run(tmp_path / "none", [rationale(1)], [verdict(rationale(1), "contradicted", "false_claim")], [])
    with pytest.raises(InputError, match="nothing to export"):
        dataset.export(none, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_verdict_that_contradicts_itself_is_refused(tmp_path):
    told = rationale(1)
    lying = verdict(told).model_copy(update={"answer": Answer(text="4", correct=False)})
    run = write_run(tmp_path, [told], [lying], [])
    with pytest.raises(InputError, match="p1-forward"):
        dataset.run(run)
