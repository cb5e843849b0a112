"""Steps with labels, true texts beside false twins, questions about executions: what is in the sets is true of the executions."""
import contextlib
import importlib.util
import io
import json
import re
import sys

import pytest

from verified_code_cot import curriculum, dataset, narration, questions, supervision, tracing, verification
from verified_code_cot.commands import main
from verified_code_cot.records import InputError, Verdict, load, read_parquet, write_jsonl
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import verify

HAS_TRAIN = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "trl", "datasets", "accelerate"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of our own, made as the study makes it, with one rationale that was rejected."""
    folder = tmp_path_factory.mktemp("run")
    curriculum.run(folder, count=8, cases=1)
    tracing.run(folder, workers=0)
    narration.run(folder, styles=("brief", "teacher"), workers=0)
    lines = [json.loads(line) for line in (folder / "data" / "rationales.jsonl").read_text().splitlines()]
    told = lines[0]["rationale"]
    lines[0]["rationale"] = re.sub(r"runs \w+ times", "runs 99 times", told)
    assert lines[0]["rationale"] != told
    write_jsonl(folder / "data" / "rationales.jsonl", lines)
    verification.run(folder, workers=0)
    dataset.run(folder, validation=0.2, balance="")
    return folder


@pytest.fixture(scope="module")
def pairs(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs")
    counts = supervision.export_supervision(run, out, "preference")
    return out, counts, [row for name in ("train", "validation") for row in read_parquet(out / f"{name}.parquet")]


def test_chosen_texts_are_verified_and_rejected_ones_contradicted(pairs):
    _, counts, rows = pairs
    assert len(rows) == counts["train"] + counts["validation"] >= 25 and counts["without_twin"] <= 3
    with Sandbox() as box:
        for row in rows[::4]:
            made = trace(row["code"], row["call"], sandbox=box)
            said = [verify(row[side][0]["content"], made, row["direction"], None, box).verdict for side in ("chosen", "rejected")]
            assert said == ["verified", "contradicted"]


def test_what_the_run_rejected_is_taken_for_its_question(run, pairs):
    rejected = {v.id for v in load(run / "data" / "verdicts.jsonl", Verdict) if v.verdict == "contradicted"}
    real = {row["id"]: row for row in pairs[2] if row["kind"] == "rejected"}
    assert "character_count-easy-0-1-forward-brief" in rejected and real["character_count-easy-0-1-forward-teacher"]["why"]
    assert len(real) <= len(rejected)


def test_steps_are_the_text_and_labels_mark_the_false_ones(run, tmp_path):
    counts = supervision.export_supervision(run, tmp_path, "stepwise")
    rows = [row for name in ("train", "validation") for row in read_parquet(tmp_path / f"{name}.parquet")]
    assert counts["kinds"]["verified"] == sum(row["kind"] == "verified" for row in rows)
    texts = {row["id"]: row["messages"][1]["content"] for _, row in dataset.finished(run / "dataset")}
    for row in rows:
        assert len(row["completions"]) == len(row["labels"]) > 1
        assert all(row["labels"]) is (row["kind"] == "verified")
        if row["kind"] == "verified":
            at = 0
            for step in row["completions"]:
                at = texts[row["id"]].index(step, at) + len(step)
    assert len({row["id"] for row in rows}) == len(rows)


def test_the_splits_are_those_of_the_dataset(run, pairs):
    sides = {row["program"]: split for split, row in dataset.finished(run / "dataset")}
    for name in ("train", "validation"):
        assert {sides[row["program"]] for row in read_parquet(pairs[0] / f"{name}.parquet")} == {name}


def test_equal_exports_are_equal(run, pairs, tmp_path):
    again = supervision.export_supervision(run, tmp_path / "b", "preference", workers=2)
    assert again == pairs[1]
    for name in ("train.jsonl", "manifest.json", "README.md"):
        assert (tmp_path / "b" / name).read_bytes() == (pairs[0] / name).read_bytes()


def settrace_lines(code, call):
    """The lines of a program in the order in which Python itself says that they run."""
    space, seen = {}, []
    exec(compile(code, "<program>", "exec"), space)

    def tracer(frame, event, _):
        if frame.f_code.co_filename != "<program>" or frame.f_code.co_name in ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"):
            return None
        if event == "line":
            seen.append(frame.f_lineno)
        return tracer

    sys.settrace(tracer)
    try:
        eval(call, space)
    finally:
        sys.settrace(None)
    return seen


ORACLE = """def half(n):
    if n % 2:
        n -= 1
    return n // 2


def f(xs):
    total = 0
    for x in xs:
        if x > 2:
            total += half(x)
            continue
        total -= 1
    while total > 3:
        total -= 2
    return total
"""


def test_next_lines_and_counts_are_what_python_says():
    made = trace(ORACLE, "f([5, 1, 8, 3])")
    lines = settrace_lines(ORACLE, "f([5, 1, 8, 3])")
    moments = questions.Moments.of(made)
    assert [event.line for event in moments.events] == lines
    with Sandbox() as box:
        found, _ = questions.questions_of(made, box, per_kind=50, seed=0)
    assert {q.kind for q in found} == set(questions.KINDS)
    places = {}
    for i, line in enumerate(lines):
        places.setdefault(line, []).append(i)
    for q in found:
        time = re.search(r"for the first time|for time number (\d+)", q.question)
        if q.kind == "next line":
            at = places[q.line][int(time.group(1) or 1) - 1]
            assert q.answer == str(lines[at + 1])
        elif q.kind == "branch":
            at = places[q.line][int(time.group(1) or 1) - 1]
            assert q.answer == str(lines[at + 1] == q.line + 1)
        elif q.kind == "iterations":
            assert q.answer == {9: "4", 14: str(len(places[15]))}[q.line]
    assert {q.answer for q in found if q.kind == "variable" and "`total`" in q.question} > {"0", "2"}


def test_questions_of_a_run_have_their_programs_splits(run, tmp_path):
    counts = questions.export_questions(run, tmp_path, per_kind=2)
    sides = {row["program"]: split for split, row in dataset.finished(run / "dataset")}
    rows = {name: read_parquet(tmp_path / f"{name}.parquet") for name in ("train", "validation")}
    assert all(sides[row["program"]] == name for name, part in rows.items() for row in part)
    assert set(counts["kinds"]) == set(questions.KINDS)
    assert all(row["messages"][1]["content"] == f"<answer>{row['answer']}</answer>" for part in rows.values() for row in part)


def test_a_run_without_a_dataset_is_one_clear_line(tmp_path):
    for export in (lambda: supervision.export_supervision(tmp_path, tmp_path / "o", "stepwise"), lambda: questions.export_questions(tmp_path, tmp_path / "o")):
        with pytest.raises(InputError, match="has no dataset"):
            export()


def test_the_command_writes_each(run, tmp_path):
    for format in ("stepwise", "preference", "questions", "alpaca"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert main(["export", str(run), "--out", str(tmp_path / format), "--format", format, "--workers", "0", "--json"]) == 0
        assert json.loads(out.getvalue())["train"] == len(read_parquet(tmp_path / format / "train.parquet"))


@pytest.mark.skipif(not importlib.util.find_spec("datasets"), reason="datasets is not installed")
def test_datasets_reads_the_sets(pairs, run, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    questions.export_questions(run, tmp_path / "q", per_kind=1)
    supervision.export_supervision(run, tmp_path / "s", "stepwise")
    wanted = ((pairs[0], {"prompt", "chosen", "rejected"}), (tmp_path / "q", {"messages"}), (tmp_path / "s", {"prompt", "completions", "labels"}))
    for folder, columns in wanted:
        data = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
        assert columns <= set(data["train"].column_names) and len(data["train"]) > 0


@pytest.mark.skipif(not HAS_TRAIN, reason="the extra [train] is not installed")
def test_trl_trains_two_steps_on_the_dataset_and_on_the_pairs(pairs, run, tmp_path):
    import datasets
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from tokenizers import Tokenizer, models, pre_tokenizers
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    tokenizer = Tokenizer(models.BPE(vocab={chr(i): i for i in range(256)} | {"<pad>": 256, "<eos>": 257}, merges=[], unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = "{% for m in messages %}{{ m['content'] }}{{ eos_token }}{% endfor %}"
    shape = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 8192}
    common = {"max_steps": 2, "per_device_train_batch_size": 1, "report_to": [], "save_strategy": "no", "use_cpu": True, "bf16": False, "max_length": 8192}
    for name, source, Trainer, Config in (("sft", run / "dataset", SFTTrainer, SFTConfig), ("dpo", pairs[0], DPOTrainer, DPOConfig)):
        data = datasets.load_dataset(str(source), cache_dir=str(tmp_path / name))["train"]
        data = data.select(sorted(range(len(data)), key=lambda i, data=data: len(json.dumps(data[i])))[:4])
        LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(tmp_path / "model")
        config = Config(output_dir=str(tmp_path / f"{name}-out"), **common)
        trainer = Trainer(model=str(tmp_path / "model"), args=config, train_dataset=data, processing_class=fast)
        assert trainer.train().global_step == 2
