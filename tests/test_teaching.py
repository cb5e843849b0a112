"""A study that begins at seed documents, from the command line: with a model that talks sense, with one that talks nonsense, with bad input."""
import json
import re

import pytest
from fake_teacher import FakeTeacher

from verified_code_cot import commands
from verified_code_cot.engine import read_manifest


def called(*arguments):
    return commands.main([str(a) for a in arguments])


@pytest.mark.parametrize(("arguments", "words"), [
    (["--teacher", "openai"], "name of a model"), (["--teacher", "openai", "--model", "m", "--base-url", "localhost"], "not the base URL"),
    (["--seeds", "no/such/folder"], "no such file or folder"), (["--model", "m"], "--model is for --teacher or --narrator openai or recorded"),
    (["--teacher", "recorded", "--recorded", "no_such.jsonl"], "no_such.jsonl"), (["--seeds", ".", "--programs", "x.jsonl"], "do not go together")])
def test_what_does_not_go_together_is_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert called("study", "--out", tmp_path / "run", *arguments) != 0
    said = capsys.readouterr().err.strip()
    assert words in said.splitlines()[-1] and "Traceback" not in said


def test_a_wrong_key_ends_the_study_with_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with FakeTeacher(key="right") as server:
        assert called("study", "--out", tmp_path / "run", "--teacher", "openai", "--model", "m", "--base-url", server.url, "--workers", 1) != 0
        assert len(server.bodies) == 1
    assert "refuses the key" in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_model_that_talks_nonsense_verifies_nothing_and_fails_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with FakeTeacher(lambda body: "vel ipsum ⟂ 0x1f " * 20) as server:
        assert called("study", "--out", tmp_path / "run", "--teacher", "openai", "--model", "m", "--base-url", server.url, "--workers", 1) == 0
    out, err = capsys.readouterr()
    assert out.startswith("The report is ") and (tmp_path / "run" / "report.html").is_file()
    assert "verification: nothing to do, since no program came of what the teacher wrote" in err
    manifest = read_manifest(tmp_path / "run")
    assert manifest["counts"]["agreement"]["programs"] == 0 and manifest["teacher"]["stages"]["concepts"]["malformed"] == 77
    assert manifest["teacher"]["tokens"] == 2 * 15 * 77


def told(question):
    "A true rationale of a call of `double`, forward or backward."
    call, n = re.search(r"`(double\((-?\d+)\))`", question).groups()
    twice = 2 * int(n)
    if "Which input would do?" in question:
        return f"The result has to be `{twice}`. With `x` as `{n}`, the call `{call}` returns `{twice}`.\n\n<answer>{call}</answer>"
    return f"In this call `x` is `{n}`. So `{call}` returns `{twice}`.\n\n<answer>{twice}</answer>"


def sensible(body):
    question = body["messages"][0]["content"]
    if "The record of the execution" in question or "with the record of its execution" in question:
        return told(question)
    if "Which programming ideas" in question:
        passage = re.search(r"Twice a number[^.]*\.", question)[0]
        return json.dumps({"concepts": [{"name": "Doubling", "description": "Twice a number.", "examples": [passage]}]})
    if "Set a programming exercise" in question:
        return json.dumps({"title": "Double", "instruction": "Give twice x.", "signature": "def double(x: int) -> int:"})
    if "solutions" in question:
        codes = ["def double(x):\n    return x * 2", "def double(x):\n    y = x + x\n    return y", "def double(x):\n    return x ** 2"]
        return json.dumps({"programs": [{"approach": "a", "code": code} for code in codes]})
    return json.dumps({"tests": [f"assert double({n}) == {2 * n}" for n in (3, 0, 7, -4)]})


def test_an_estimate_pilots_a_few_and_forecasts_the_rest(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    (tmp_path / "notes.md").write_text("# Doubling\n\n" + "Twice a number is the number added to itself. " * 4)
    with FakeTeacher(sensible) as server:
        options = ["--seeds", tmp_path / "notes.md", "--teacher", "openai", "--model", "m", "--base-url", server.url, "--workers", 1, "--json"]
        assert called("study", "--out", tmp_path / "run", *options, "--estimate", 2, "--total", 200) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert found["instructions"] == 200 and found["requests"] == 100 * len(server.bodies) and found["hours"] > 0
    assert found["records"] == 400, "one of two instructions gives a program, with two cases, each told forward and backward"
    assert (tmp_path / "run" / ".answers.sqlite").exists(), "what the pilot was told need not be asked again"
