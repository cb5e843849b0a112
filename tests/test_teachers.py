"""Asking servers that behave badly: nothing is lost, nothing that was answered is asked twice, and the counts are true."""
import asyncio
import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fake_teacher import FakeTeacher, completion

from verified_code_cot.messages import ask, data_in, json_values
from verified_code_cot.records import InputError
from verified_code_cot.teachers import Settings, Teacher, read_recording

STATUSES = ("answered", "refused", "truncated", "malformed", "empty", "failed", "budget", "missing")
FORM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def settings_for(*servers, **options):
    given = {"model": "m", "base_urls": tuple(s.url for s in servers), "api_key": "k", "retries": 2, "timeout_s": 5.0, "pause_s": 0.01}
    return Settings(**{**given, **options})


def asked(settings, questions):
    "The replies and the counts of one stage; the counts must add up."
    with Teacher(settings) as teacher:
        replies = teacher.ask("stage", questions)
        counts = teacher.counts().get("stage", {})
    assert [r.id for r in replies] == [q.id for q in questions]
    assert sum(counts.get(status, 0) for status in STATUSES) == counts.get("asked", 0) == len(questions)
    assert counts.get("requests", 0) == sum(r.requests for r in replies)
    return replies, counts


FAULTS = ["429", "500", "503", "drop", "half", "html", "broken-json", "broken-stream", "list"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_a_request_and_nothing_else(fault):
    with FakeTeacher() as server:
        (reply,), counts = asked(settings_for(server), [ask("1", f"fault:{fault}")])
        assert reply.status == "answered" and reply.text == f"answer to fault:{fault}"
        assert counts["requests"] == server.asked[f"fault:{fault}"] == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_one_failed_question_and_the_others_are_answered(fault):
    questions = [ask("before", "one"), ask("bad", f"fault:{fault}*99"), ask("after", "two")]
    with FakeTeacher() as server:
        replies, counts = asked(settings_for(server, retries=1, in_flight=1), questions)
        assert [r.status for r in replies] == ["answered", "failed", "answered"]
        assert replies[1].error and "\n" not in replies[1].error
        assert counts["requests"] == sum(server.asked.values())


def test_a_request_that_is_refused_for_itself_is_not_repeated():
    with FakeTeacher() as server:
        replies, _ = asked(settings_for(server, in_flight=1), [ask("0", "x"), ask("1", "fault:400*9")])
        assert replies[1].status == "failed" and "too long" in replies[1].error and server.asked["fault:400*9"] == 1


def test_a_server_that_never_answers_in_time_fails_the_question():
    with FakeTeacher() as server:
        replies, _ = asked(settings_for(server, timeout_s=0.2, retries=0, in_flight=1), [ask("0", "x"), ask("1", "fault:slow*9")])
        assert [r.status for r in replies] == ["answered", "failed"] and "imed out" in replies[1].error


def test_a_stream_that_nobody_asked_for_is_put_together():
    with FakeTeacher() as server:
        (reply,), _ = asked(settings_for(server), [ask("1", "fault:stream")])
        assert (reply.status, reply.text, reply.guessed_tokens) == ("answered", "in pieces", True)


def test_everything_at_once_loses_nothing_and_asks_nothing_twice(tmp_path):
    questions = [ask(f"{n}", f"question {n}" + (f" fault:{FAULTS[n % 9]}" if n % 3 == 0 else "")) for n in range(120)]
    with FakeTeacher(slow_s=0.01) as server:
        settings = settings_for(server, cache=tmp_path / "a.sqlite", in_flight=16)
        replies, counts = asked(settings, questions)
        assert {r.status for r in replies} == {"answered"}
        assert all(r.text == f"answer to {q.messages[0].content}" for r, q in zip(replies, questions, strict=True))
        made = sum(server.asked.values())
        assert counts["requests"] == made
        again, counts = asked(settings, questions)
        assert sum(server.asked.values()) == made and counts["cached"] == 120 and "requests" not in counts
    replayed, counts = asked(replace(settings, kind="recorded"), questions)
    assert [r.text for r in replayed] == [r.text for r in replies] and counts["cached"] == 120


def test_a_run_that_is_stopped_goes_on_where_it_was(tmp_path):
    stop_at = 30

    def answer(body):
        if len(server.bodies) == stop_at:
            raise KeyboardInterrupt
        return "yes"

    questions = [ask(f"{n}", f"question {n}") for n in range(60)]
    with FakeTeacher() as server:
        settings = settings_for(server, cache=tmp_path / "a.sqlite", in_flight=1)
        with Teacher(settings) as teacher, pytest.raises(KeyboardInterrupt):
            teacher._answer = stopping(teacher._answer, stop_at)
            teacher.ask("stage", questions)
        assert len(server.bodies) == stop_at
        replies, counts = asked(settings, questions)
        assert len(server.bodies) == 60 and counts["cached"] == stop_at and {r.status for r in replies} == {"answered"}
        assert set(server.asked.values()) == {1}


def stopping(answer, after):
    done = []

    async def one(*arguments):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(1)
        return await answer(*arguments)

    return one


def test_two_equal_questions_at_the_same_time_are_asked_once():
    with FakeTeacher(slow_s=0.05) as server:
        replies, counts = asked(settings_for(server), [ask("a", "same"), ask("b", "same"), ask("c", "same", sample=1)])
        assert [r.status for r in replies] == ["answered"] * 3 and len(server.bodies) == 2 and counts["cached"] == 1


@pytest.mark.parametrize(("said", "status"), [
    ("", "empty"), (completion(None, refusal="I cannot"), "refused"), (completion("…", "content_filter"), "refused"),
    (completion("half a", "length"), "truncated"),
    ({"choices": []}, "empty"), ({"choices": [{"message": "?"}]}, "empty"),
])
def test_what_is_no_answer_has_its_own_name(said, status):
    with FakeTeacher(lambda body: said) as server:
        (reply,), _ = asked(settings_for(server), [ask("1", "x")])
        assert reply.status == status and reply.error


def test_a_malformed_answer_gets_one_correction():
    def answer(body):
        return '{"n": 3}' if len(body["messages"]) > 1 else "it is three"

    with FakeTeacher(answer) as server:
        (reply,), counts = asked(settings_for(server), [ask("1", "how many?", form=FORM)])
        assert (reply.status, reply.value, reply.requests) == ("answered", {"n": 3}, 2) and counts["prompt_tokens"] == 20
        assert server.bodies[1]["messages"][1] == {"role": "assistant", "content": "it is three"}
    with FakeTeacher(lambda body: "it is three") as server:
        (reply,), counts = asked(settings_for(server), [ask("1", "how many?", form=FORM)])
        assert (reply.status, reply.value, len(server.bodies)) == ("malformed", None, 2) and counts["malformed"] == 1


@pytest.mark.parametrize("name", ["response_format", "max_tokens", "temperature", "seed"])
def test_a_parameter_that_the_server_does_not_take_is_left_out(name, tmp_path):
    questions = [ask(f"{n}", f"q{n}", form=FORM) for n in range(5)]
    with FakeTeacher(lambda body: '{"n": 1}', forbidden=(name,)) as server:
        settings = settings_for(server, in_flight=1, cache=tmp_path / "a.sqlite")
        replies, counts = asked(settings, questions)
        if name == "max_tokens":  # a complaint without its other name: nothing can be left out
            assert {r.status for r in replies} == {"failed"}
            return
        assert {r.status for r in replies} == {"answered"} and counts["requests"] == 6
    replies, counts = asked(replace(settings, kind="recorded"), questions)
    assert counts["answered"] == 5, "the replay does not depend on what the server could do"


def test_thinking_is_kept_apart():
    with FakeTeacher(lambda body: completion("four", reasoning_content="2 and 2")) as server:
        (reply,), _ = asked(settings_for(server), [ask("1", "2 + 2?")])
        assert (reply.text, reply.reasoning) == ("four", "2 and 2")


@pytest.mark.parametrize(("options", "words"), [
    ({"api_key": "wrong"}, "refuses the key"), ({"model": "nobody"}, "does not know the model 'nobody'")])
def test_a_wrong_key_or_model_ends_the_run_at_once_with_one_line(options, words):
    with FakeTeacher(key="k", models=("m",)) as server, Teacher(settings_for(server, **options)) as teacher:
        with pytest.raises(InputError, match=words) as error:
            teacher.ask("stage", [ask(f"{n}", f"q{n}") for n in range(5000)])
        assert "\n" not in str(error.value) and len(server.bodies) == 1


def test_a_server_that_is_not_there_ends_the_run_with_one_line():
    settings = Settings(model="m", base_urls=("http://127.0.0.1:9/v1",), retries=0)
    with Teacher(settings) as teacher, pytest.raises(InputError, match="no answer from http://127.0.0.1:9/v1"):
        teacher.ask("stage", [ask("1", "x")])


def test_several_servers_share_the_work_and_one_may_be_down():
    questions = [ask(f"{n}", f"q{n}") for n in range(60)]
    with FakeTeacher(slow_s=0.02) as one, FakeTeacher(slow_s=0.02) as two:
        replies, _ = asked(settings_for(one, two, in_flight=8), questions)
        assert {r.status for r in replies} == {"answered"} and min(len(one.bodies), len(two.bodies)) >= 20, (len(one.bodies), len(two.bodies))
        settings = settings_for(one, base_urls=("http://127.0.0.1:9/v1", one.url), retries=0, in_flight=8)
        replies, _ = asked(settings, [q.model_copy(update={"sample": 1}) for q in questions])
        assert {r.status for r in replies} == {"answered"}


def test_a_budget_stops_cleanly_and_the_run_goes_on_with_more(tmp_path):
    questions = [ask(f"{n}", f"q{n}") for n in range(50)]
    with FakeTeacher(slow_s=0.005) as server:
        settings = settings_for(server, cache=tmp_path / "a.sqlite", in_flight=4, budget=300)
        replies, counts = asked(settings, questions)
        assert 15 <= counts["answered"] <= 20 and counts["prompt_tokens"] + counts["completion_tokens"] <= 300
        assert {r.status for r in replies} == {"answered", "budget"}
        first = len(server.bodies)
        _, counts = asked(replace(settings, budget=None), questions)
        assert counts["answered"] == 50 and counts["cached"] == first and len(server.bodies) == 50
        _, counts = asked(settings_for(server, budget=0), questions)
        assert counts["budget"] == 50


def test_many_questions_are_kept_in_flight():
    with FakeTeacher(slow_s=1.0) as server:  # how busy 512 are kept over 10,000 answers is measured by tests/measure_teachers.py
        asked(settings_for(server, in_flight=64, timeout_s=60.0), [ask(f"{n}", f"q{n}") for n in range(129)])
        assert server.most == 64 and server.busy / (server.last - server.first) > 0.3 * 64


def test_asking_works_where_an_event_loop_runs_already():
    async def inside(url):
        with Teacher(Settings(model="m", base_urls=(url,))) as teacher:
            return teacher.ask("stage", [ask("1", "x")])

    with FakeTeacher() as server:
        assert asyncio.run(inside(server.url))[0].text == "answer to x"


def test_recorded_answers_are_found_by_id_and_by_request(tmp_path):
    path = tmp_path / "answers.jsonl"
    request = {"model": "other", "messages": [{"role": "user", "content": "two"}]}
    rows = [{"id": "a", "response": "by id"}, {"request": request, "response": completion("by request")}, {"id": "c", "rationale": "ready"},
            {"id": "d", "response": {"n": 3}}]
    path.write_text("\n".join(map(json.dumps, rows)))
    questions = [ask("a", "one"), ask("b", "two"), ask("c", "three"), ask("d", "four", form=FORM), ask("e", "five")]
    replies, counts = asked(Settings(kind="recorded", recorded=path), questions)
    assert [r.text for r in replies[:3]] == ["by id", "by request", "ready"] and replies[3].value == {"n": 3}
    assert counts == {"asked": 5, "answered": 4, "cached": 4, "missing": 1}


@pytest.mark.parametrize(("text", "words"), [
    ("", "empty file"), ('{"id": "a"}', ":1: neither a `response`"), ('{"response": "x"}', ":1: neither an `id`"),
    ('{"id": "a", "response": "x"}\nnonsense', ":2: not JSON")])
def test_a_bad_recording_is_one_line(tmp_path, text, words):
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(InputError, match=words):
        read_recording(tmp_path / "r.jsonl")


@pytest.mark.parametrize(("settings", "words"), [
    (Settings(kind="psychic"), "no teacher 'psychic'"), (Settings(kind="recorded"), "needs a file"), (Settings(base_urls=("http://a/v1",)), "name of a model"),
    (Settings(model="m", base_urls=("a",)), "not the base URL"), (Settings(model="m", base_urls=("http://a/v1",), in_flight=0), "at least 1")])
def test_settings_that_cannot_work_are_one_line(settings, words):
    with pytest.raises(InputError, match=words):
        Teacher(settings)


def test_without_a_server_or_a_key_there_is_one_line(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(InputError, match="set OPENAI_BASE_URL"):
        Teacher(Settings(model="m"))
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1, http://127.0.0.1:10/v1")
    Teacher(Settings(model="m")).store.close()


def test_one_process_owns_the_store(tmp_path):
    with Teacher(Settings(model="m", base_urls=("http://a/v1",), cache=tmp_path / "a.sqlite")):
        code = f"from verified_code_cot.store import Store\nStore({str(tmp_path / 'a.sqlite')!r})"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
        assert "another process keeps its answers there" in run.stderr


def test_half_characters_in_an_answer_do_no_harm(tmp_path):
    with FakeTeacher(lambda body: "a \ud800 b") as server:
        (reply,), _ = asked(settings_for(server, cache=tmp_path / "a.sqlite"), [ask("1", "q", form=FORM)])
        assert reply.status == "malformed" and reply.text == "a ? b"


@pytest.mark.parametrize(("text", "value"), [
    ('{"n": 1}', {"n": 1}), ('```json\n{"n": 1}\n```', {"n": 1}), ('x {y} {"n": 1} z', {"n": 1}), ('{"n": 1,}', {"n": 1}),
    ('[{"n": 1}]', None), ('{"n": "1"}', None), ('{"n": 1', None), ("[" * 100000, None), ("{" * 5000 + '{"n": 1}', None)])
def test_data_is_found_in_a_text_or_not(text, value):
    assert data_in(text, FORM)[0] == value


def test_of_several_values_the_first_that_fits_is_taken():
    assert data_in('{"m": 1} {"n": 2} {"n": 3}', FORM)[0] == {"n": 2}
    assert json_values('{"a": "line\nbreak"}') == [{"a": "line\nbreak"}]


def test_a_cache_of_an_older_version_or_cut_in_half_is_refused_by_name_and_left_alone(tmp_path):
    path = tmp_path / "a.sqlite"
    with FakeTeacher() as server:
        settings = settings_for(server, cache=path)
        asked(settings, [ask(str(n), f"question {n} " + "x" * 500) for n in range(60)])
        whole = path.read_bytes()
        other = sqlite3.connect(path)
        other.execute("PRAGMA user_version=0")
        other.close()
        older, half, head, text = path.read_bytes(), whole[: len(whole) // 2], b"SQLite format 3" + bytes(85), b"hello\n" * 300
        for content, words in ((older, "version 0"), (half, "a.sqlite: not a store"), (head, "a.sqlite"), (text, "a.sqlite: not a store")):
            path.write_bytes(content)
            for rest in tmp_path.glob("a.sqlite-*"):
                rest.unlink()
            with pytest.raises(InputError, match=words) as error:
                Teacher(settings)
            assert "\n" not in str(error.value) and path.read_bytes() == content
        path.write_bytes(whole)
        _, counts = asked(settings, [ask("7", "question 7 " + "x" * 500)])
        assert counts["cached"] == 1, "nothing that was kept is lost by a refusal"
