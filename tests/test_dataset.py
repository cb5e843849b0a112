"""The training set: what goes in, what is held back, and whether the readers of such files can read it."""
import json

import pytest

from verified_code_cot import dataset
from verified_code_cot.records import Answer, Claim, Coverage, InputError, Program, Rationale, Verdict, digest, read_parquet, write_jsonl
from verified_code_cot.rows import FORMATS, TALK, judged_of, plain_row, question_of, record_digest

CODE = "def f(x):\n    y = {n} * x\n    return y"
ALL = {"near": 0.0, "per_shape": 0, "balance": ""}  # settings that let everything through but exact duplicates: the programs here differ in a constant


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
    counts = dataset.run(run_dir, **ALL)
    assert counts["read"] == 40 == counts["train"] + counts["validation"] + sum(counts["rejected"].values())
    assert counts["rejected"] == {"false_claim": 8}
    assert counts["train"] > counts["validation"] > 0
    ids = {row["id"] for name in ("train", "validation") for row in read_parquet(run_dir / "dataset" / f"{name}.parquet")}
    refuted = {json.loads(line)["id"] for line in (run_dir / "data" / "verdicts.jsonl").read_text().splitlines() if "false_claim" in line}
    assert len(ids) == 32 and not ids & refuted


def test_no_program_and_no_concept_is_on_both_sides(run_dir):
    dataset.run(run_dir, validation=0.3, **ALL)
    train, held = (read_parquet(run_dir / "dataset" / f"{name}.parquet") for name in ("train", "validation"))
    for field in ("program", "concept"):
        assert {row[field] for row in train} and not {row[field] for row in train} & {row[field] for row in held}


def test_programs_with_the_same_code_stay_together(tmp_path):
    told = [rationale(n) for n in range(1, 9)]
    twins = [r.model_copy(update={"id": r.id + "-twin", "program": f"twin{i}", "code": r.code, "call": "f(4)", "rationale": f"Twin {i}."})
             for i, r in enumerate(told)]
    run = write_run(tmp_path, told + twins, [verdict(r) for r in told + twins], [])
    for seed in range(5):
        counts = dataset.run(run, validation=0.25, seed=seed, **ALL)
        assert counts["validation"] == 4
        train, held = ({row["program"] for row in read_parquet(run / "dataset" / f"{name}.parquet")} for name in ("train", "validation"))
        for i in range(8):
            assert ({f"p{i + 1}", f"twin{i}"} <= train) or ({f"p{i + 1}", f"twin{i}"} <= held)


def test_equal_runs_have_equal_digests_and_the_seed_moves_the_split(run_dir, tmp_path):
    first, second = dataset.export(run_dir, tmp_path / "a", **ALL), dataset.export(run_dir, tmp_path / "b", **ALL)
    assert first == second
    for name in ("train.jsonl", "validation.jsonl", "README.md", "train.parquet", "validation.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len({dataset.export(run_dir, tmp_path / "c", seed=seed, **ALL)["train_digest"] for seed in range(4)}) > 1


def entries(rationales):
    """Entries as the survey makes them, without the sieves."""
    known = dataset.Known({}, {}, None, 0.3)
    return [dataset.entry_of(i, r, judged_of(verdict(r).to_dict()), known, dataset.Index(), {}) for i, r in enumerate(rationales)]


def test_adding_a_program_moves_no_other_across_the_split_without_need():
    rows = entries([rationale(n) for n in range(1, 41)])
    groups = [[i] for i in range(40)]
    fewer = {rows[i].program for i in dataset.split(groups[:39], rows[:39], 0.25)}
    more = {rows[i].program for i in dataset.split(groups, rows, 0.25)}
    assert len(fewer ^ more) <= 2


def test_the_held_back_set_is_a_picture_of_the_whole():
    rows = entries([rationale(n, "forward" if n % 4 else "backward") for n in range(1, 401)])
    held = dataset.split([[i] for i in range(400)], rows, 0.2)
    backward = sum(rows[i].direction == "backward" for i in held)
    assert len(held) == 80 and backward == 20


def test_families_are_found_in_one_go_however_many_there_are():
    rows = entries([rationale(1).model_copy(update={"id": str(n), "program": f"p{n}", "code": CODE.format(n=n // 2)}) for n in range(20_000)])
    groups = dataset.families(rows, "program")
    assert len(groups) == 10_000 and groups[0] == [0, 1]


def test_repetitions_are_removed(tmp_path):
    told = [rationale(n) for n in (1, 2)]
    again = [r.model_copy(update={"id": r.id + "-again", "rationale": r.rationale.replace(" ", "  ")}) for r in told]
    run = write_run(tmp_path, told + again, [verdict(r) for r in told + again], [])
    assert dataset.run(run, **ALL)["rejected"] == {"duplicate": 2}


def test_programs_that_are_others_under_other_names_are_removed(tmp_path):
    told = [rationale(n) for n in range(1, 6)]
    twins = [r.model_copy(update={"id": f"t{i}", "program": f"t{i}", "code": r.code.replace("y", "total") + "  # twin", "rationale": f"Twin {i}."})
             for i, r in enumerate(told)]
    run = write_run(tmp_path, told + twins, [verdict(r) for r in told + twins], [])
    counts = dataset.run(run, **ALL)
    assert counts["rejected"] == {"duplicate_program": 5} and counts["programs"] == 5


def test_only_so_many_programs_of_a_shape_with_all_of_their_rationales(tmp_path):
    told = [rationale(n, direction) for n in range(1, 9) for direction in ("forward", "backward")]
    run = write_run(tmp_path, told, [verdict(r) for r in told], [])
    counts = dataset.run(run, **{**ALL, "per_shape": 3})
    assert counts["rejected"] == {"same_shape": 10} and counts["programs"] == 3


def test_near_duplicates_are_removed(tmp_path):
    words = " ".join(f"w{i}" for i in range(400))
    told = [rationale(n, rationale=f"{words} {n}.\n\n<answer>{3 * n}</answer>") for n in range(1, 5)]
    run = write_run(tmp_path, told, [verdict(r) for r in told], [])
    assert dataset.run(run, **{**ALL, "near": 0.8})["rejected"] == {"near_duplicate": 3}
    assert dataset.run(run, **ALL)["rejected"] == {}


def test_what_a_benchmark_has_is_removed_and_named(run_dir, tmp_path):
    lines = [{"id": "c1", "code": "def g(value):\n    out = 7 * value\n    return out", "input": "3", "output": "21"}]
    write_jsonl(tmp_path / "bench.jsonl", lines)
    counts = dataset.run(run_dir, benchmarks=f"mine={tmp_path / 'bench.jsonl'}", **ALL)
    assert counts["rejected"] == {"contaminated": 2, "false_claim": 8}
    manifest = json.loads((run_dir / "dataset" / "manifest.json").read_text())
    assert manifest["contamination"]["benchmarks"] == {"mine": 1}
    assert manifest["contamination"]["hits"] == [{"program": "p7", "problem": "mine c1", "how": "code", "share": 1.0, "rationales": 2}]
    card = (run_dir / "dataset" / "README.md").read_text()
    assert "mine (1 problems)" in card and "| p7 | mine c1 | code | 2 |" in card
    assert "p7" not in {row["program"] for name in ("train", "validation") for row in read_parquet(run_dir / "dataset" / f"{name}.parquet")}


def test_directions_are_equal_and_no_concept_has_too_much(tmp_path):
    told = [rationale(n, d) for n in range(1, 31) for d in ("forward", "backward") if d == "forward" or n % 3]
    programs = [Program(id=f"p{n}", code=CODE.format(n=n), entry_point="f", cases=[], concept="big" if n > 10 else f"c{n % 5}", difficulty="easy")
                for n in range(1, 31)]
    run = write_run(tmp_path, told, [verdict(r) for r in told], programs)
    counts = dataset.run(run, **{**ALL, "balance": "direction,concept", "most": 2.0})
    rows = [row for name in ("train", "validation") for row in read_parquet(run / "dataset" / f"{name}.parquet")]
    assert sum(row["direction"] == "forward" for row in rows) * 2 == len(rows) == counts["read"] - counts["rejected"]["balance"]
    assert sum(row["concept"] == "big" for row in rows) <= 8


def test_a_missing_verdict_costs_one_rationale_and_not_the_others(tmp_path):
    told = [rationale(n) for n in range(1, 9)]
    run = write_run(tmp_path, told, [verdict(r) for r in told if r.id != "p3-forward"], [])
    counts = dataset.run(run, **ALL)
    assert counts["rejected"] == {"no_verdict": 1} and counts["train"] + counts["validation"] == 7


def test_one_and_two_workers_make_the_same(run_dir, tmp_path):
    told = [rationale(n, d) for n in range(1, 81) for d in ("forward", "backward")]
    run = write_run(tmp_path / "many", told, [verdict(r) for r in told], [])
    here, there = (dataset.run(run, workers=workers) for workers in (0, 2))
    assert here == there
    assert not (run / ".parts" / "dataset").exists()


def test_parts_are_read_as_files_are(run_dir, tmp_path):
    whole = dataset.export(run_dir, tmp_path / "a", **ALL)
    data = run_dir / "data"
    for name in ("rationales", "verdicts"):
        lines = (data / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        (data / f"{name}.jsonl").unlink()
        (data / name).mkdir()
        for part in range(0, len(lines), 15):
            (data / name / f"{part:06d}.jsonl").write_bytes(b"".join(lines[part : part + 15]))
    assert dataset.export(run_dir, tmp_path / "b", **ALL) == whole


def test_every_row_says_where_it_came_from(run_dir):
    write_jsonl(run_dir / "data" / "traces.jsonl", [{"program": f"p{n}", "call": "f(3)", "digest": f"{n:064x}"} for n in range(1, 21)])
    (run_dir / "manifest.json").write_text(json.dumps({"parameters": {"curriculum": {"seed": 5}, "verification": {"coverage": 0.4}}, "counts": {}}))
    counts = dataset.run(run_dir, **ALL)
    rows = read_parquet(run_dir / "dataset" / "train.parquet")
    for row in rows:
        number = int(row["program"][1:])
        assert (row["seed"], row["required"], row["trace_digest"]) == (5, 0.4, f"{number:064x}")
        assert row["code"] == CODE.format(n=number) and len(row["program_digest"]) == 64
        assert row["record_digest"] == record_digest(row)
    assert counts["train_digest"] == digest(rows), "the digest that was taken while writing is that of the rows"
    assert json.loads((run_dir / "dataset" / "manifest.json").read_text())["splits"]["train"]["digest"] == digest(rows)


@pytest.mark.parametrize("format", FORMATS)
def test_every_form_of_a_finished_run_has_the_same_rows(run_dir, tmp_path, format):
    dataset.run(run_dir, **ALL)
    counts = dataset.export(run_dir, tmp_path / "out", format=format)
    for name in ("train", "validation"):
        before, after = (read_parquet(folder / f"{name}.parquet") for folder in (run_dir / "dataset", tmp_path / "out"))
        assert len(after) == counts[name] == len(before)
        assert set(TALK[format]) <= after[0].keys()
        assert [plain_row({**row, "record_digest": ""}) for row in after] == [{**row, "record_digest": ""} for row in before]
        assert all(row["record_digest"] == record_digest(row) for row in after)


@pytest.mark.parametrize(("format", "column"), [("messages", "messages"), ("prompt-completion", "completion")])
def test_load_dataset_reads_the_folder_and_the_jsonl_as_they_are(run_dir, tmp_path, monkeypatch, format, column):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    counts = dataset.export(run_dir, out, format=format, **ALL)
    data = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in data.items()} == {"train": counts["train"], "validation": counts["validation"]}
    turns = data["train"][0][column]
    assert [t["role"] for t in turns] == (["user", "assistant"] if format == "messages" else ["assistant"])
    assert "<answer>" in turns[-1]["content"]
    lines = datasets.load_dataset("json", data_files={"train": str(out / "train.jsonl")}, cache_dir=str(tmp_path / "cache2"))["train"]
    assert lines[0][column] == turns and len(lines) == counts["train"]


def test_the_user_turn_holds_the_code_once(run_dir):
    dataset.run(run_dir, **ALL)
    for row in read_parquet(run_dir / "dataset" / "train.parquet"):
        assert row["messages"][0]["content"].count("def f(x):") == 1
    asked = rationale(1, question=f"Look:\n{CODE.format(n=1)}\nWhat is f(3)?")
    assert question_of(asked) == asked.question


def test_the_card_says_what_is_there(run_dir):
    yaml = pytest.importorskip("yaml")
    counts = dataset.run(run_dir, license="mit", **ALL)
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
    assert "not compared with any benchmark" in body


def test_a_single_program_gives_a_training_set_without_validation(tmp_path):
    datasets = pytest.importorskip("datasets")
    told = [rationale(1, d) for d in ("forward", "backward")]
    run = write_run(tmp_path / "run", told, [verdict(r) for r in told], [])
    counts = dataset.run(run, **ALL)
    assert (counts["train"], counts["validation"]) == (2, 0)
    data = datasets.load_dataset(str(run / "dataset"), cache_dir=str(tmp_path / "cache"))
    assert list(data) == ["train"]


def test_bad_input_is_one_clear_line(run_dir, tmp_path):
    with pytest.raises(InputError, match="format 'csv'"):
        dataset.export(run_dir, tmp_path / "x", format="csv")
    for wrong in ({"near": 2.0}, {"balance": "style"}, {"split_by": "x"}, {"tokenizer": "gpt"}, {"most": 0.5}, {"ngram": 0}, {"benchmarks": "x=nowhere.jsonl"}):
        with pytest.raises(InputError, match=rf"{next(iter(wrong))}|nowhere"):
            dataset.export(run_dir, tmp_path / "x", **wrong)
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
        dataset.run(run, **ALL)
