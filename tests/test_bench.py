"""The bench: equal information on both sides, every key with its sizes, one clear line when it cannot be done."""
import json
import subprocess
import sys

import pytest

from verified_code_cot import bench, recorder
from verified_code_cot.curriculum import programs
from verified_code_cot.records import InputError

LOOP = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total"
KEYS = {"trace_speedup_vs_pysnooper", "trace_over_settrace_floor", "sandboxed_traces_per_s", "sandboxed_speedup_vs_fresh_interpreter",
        "verified_rationales_per_s", "scaling_exponent"}


def test_only_cases_with_equal_information_take_part():
    pytest.importorskip("pysnooper")
    opaque = "class Box:\n    pass\n\ndef f(n):\n    box = Box()\n    return n"
    kept = bench.comparable([(LOOP, "f([1, 2])"), (opaque, "f(1)"), (LOOP, "f(3)")])
    assert [call for _, call, _ in kept] == ["f([1, 2])", "f(3)"], "a call that raises is a case as well"


def test_a_recorder_that_misses_a_change_takes_no_part(monkeypatch):
    pytest.importorskip("pysnooper")
    whole = bench.under_recorder

    def forgetful(state, call):
        seconds, events = whole(state, call)
        return seconds, [{**event, "changed": {}} for event in events]

    monkeypatch.setattr(bench, "under_recorder", forgetful)
    assert bench.comparable([(LOOP, "f([1, 2])")]) == []


def test_the_recorder_without_its_digest_records_the_same():
    state = recorder.prepare({"code": LOOP}, {})
    whole = recorder.run(state, {"op": "trace", "call": "f([4, 5])"}, {}, None)
    assert bench.under_recorder(state, "f([4, 5])")[1] == whole["events"] and "digest" in whole


def test_the_slope_finds_the_exponent():
    assert bench.slope([1, 10, 100], [3, 30, 300]) == pytest.approx(1)
    assert bench.slope([100, 200, 400], [1, 4, 16]) == pytest.approx(2)


def test_the_chain_counts_what_it_verified():
    verified, told, spent = bench.chain(programs(0, 3))
    assert sorted(spent) == ["narration", "tracing", "verification"] and min(spent.values()) > 0
    assert 0 < verified <= told == 18


def test_the_command_prints_every_key_with_its_sizes():
    pytest.importorskip("pysnooper")
    command = "import sys; from verified_code_cot.commands import main; sys.exit(main(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", command, "bench", "--json", "--cases", "20", "--fresh", "2", "--sizes", "6", "18"],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert set(found) >= KEYS
    assert all(one["sizes"] and (one["value"] > 0 or name.startswith("scaling_exponent")) for name, one in found.items())
    assert found["trace_speedup_vs_pysnooper"]["value"] > 1.5, "far below what is measured on an idle machine"
    assert found["sandboxed_speedup_vs_fresh_interpreter"]["value"] > 3


def test_what_cannot_be_measured_is_told_in_one_line(monkeypatch):
    with pytest.raises(InputError, match="two different sizes"):
        bench.bench(sizes=(100,))
    monkeypatch.setitem(sys.modules, "pysnooper", None)
    with pytest.raises(InputError, match=r"verified-code-cot\[bench\]"):
        bench.bench(cases=2)
