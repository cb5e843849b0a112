"""Records: what is accepted, what is refused and how it is told, and that files are whole or not there."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_code_cot.records import (
    Answer,
    Case,
    Claim,
    Coverage,
    Event,
    InputError,
    Program,
    Rationale,
    RecordError,
    Trace,
    Verdict,
    atomic,
    canonical_json,
    check_program,
    defined_names,
    digest,
    entry_point_of,
    load,
    parse_line,
    read_jsonl,
    read_parquet,
    read_programs,
    write_jsonl,
    write_parquet,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
EVENTS = st.builds(
    Event, step=st.integers(0, 99), kind=st.sampled_from(["call", "line", "return", "exception"]), function=TEXT, depth=st.integers(0, 9),
    frame=st.integers(0, 9), line=st.integers(1, 99), changed=st.dictionaries(TEXT, TEXT, max_size=3), value=st.none() | TEXT,
    exception=st.none() | TEXT, outcome=st.none() | st.booleans(), yielded=st.none() | st.just(True),
)
STATUSES = st.sampled_from(["ok", "exception", "timeout"])
TRACES = st.builds(Trace, code=TEXT, call=TEXT, output=st.none() | TEXT, stdout=TEXT, status=STATUSES, events=st.lists(EVENTS, max_size=4))


@given(TRACES)
def test_a_trace_survives_json(trace):
    line = trace.to_json()
    assert "\n" not in line
    assert Trace.model_validate(json.loads(line)) == trace
    assert canonical_json(json.loads(line)) == line, "reading and writing again changes nothing"


@given(st.lists(TRACES, max_size=4))
def test_files_and_digests(tmp_path_factory, traces):
    path = tmp_path_factory.mktemp("files") / "traces.jsonl"
    assert write_jsonl(path, traces) == len(traces)
    assert load(path, Trace) == traces
    assert digest(traces) == digest(json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1])


def test_line_separators_inside_texts_do_not_split_records(tmp_path):
    case = Case(call="f('\u2028\u0085\x0c')")
    write_jsonl(tmp_path / "cases.jsonl", [case, case])
    assert load(tmp_path / "cases.jsonl", Case) == [case, case]


def test_an_event_has_only_the_fields_that_it_has():
    event = Event(step=0, kind="line", function="f", depth=0, frame=0, line=2)
    assert event.to_dict() == {"step": 0, "kind": "line", "function": "f", "depth": 0, "frame": 0, "line": 2, "changed": {}}
    assert Event(**{**event.to_dict(), "outcome": False}).to_dict()["outcome"] is False, "false is not absent"


def test_a_verdict_is_the_contract():
    verdict = Verdict(id="a1", verdict="contradicted", score=0.12, reason_code="false_claim", reason="…", answer=Answer(text="[1, 3]", correct=True),
                      claims=[Claim(start=1, end=2, text="x", kind="state")], coverage=Coverage(segments=9))
    assert set(verdict.to_dict()) == {"id", "verdict", "score", "reason_code", "reason", "answer", "claims", "coverage"}
    assert set(verdict.to_dict()["claims"][0]) == {"start", "end", "text", "kind", "verdict", "claimed", "observed", "call", "step", "line", "why"}
    assert set(verdict.to_dict()["coverage"]) == {"segments", "concrete", "supported", "contradicted", "unverifiable"}


@pytest.mark.parametrize(("line", "field", "message"), [
    (b'{"call": 3}', "call", "string"),
    (b'{"call": "f()", "output": true}', "output", "string"),
    (b'{"call": "f()", "outptu": "3"}', "outptu", "no such field"),
    (b"{}", "call", "missing"),
    (b'{"call": "f()"', None, "not JSON"),
    (b"\xfe{}", None, "UTF-8"),
    (b"   \n", None, "empty line"),
    (b"null", None, "not a JSON object"),
    (b'{"call": ' + b"1" * 5000 + b"}", None, "not JSON"),
    (b"[" * 200_000, None, "nested too deeply"),
    (rb'{"call": "\ud800"}', None, "half a character"),
])
def test_a_wrong_line_is_told_in_one_line(line, field, message):
    error = parse_line(line, Case, "cases.jsonl", 7)
    assert isinstance(error, RecordError)
    assert (error.file, error.line, error.field) == ("cases.jsonl", 7, field)
    assert message in error.message
    assert str(error).startswith("cases.jsonl:7: ")
    assert "\n" not in str(error)


def test_a_wrong_record_keeps_its_own_id():
    assert parse_line(b'{"id": "a1", "code": 1}', Rationale, "in.jsonl", 3).id == "a1"
    assert parse_line(b'{"id": 12, "code": 1}', Rationale, "in.jsonl", 3).id == "12"
    assert parse_line(b'{"id": ["a"], "code": 1}', Rationale, "in.jsonl", 3).id is None


def test_foreign_keys_are_let_through_only_when_asked():
    line = b'{"call": "f()", "note": "mine"}'
    assert isinstance(parse_line(line, Case, "f", 1), RecordError)
    assert parse_line(line, Case, "f", 1, extra="ignore") == Case(call="f()")


def test_no_line_is_lost(tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b'{"call": "a()"}\n{\n\n{"call": "b()"}')
    found = list(read_jsonl(path, Case))
    assert [number for number, _ in found] == [1, 2, 3, 4]
    assert [isinstance(record, Case) for _, record in found] == [True, False, False, True]
    with pytest.raises(InputError, match=r"mixed\.jsonl:2: not JSON"):
        load(path, Case)


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p.mkdir() or p])
def test_a_file_that_cannot_be_read(tmp_path, make):
    path = make(tmp_path / "there")
    for reader in (lambda: load(path, Case), lambda: list(read_programs(path)), lambda: read_parquet(path)):
        with pytest.raises(InputError, match="there"):
            reader()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.jsonl"
    write_jsonl(path, [{"a": 1}])
    with pytest.raises(ValueError), atomic(path) as temporary:
        temporary.write_text("half")
        raise ValueError
    assert path.read_text() == '{"a":1}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


def test_nan_is_refused_rather_than_written():
    with pytest.raises(ValueError):
        canonical_json({"score": float("nan")})


def test_digests_do_not_depend_on_the_hash_seed():
    code = "from verified_code_cot.records import digest, Case; print(digest([Case(call='f()'), {'b': 1, 'a': {'d': 2, 'c': 3}}]))"
    run = [subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
           for seed in "01"]
    assert run[0] == run[1]


def test_parquet(tmp_path):
    rows = [{"id": "a", "claims": [{"start": 1}]}, {"id": "b", "claims": []}]
    assert write_parquet(tmp_path / "rows.parquet", rows) == 2
    assert read_parquet(tmp_path / "rows.parquet") == rows
    (tmp_path / "rows.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match=r"rows\.parquet"):
        read_parquet(tmp_path / "rows.parquet")


@pytest.mark.parametrize(("call", "name"), [
    ("f(3)", "f"), (" f( [1,\n2] ) ", "f"), ("Stack().push(1).pop()", "Stack"), ("Grid(2).rows[0]", "Grid"), ("m.f(2)", "m"),
])
def test_entry_points(call, name):
    assert entry_point_of(call) == name


@pytest.mark.parametrize("call", ["", "f", "f.x", "f(", "3 + f(2)", "f(1); f(2)", "(lambda: 3)()", "[f(1)]", "f(1)\x00"])
def test_what_is_no_call(call):
    with pytest.raises(ValueError):
        entry_point_of(call)


def test_names_of_a_program():
    code = "import math as m\nfrom os.path import join\nif True:\n    def late(): pass\nclass C: pass\na = b, c = (1, 2)\nasync def g(): pass"
    assert {"m", "join", "late", "C", "a", "b", "c", "g"} <= defined_names(code)
    with pytest.raises(ValueError, match="line 2"):
        defined_names("x = 1\ndef f(:")


def test_programs_of_all_three_shapes_and_their_mistakes(tmp_path):
    code = "def f(x):\n    return x"
    lines = [
        {"id": "a", "code": code, "call": "f(1)"},
        {"id": "b", "code": code, "input": "1, ", "output": "1"},
        {"id": "c", "code": code, "entry_point": "f", "cases": [{"call": "f(1)"}, {"call": "f(2)", "output": "2"}]},
        {"id": "d", "code": code, "call": "g(1)"},
        {"id": "e", "code": "def f(x:", "call": "f(1)"},
        {"id": "f", "code": code},
        {"id": "g", "code": code, "entry_point": "f", "cases": []},
        {"id": "h", "code": code, "entry_point": "f", "cases": [{"call": "f(1)"}, {"call": "f("}]},
        {"id": "a", "code": code, "call": "f(2)"},
        {"id": "j", "code": code, "call": "f(2)", "colour": "red"},
        {"id": "k", "code": code, "input": "", "output": "1"},
    ]
    write_jsonl(tmp_path / "p.jsonl", lines)
    found = [record for _, record in read_programs(tmp_path / "p.jsonl")]
    good = [record.id for record in found if isinstance(record, Program)]
    assert good == ["a", "b", "c", "j", "k"]
    assert found[1].cases == [Case(call="f(1, )", output="1")]
    assert [record.field for record in found if isinstance(record, RecordError)] == ["entry_point", "code", "call", "cases", "cases[1].call", "id"]
    assert all(check_program(record) is None for record in found if isinstance(record, Program))


def test_cruxeval_is_read_whole():
    path = Path(__file__).parents[2] / "shared" / "data" / "cruxeval.jsonl"
    if not path.exists():
        pytest.skip("the shared data is not here")
    records = [record for _, record in read_programs(path)]
    assert len(records) == 800 and all(isinstance(record, Program) for record in records)
