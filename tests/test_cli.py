"""The command line: contracts, exit statuses, one line for each mistake, nothing lost and nothing half-written."""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verified_code_cot.commands import Told, main
from verified_code_cot.records import Verdict

TESTS = Path(__file__).parent
CODE = "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n"
GOOD = {"id": "a1", "code": CODE, "call": "f([3, 1])", "output": "4", "direction": "forward",
        "rationale": "The loop first adds 3, so `total` becomes 3. Then it adds 1 and `total` becomes 4. The function returns 4.", "answer": "4"}
COMMAND = [sys.executable, "-c", "import sys; from verified_code_cot.commands import main; sys.exit(main())"]


def cli(*arguments, cwd=None, **more):
    environment = {**os.environ, "PYTHONPATH": str(TESTS), **more}
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


def one_line(run, status):
    """What a command said when it went wrong: one line and no traceback."""
    assert run.returncode == status, run
    assert run.stdout == "" and "Traceback" not in run.stderr and run.stderr.count("\n") == 1, run
    return run.stderr.rstrip("\n")


# verify

def by_length(record, sandbox):
    """A method for these tests: needs no execution, and fails on demand."""
    if record["rationale"] == "fail":
        raise RuntimeError("asked to\nfail")
    if record["rationale"] == "nonsense":
        return {"id": record["id"], "verdict": "perhaps"}
    return Verdict(id=record["id"], verdict="verified", score=len(record["rationale"]) / 1000, reason_code="verified", reason="by length").to_dict()


def write(path, lines):
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return path


def test_one_line_out_for_each_line_in(tmp_path):
    lines = [GOOD, b"{", b"", {**GOOD, "id": 7, "note": "mine"}, {"id": "a4", "code": CODE}, b"\xff\xfe", {**GOOD, "id": "a6", "rationale": "fail"},
             {**GOOD, "id": "a7", "rationale": "nonsense"}, [1, 2], {k: v for k, v in GOOD.items() if k != "id"}, {**GOOD, "direction": "sideways"}]
    write(tmp_path / "in.jsonl", lines)
    run = cli("verify", "in.jsonl", "--out", "out.jsonl", "--method", "test_cli:by_length", "--json", cwd=tmp_path)
    assert run.returncode == 3, run.stderr
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [v["id"] for v in found] == ["a1", "2", "3", "7", "a4", "6", "a6", "a7", "9", "10", "a1"]
    codes = ["verified", "unparsable_line", "unparsable_line", "verified", "bad_record", "unparsable_line", "internal", "internal", "unparsable_line",
             "verified", "bad_record"]
    assert [v["reason_code"] for v in found] == codes
    assert "in.jsonl:5: call: this field is missing" in found[4]["reason"] and "in.jsonl:11: direction: " in found[10]["reason"]
    assert "asked to fail" in found[6]["reason"]
    counts = {"read": 11, "verified": 3, "contradicted": 0, "unsupported": 0, "error": 8}
    assert json.loads(run.stdout) == {"out": "out.jsonl", "method": "test_cli:by_length", **counts}
    assert [line.split(":")[1] for line in run.stderr.splitlines()] == ["2", "3", "5", "6", "9", "11"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"], "no leftovers"
    assert all(set(v) == {"id", "verdict", "score", "reason_code", "reason", "answer", "claims", "coverage"} for v in found)


@pytest.mark.parametrize("method", ["claims", "sliding-window", "output-only"])
def test_the_methods_judge_a_good_and_a_bad_record(tmp_path, method):
    bad = {**GOOD, "id": "b1", "rationale": GOOD["rationale"].replace("4", "5"), "answer": "5"}
    broken = {**GOOD, "id": "b2", "code": "def f(:"}
    write(tmp_path / "in.jsonl", [GOOD, bad, broken])
    run = cli("verify", tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl", "--method", method, "--workers", "1")
    good, wrong, error = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (good["id"], good["verdict"], good["answer"]) == ("a1", "verified", {"text": "4", "correct": True})
    assert (wrong["id"], wrong["verdict"]) == ("b1", "contradicted") and wrong["answer"]["correct"] is False
    assert (error["id"], error["verdict"]) == ("b2", "error")
    assert run.returncode == 3 and run.stdout == ""
    for claim in good["claims"] + wrong["claims"]:
        assert claim["verdict"] == "unverifiable" or (claim["claimed"] is not None and claim["observed"] is not None)


def test_order_and_all_lines_over_many_partitions(tmp_path):
    count = 500
    write(tmp_path / "in.jsonl", [{**GOOD, "id": str(n), "rationale": "x" * (n % 7 + 1)} for n in range(count)])
    run = cli("verify", "in.jsonl", "--out", "-", "--method", "test_cli:by_length", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert [json.loads(line)["id"] for line in run.stdout.splitlines()] == [str(n) for n in range(count)]


def test_an_interrupted_verify_leaves_no_result_and_goes_on(tmp_path):
    write(tmp_path / "in.jsonl", [{**GOOD, "id": str(n)} for n in range(200)])
    command = [*COMMAND, "verify", "in.jsonl", "--out", "out.jsonl", "--method", "test_cli:slowly", "--workers", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TESTS)}, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob(".out.jsonl.parts/.parts/verify/*.jsonl")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (tmp_path / "out.jsonl").exists()
    run = cli(*command[3:], cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 200
    assert not (tmp_path / ".out.jsonl.parts").exists()


def slowly(record, sandbox):
    time.sleep(0.01)
    return by_length(record, sandbox)


def test_memory_does_not_grow_with_the_file(tmp_path):
    write(tmp_path / "small.jsonl", [{**GOOD, "rationale": "x" * 20_000}] * 64)
    write(tmp_path / "large.jsonl", [{**GOOD, "rationale": "x" * 20_000}] * 3200)
    code = ("import resource, sys; from verified_code_cot.commands import main\n"
            "main(['verify', sys.argv[1], '--out', sys.argv[2], '--method', 'test_cli:by_length', '--workers', '0'])\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)")
    most = []
    for name in ("small", "large"):
        run = subprocess.run([sys.executable, "-c", code, str(tmp_path / f"{name}.jsonl"), str(tmp_path / "out.jsonl")], capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": str(TESTS)}, check=True)
        most.append(int(run.stdout))
    assert most[1] - most[0] < 40, f"{most} MB, for 1 and 64 MB of input"


@pytest.mark.parametrize(("arguments", "status", "said"), [
    (["verify", "nowhere.jsonl", "--out", "o"], 1, "nowhere.jsonl: No such file or directory"),
    (["verify", "empty.jsonl", "--out", "o"], 1, "empty.jsonl: an empty file"),
    (["verify", "in.jsonl", "--out", "in.jsonl"], 1, "would overwrite"),
    (["verify", "in.jsonl", "--out", "in.jsonl/o"], 1, "in.jsonl/o: cannot write there (File exists)"),
    (["verify", "in.jsonl", "--out", "/proc/o/o"], 1, "/proc/o/o: cannot write there"),
    (["verify", "in.jsonl", "--out", "o", "--method", "clams"], 1, "clams"),
    (["verify", "in.jsonl", "--out", "o", "--method", "no.module:f"], 1, "no.module:f"),
    (["verify", "in.jsonl", "--out", "o", "--method", "json:no_function"], 1, "no_function"),
    (["verify", "in.jsonl", "--out", "o", "--scheduler", "tcp://127.0.0.1:9"], 1, "no Dask scheduler answers at tcp://127.0.0.1:9"),
    (["verify", "in.jsonl", "--out", "o", "--workers", "many"], 2, "'many' is not a whole number from 0 on"),
    (["verify", "in.jsonl"], 2, "required: --out"),
    (["verfy"], 2, "invalid choice: 'verfy'"),
    ([], 2, "required: COMMAND"),
    (["trace", "--code", "nowhere.py", "--call", "f(1)"], 1, "nowhere.py: No such file or directory"),
    (["trace", "--code", "binary", "--call", "f(1)"], 1, "binary: not UTF-8 text"),
    (["trace", "--code", "f.py", "--call", "f(1)", "--timeout", "-1"], 2, "not a number above 0"),
    (["study", "--profile", "dmeo"], 1, "there is no profile 'dmeo'"),
    (["study", "--set", "narration.nothing=3"], 1, "the stage 'narration' has no parameter 'nothing' to set"),
    (["study", "--programs", "nowhere.jsonl"], 1, "nowhere.jsonl: there is no such file"),
    (["study", "--programs", "empty.jsonl", "--out", "run"], 1, "empty.jsonl: an empty file"),
    (["study", "--out", "in.jsonl"], 1, "in.jsonl: cannot write there"),
    (["export", "nowhere", "--out", "o"], 1, "nowhere"),
    (["export", "nowhere", "--out", "o", "--format", "xml"], 2, "invalid choice: 'xml'"),
])
def test_mistakes_are_told_in_one_line(tmp_path, arguments, status, said):
    write(tmp_path / "in.jsonl", [GOOD])
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "f.py").write_text(CODE)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert said in one_line(cli(*arguments, cwd=tmp_path), status)
    assert not (tmp_path / "o").exists() and (tmp_path / "in.jsonl").read_text() == json.dumps(GOOD) + "\n"


def test_debug_shows_where(tmp_path):
    run = cli("verify", "nowhere.jsonl", "--out", "o", "--debug", cwd=tmp_path)
    assert run.returncode == 1 and "Traceback" in run.stderr and "InputError" in run.stderr


# trace

def test_trace_prints_the_contract(tmp_path):
    (tmp_path / "f.py").write_text(CODE)
    run = cli("trace", "--code", "f.py", "--call", "f([3])", "--json", cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    trace = json.loads(run.stdout)
    assert set(trace) == {"call", "output", "exception", "stdout", "cut", "status", "isolation", "events"}
    assert {**trace, "events": [], "isolation": ""} == {
        "call": "f([3])", "output": "3", "exception": None, "stdout": "", "cut": False, "status": "ok", "isolation": "", "events": []}
    assert trace["isolation"] in ("bwrap", "landlock", "limits")
    events = trace["events"]
    assert [event["step"] for event in events] == list(range(len(events)))
    first = {"step": 0, "kind": "call", "function": "f", "depth": 0, "line": 1, "changed": {"xs": "[3]"}}
    assert {key: events[0][key] for key in first} == first
    assert (events[-1]["kind"], events[-1]["value"]) == ("return", "3")


def test_trace_for_people(tmp_path):
    (tmp_path / "f.py").write_text(CODE)
    run = cli("trace", "--code", "f.py", "--call", "f([3])", cwd=tmp_path)
    assert run.returncode == 0 and "total = 3" in run.stdout and run.stdout.rstrip().endswith("f([3]) → 3")


@pytest.mark.parametrize(("code", "call", "status"), [
    ("def f(x):\n    while True:\n        x += 1\n", "f(1)", "events"),
    ("def f(:\n", "f(1)", "syntax"),
    (CODE, "f(1", "syntax"),
    (CODE, "f(1, 2)", "exception"),
    (CODE, "g(1)", "exception"),
    ("import no_such_module\ndef f(x): return x\n", "f(1)", "import"),
])
def test_traces_that_do_not_come_to_an_end(tmp_path, code, call, status):
    (tmp_path / "f.py").write_text(code)
    run = cli("trace", "--code", "f.py", "--call", call, "--json", "--events", "500", cwd=tmp_path)
    assert run.returncode == 3 and json.loads(run.stdout)["status"] == status
    assert run.stderr.startswith(f"f.py: --call {call}: {status}: ") and run.stderr.count("\n") == 1


def test_a_program_that_raises_is_a_legitimate_trace(tmp_path):
    (tmp_path / "f.py").write_text("def f(x):\n    return 1 // x\n")
    run = cli("trace", "--code", "f.py", "--call", "f(0)", "--json", cwd=tmp_path)
    assert run.returncode == 0 and json.loads(run.stdout)["exception"].startswith("ZeroDivisionError")


def test_a_reader_that_stops_reading_is_no_error(tmp_path):
    (tmp_path / "f.py").write_text("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n")
    shell = f"{sys.executable} -c 'import sys; from verified_code_cot.commands import main; sys.exit(main())' trace --code f.py --call 'f(3000)' | head -n 1"
    run = subprocess.run(["bash", "-c", f"set -o pipefail; {shell}"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == "", run.stderr


# help

@pytest.mark.parametrize("command", [[], ["study"], ["verify"], ["trace"], ["cases"], ["export"], ["evaluate"], ["finetune"], ["bench"]])
def test_help_is_complete_and_quick(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "--help" in text
    options = {"study": ["--profile", "--out", "--programs", "--seed", "--set", "--workers", "--scheduler", "--fresh", "--parameters", "--seeds",
                         "--teacher", "--narrator"],
               "verify": ["--out", "--method", "claims", "sliding-window", "output-only", "MODULE:FUNCTION", "--workers", "exit status"],
               "trace": ["--code", "--call", "--timeout", "--memory", "--events", "--isolation"], "export": ["--format", "messages"],
               "evaluate": ["--benchmark", "--problems", "--generations", "--per-sample", "--per-problem", "--partial", "--limit", "--model", "--base-url",
                            "--backend", "--prompt", "--samples", "--temperature", "--max-tokens", "--rationales", "exit status"],
               "cases": ["--code", "--out", "--least", "--most", "--teacher", "--model", "--workers", "exit status"],
               "finetune": ["--dataset", "--model", "--recipe", "--out", "--set", "--dry-run", "--fresh"], "bench": ["--cases", "--fresh", "--sizes"]}
    assert all(option in text for name in command for option in [*options[name], "--json", "--debug"])
    times = []
    for _ in range(3):
        before = os.times()
        subprocess.run([*COMMAND, *command, "--help"], capture_output=True, check=True)
        after = os.times()  # processor time: on a machine with other work to do, wall time measures that work
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(times) < 0.5


def test_nothing_heavy_is_imported_for_help():
    code = "import sys; import verified_code_cot.commands as c; c.make_parser(); print([m for m in ('pydantic', 'pandas', 'distributed') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_thousands_of_bad_lines_are_not_all_said(capsys):
    told = Told(most=3)
    for n in range(10):
        told(f"line {n}")
    told.close()
    assert capsys.readouterr().err.splitlines() == ["line 0", "line 1", "line 2", "… and 7 more such lines"]
