"""From a case to its trace: in the sandbox, whatever the program does; and the stage that traces a run's programs."""

import json
import sys
from pathlib import Path

import pytest
from trace_programs import PROGRAMS
from trace_story import observe
from trace_versions import interpreters

from verified_code_cot import tracing
from verified_code_cot.helper import GUEST
from verified_code_cot.records import Case, InputError, Program, Trace, load, write_jsonl
from verified_code_cot.rendering import canonical, same_text
from verified_code_cot.replay import Replay
from verified_code_cot.sandbox import Limits, Sandbox
from verified_code_cot.tracing import iterations, to_frame, trace, traces

CRUXEVAL = Path(__file__).parents[1].parent / "shared" / "data" / "cruxeval.jsonl"


def test_a_trace_is_a_record():
    found = trace("def f(x):\n    y = x + 1\n    return y\n", "f(1)")
    assert (found.status, found.output, found.exception, found.stdout, found.cut) == ("ok", "2", None, "", False)
    assert [event.kind for event in found.events] == ["call", "line", "line", "return"]
    assert found.events[1].changed == {"y": "2"} and found.events[3].value == "2"
    assert Trace.model_validate_json(found.to_json()) == found


CONTEST = """def groups(nums: List[int], k: int) -> Optional[int]:
    best, count = inf, Counter(nums)
    queue = deque(sorted(count))
    while queue:
        best = min(best, math.ceil(count[queue.popleft()] / k))
    return best if best < inf else None
"""


def test_a_contest_program_is_given_the_names_that_its_platform_imports():
    found = trace(CONTEST, "groups(nums = [1, 1, 2], k = 2)")
    assert (found.status, found.output, found.code) == ("ok", "1", CONTEST) and found.events[0].line == 1
    assert [name for name, _, _ in tracing.supplied(CONTEST)] == ["Counter", "List", "Optional", "deque", "inf", "math"]
    with Sandbox() as box:
        replay = Replay(found, box)
        assert replay.evaluate(["groups([], 1)", "Counter('aab')['a']"]) == ["None", "2"]
        assert replay.watch(["best < inf"])["best < inf"][-1][2] == "True"


@pytest.mark.parametrize("code, call, says", [
    ("def f(x): return Lost(x)", "f(1)", "NameError: name 'Lost' is not defined"),
    ("def f(x):\n    r = count + x\n    count = 1\n    return r", "f(1)", "UnboundLocalError"),  # bound in the program: its own affair
])
def test_names_that_no_platform_imports_or_that_the_program_binds_stay_unbound(code, call, says):
    found = trace(code, call)
    assert tracing.supplied(code) == [] and found.exception.startswith(says)


def test_what_is_supplied_hides_nothing_of_the_program():
    own = "from math import inf\ndef Counter(xs): return len(xs)\n"
    found = trace(own + "def f(xs: List[int]): return [Counter(xs), inf, sorted(k for k in globals() if k[0] != '_')]", "f([4])")
    assert found.output == "[1, inf, ['Counter', 'f', 'inf']]"


@pytest.mark.parametrize("code, call, status, says", [
    ("def f(x): return x[1]", "f([])", "exception", "IndexError: list index out of range"),
    ("def f(x) return x", "f(1)", "syntax", "SyntaxError"),
    ("def f(x): return x", "f(1", "syntax", "call: SyntaxError"),
    ("def f(x): return x", "f(1, 2)", "exception", "TypeError: f() takes 1 positional argument but 2 were given"),
    ("def f(x): return x", "g(1)", "exception", "NameError: name 'g' is not defined"),
    ("import numpy_is_not_here\ndef f(): pass", "f()", "import", "ModuleNotFoundError"),
    ("def f():\n    while True: pass", "f()", "events", None),
    ("def f():\n    while True:\n        try:\n            f()\n        except BaseException:\n            pass", "f()", "events", None),
    ("def f(): return sum(iter(int, 1))", "f()", "timeout", None),
    ("def f(): return 'a' * 10 ** 10", "f()", "memory", None),
    ("def f():\n    try:\n        return 'a' * 10 ** 10\n    except MemoryError:\n        return 1", "f()", "memory", None),
    ("def f():\n    for i in range(10 ** 6): print('x' * 1000)", "f()", "output", None),
    ("import os\ndef f(): os._exit(0)", "f()", "killed", None),
    ("def f(): return open('/etc/passwd').read()", "f()", "denied", None),
    ("import sys\ndef f():\n    sys.settrace(None)\n    return 1", "f()", "denied", None),
    ("import sys\ndef f(): sys.exit(3)", "f()", "exception", "SystemExit: 3"),
    ("def f(n=0): return f(n + 1)", "f()", "exception", "RecursionError: maximum recursion depth exceeded"),
])
def test_whatever_goes_wrong_is_a_status(code, call, status, says):
    limits = Limits(wall_s=1.5, cpu_s=1.5, events=5000)
    found = trace(code, call, limits=limits)
    assert found.status == status
    if says:
        assert found.exception.startswith(says)
    assert trace("def f(): return 1", "f()", limits=limits).output == "1"  # the next case runs normally


def test_what_was_recorded_before_a_budget_was_spent_is_kept():
    found = trace("def f():\n    n = 0\n    while True: n += 1", "f()", limits=Limits(events=500))
    assert found.status == "events" and found.cut and len(found.events) == 500 and found.events[-1].step == 499


@pytest.mark.parametrize("code", [
    "def f(): return list({'a', 'b', 'c', 'd'})",
    "import random\ndef f(): return random.random()",
    "import time\ndef f():\n    t = time.perf_counter()\n    return 1",
    "def f(): return id(object())",
    "def f(): return hash('a') % 7919",
    "import uuid\ndef f(): return str(uuid.uuid4())",
    "def f(): print(object())",
    "import datetime\ndef f(): return datetime.date.today().year",
    "from time import localtime\ndef f(): return localtime().tm_year",
])
def test_what_changes_from_run_to_run_is_set_aside(code):
    assert trace(code, "f()").status == "nondeterministic"


@pytest.mark.parametrize("code", [
    "def f(): return {'a', 'b', 'c', 'd'}",
    "def f(): return sorted({'a', 'b', 'c', 'd'})",
    "import random\ndef f():\n    random.seed(3)\n    return random.random()",
    "def f(): return object()",
    "import datetime\ndef f(): return datetime.date(2020, 1, 2).strftime('%d')",
    "import time\ndef f(): return time.gmtime(0).tm_year",
])
def test_what_only_looks_so_is_not(code):
    assert trace(code, "f()").status == "ok"


def test_the_same_trace_at_every_level_of_isolation():
    digests = set()
    for level in ("bwrap", "landlock", "limits"):
        try:
            with Sandbox(isolation=level) as box:
                found = [trace(code, call, sandbox=box, check_determinism=False) for name, code, call in PROGRAMS[:5]]
        except Exception as error:
            if type(error).__name__ != "SandboxError":
                raise
            continue
        assert {one.isolation for one in found} == {level}
        digests.add(tuple(one.digest for one in found))
    assert len(digests) == 1


def test_the_sandbox_tells_what_the_recorder_tells_here():
    results = list(traces([(code, [call]) for name, code, call in PROGRAMS], tracing.box_for()))
    for (name, code, call), (found,) in zip(PROGRAMS, results, strict=False):
        here = observe(code, call)
        assert (found.status, found.output, found.stdout, found.digest) == (here["status"], here["output"], here["stdout"], here["digest"]), name


@pytest.mark.skipif(not [v for v in interpreters() if v != f"3.{sys.version_info[1]}"], reason="only one Python is installed")
def test_another_python_in_the_sandbox_tells_the_same():
    cases = [(code, [call]) for name, code, call in PROGRAMS if name != "recursion limit"]
    here = [found[0].digest for found in traces(cases, tracing.box_for())]
    for version, path in interpreters().items():
        with Sandbox(python=path) as box:
            assert [found[0].digest for found in traces(cases, box)] == here, version


def test_several_calls_share_nothing():
    code = "seen = []\nclass C:\n    n = 0\ndef f(x):\n    seen.append(x)\n    C.n += 1\n    return len(seen), C.n\n"
    ((one, two, three),) = traces([(code, ["f(1)", "f(2)", "f(3)"])], tracing.box_for())
    assert one.output == two.output == three.output == "(1, 1)"


# loops


LOOPS = """
def f(xs):
    n = 0
    for x in xs:
        while n < x:
            n += 1
            if n == 3: break
        else:
            n += 0
        if x > 2: continue
        for y in (1, 2): n += y
    return n
"""


def test_each_event_knows_its_iterations():
    found = trace(LOOPS, "f([1, 3])")
    told = [(event.line, event.outcome, loops) for event, loops in zip(found.events, iterations(found), strict=False) if event.kind == "line"]
    assert told == [
        (3, None, ()), (4, True, ((4, 1),)), (5, True, ((4, 1), (5, 1))), (6, None, ((4, 1), (5, 1))), (7, False, ((4, 1), (5, 1))),
        (5, False, ((4, 1),)), (9, None, ((4, 1),)), (10, False, ((4, 1),)),
        (11, True, ((4, 1), (11, 1))), (11, None, ((4, 1), (11, 1))), (11, True, ((4, 1), (11, 2))), (11, None, ((4, 1), (11, 2))),
        (11, False, ((4, 1),)), (4, True, ((4, 2),)), (5, False, ((4, 2),)), (9, None, ((4, 2),)), (10, True, ((4, 2),)), (10, None, ((4, 2),)),
        (4, False, ()), (12, None, ())]


def test_iterations_are_counted_in_each_frame():
    found = trace("def g(n):\n    for i in range(n):\n        yield i\ndef f():\n    return [x + y for x in g(2) for y in g(1)]\n", "f()")
    deepest = {}
    for event, loops in zip(found.events, iterations(found), strict=False):
        deepest[event.frame] = max([number for _, number in loops] + [deepest.get(event.frame, 0)])
    assert deepest == {0: 0, 1: 2, 2: 1, 3: 1}


def test_the_numbers_of_iterations_are_those_of_the_program():
    """An oracle: programs that count their own iterations."""
    code = """
def f(n):
    out = []
    a = 0
    for i in range(n):
        a = a + 1
        b = 0
        while b < i:
            b += 1
            if b == 3: break
            out.append((a, b))
    return out
"""
    found = trace(code, "f(6)")
    seen = [tuple(number for _, number in loops) for event, loops in zip(found.events, iterations(found), strict=False) if event.line == 11]
    assert str(seen) == found.output


# for people


def test_a_trace_as_a_table():
    table = to_frame(trace("def f(x):\n    for i in x: y = i\n    return y", "f([1])"))
    assert list(table["line"]) == [1, 2, 2, 2, 3, 3] and table.loc[5, "value"] == "1" and table.loc[1, "changed"] == "i = 1"


# the stage


def programs(*rows):
    return [Program(id=name, code=code, entry_point="f", cases=[Case(call=call, output=output) for call, output in cases]) for name, code, cases in rows]


def test_the_stage_keeps_what_is_right_and_says_what_is_not(tmp_path):
    write_jsonl(tmp_path / "data" / "programs.jsonl", programs(
        ("good", "def f(x):\n    return x + 1", [("f(1)", "2"), ("f(1)", "3"), ("f(1)", None), ("f('a')", None), ("f()", None)]),
        ("sets", "def f(x):\n    return set(x)", [("f('ab')", "{'b', 'a'}"), ("f('ab')", "{'b', 'c'}")]),
        ("ends", "def f(x):\n    while x: pass", [("f(1)", None), ("f(0)", "None")]),
        ("seed", "def f(x):\n    return list(set(x))", [("f('abcdef')", None)]),
    ))
    counts = tracing.run(tmp_path, events=300, workers=0)
    assert counts["read"] == 10 and counts["accepted"] == 5
    assert counts["rejected"] == {"call not entered": 1, "events": 1, "nondeterministic": 1, "wrong output": 2}
    assert counts["status"] == {"events": 1, "exception": 2, "nondeterministic": 1, "ok": 6}
    kept = load(tmp_path / "data" / "traces.jsonl", Trace)
    assert [one.id for one in kept] == ["good-1", "good-3", "good-4", "sets-1", "ends-2"]
    assert all(one.isolation is None and one.program == one.id.rsplit("-", 1)[0] for one in kept)
    refused = [json.loads(line) for line in (tmp_path / "data" / "untraced.jsonl").read_text().splitlines()]
    assert [(row["id"], row["reason"]) for row in refused] == [
        ("good-2", "wrong output"), ("good-5", "call not entered"), ("sets-2", "wrong output"), ("ends-1", "events"), ("seed-1", "nondeterministic")]
    assert counts["read"] == counts["accepted"] + sum(counts["rejected"].values())


def test_the_stage_gives_the_same_bytes_twice(tmp_path):
    for name in ("one", "two"):
        write_jsonl(tmp_path / name / "data" / "programs.jsonl", programs(*((name, code, [(call, None)]) for name, code,
            call in PROGRAMS if code.count("def f("))))
        tracing.run(tmp_path / name, workers=0 if name == "one" else 2)
    assert (tmp_path / "one" / "data" / "traces.jsonl").read_bytes() == (tmp_path / "two" / "data" / "traces.jsonl").read_bytes()


def test_the_stage_without_programs_says_so(tmp_path):
    with pytest.raises(InputError, match="programs.jsonl"):
        tracing.run(tmp_path, workers=0)


# 800 programs that are not ours


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="../shared is not here")
def test_all_800_outputs_are_the_recorded_ones():
    rows = [json.loads(line) for line in CRUXEVAL.read_text().splitlines()]
    assert len(rows) == 800
    for row, (found,) in zip(rows, traces([(row["code"], [f"f({row['input']})"]) for row in rows], tracing.box_for()), strict=False):
        assert found.status == "ok" and same_text(found.output, canonical(row["output"]) or row["output"]) is True, row["id"]


@pytest.mark.parametrize("event", [
    {"step": 0}, {"step": "0", "kind": "call", "function": "f", "depth": 0, "frame": 0, "line": 1}, 7,
    {"step": 0, "kind": "call", "function": "f", "depth": 0, "frame": 0, "line": 1, "more": 1}])
def test_what_is_no_trace_was_killed(event):
    body = json.dumps({"status": "ok", "output": "1", "events": [event]}).encode()
    found = tracing.told(GUEST, body)
    assert (found.status, found.output, found.events) == ("killed", None, [])
    assert tracing.told(GUEST, b"[1, 2").status == tracing.told(GUEST, b'{"status": "fine"}').status == "killed"


def test_half_a_surrogate_pair_can_be_read():
    assert tracing.told(GUEST, b'{"status": "ok", "output": "\\ud800"}').output == "\ud800"
