"""Programs that share a child: which may, and that none of them can be told from programs that each have their own."""

import json
import os
import signal
from pathlib import Path

import pytest

from hostile import BATTERY
from verified_code_cot import tracing
from verified_code_cot.bench import programs as drawn
from verified_code_cot.footprint import BUILTINS, METHODS, NAMES, footprint
from verified_code_cot.sandbox import Limits, Sandbox
from verified_code_cot.tracing import job_of, told, traces

CRUXEVAL = Path(__file__).parents[1].parent / "shared" / "data" / "cruxeval.jsonl"
ONLY_EXHAUST = {"processor", "memory, by doubling"}    # of the battery: programs that name nothing but their own


def test_no_hostile_program_may_share_a_child_but_those_that_only_use_things_up():
    told_harmless = {name for kind in BATTERY.values() for name, (body, _) in kind.items() if footprint(f"def f():\n {body}\n", "f()") is None}
    assert told_harmless >= ONLY_EXHAUST
    assert told_harmless <= set(BATTERY["exhaustion"])


REACHING = {
    'import': 'import sys\ndef f(): return sys',
    'import from': 'from math import factorial, nothing\ndef f(): return 1',
    'relative': 'from . import math\ndef f(): return 1',
    'import in a function': 'def f():\n    import gc\n    return gc.get_objects()',
    'star': 'from math import *\ndef f(): return pi',
    'dotted': 'import collections.abc\ndef f(): return collections',
    'module by another name': 'import math as m\ndef f():\n    n = m\n    n.pi = 3',
    'module as argument': 'import math\ndef g(m): m.pi = 3\ndef f(): g(math)',
    'module as default': 'import math\ndef f(m=math): m.pi = 3',
    "a module's module": 'import collections\ndef f(): return collections.abc.sys',
    'module that is also a variable': 'import math\ndef f():\n    math = 1\n    return math',
    'module set': 'import math\nmath.pi = 3\ndef f(): return 1',
    'module deleted from': 'import math\ndel math.pi\ndef f(): return 1',
    'imported class set': 'from collections import Counter\nCounter.total = len\ndef f(): return 1',
    'imported function set': 'from heapq import nlargest\nnlargest.seen = 1\ndef f(): return 1',
    'imported class in a class': 'from collections import Counter\nclass C:\n    def put(self): self.seen = 1\nC.put(Counter)\ndef f(): return 1',
    'dunder': 'def f(): return ().__class__',
    'dunder in a string': "def f(): return '__class__'",
    'mangled': 'class C:\n    def f(self): return self.__x\ndef f(): return C().f()',
    'wide letters': 'def f(): return ｔｙｐｅ(1)',
    'eval': "def f(): return eval('1')",
    'getattr': "def f(): return getattr(1, 'real')",
    'open': "def f(): return open('x')",
    'open, bound elsewhere': "def g(open): return open\ndef f(): return open('x')",
    'exec, bound by a pattern': "def g(x):\n    match x:\n        case exec: pass\ndef f(): return exec('1')",
    'vars': 'def f(): return vars()',
    'globals': 'def f(): return globals()',
    'locals': 'def f(): return locals()',
    'type': "def f(): return type('C', (), {})",
    'super': 'class C:\n    def f(self): return super()\ndef f(): return 1',
    'object': 'def f(): return object',
    'BaseException': 'def f():\n    try: return 1\n    except BaseException: return 2',
    'bare names': 'def f(): return undefined',
    'SystemExit': 'def f(): raise SystemExit',
    'MemoryError': 'def f():\n    try: return 1\n    except MemoryError: return 2',
    'frames of a generator': 'def f(): return (x for x in []).gi_frame',
    'an own name for it': 'class C:\n    gi_frame = 1\ndef f(): return (x for x in []).gi_frame',
    'tracebacks': 'def f():\n    try: return 1 / 0\n    except Exception as e: return e.tb_frame',
    'an own tb_frame': 'class C:\n    def __init__(self): self.tb_frame = 1\ndef f(): return C().tb_frame',
    'mro': 'class C:\n    mro = 1\ndef f(): return C.mro()',
    'format': "def f(): return '{0.real}'.format(1)",
    'own format': "class C:\n    def format(self): return 1\ndef f(): return '{0.real}'.format(1)",
    'encode': "def f(): return 'x'.encode('idna')",
    'metaclass': 'class C(metaclass=print): pass\ndef f(): return 1',
    'finalizer': 'class C:\n    def __del__(self): print(1)\ndef f(): C()',
    'getattribute': 'class C:\n    def __getattr__(self, name): return 1\ndef f(): return 1',
    'class pattern': 'def f(x=1):\n    match x:\n        case int(real=y): return y',
    'generator that lives on': "def g():\n    try:\n        yield 1\n    finally:\n        print('later')\ndef f(): return next(g())",
    'generator that closes what it yields from': "class C:\n    def close(self): print('later')\ndef g(c): yield from c\ndef f(): return g(C())",
    'object of an error': 'class C:\n    obj = 1\ndef f():\n    try: return C.x\n    except Exception as e: return e.obj',
    'with': 'def f(x=1):\n    with x: pass',
    'async': 'async def g(): pass\ndef f(): return g()',
    'print to': 'def f(x=1): print(1, file=x)',
    'memory untouched': 'def f(): return bytearray(10 ** 8)',
    'decorator': '@type\ndef f(): return 1',
    'annotation': 'def f(x: type = 1): return x',
    'default': 'def f(x=id): return x',
    'no Python': 'def f(:',
    'null': 'def f(): return 1\x00',
    'type parameter': 'def f[T](x: T = 1): return x',
}


@pytest.mark.parametrize("name", REACHING)
def test_what_could_reach_beyond_itself_runs_alone(name):
    assert footprint(REACHING[name], "f()")


@pytest.mark.parametrize("call", [
    "f().__class__", "open('x')", "m", "f(m)", "[type for type in f()]", "f('é')", "f(", "(x := id)(f)", "print(f(), file=f)", "f().format(1)",
])
def test_a_call_is_held_to_the_same(call):
    assert footprint("import math as m\ndef f(x=1): return m.sqrt(x)", "f(4)") is None
    assert footprint("import math as m\ndef f(x=1): return m.sqrt(x)", call)


def test_nothing_that_is_allowed_hands_out_a_type_or_a_frame():
    "Each allowed name, looked up for real: no module is among them, and no attribute of any builtin type is one that leads out."
    import builtins
    import importlib
    import types

    outside = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
    for name in BUILTINS:
        assert not isinstance(getattr(builtins, name), outside)
    for module, names in NAMES.items():
        for name in names:
            found = getattr(importlib.import_module(module), name, None)
            assert not isinstance(found, outside), (module, name)
    values = (1, 1.0, 1j, "a", b"a", [], (), {}, set(), frozenset(), range(1), slice(1), len, [].append, print, (x for x in []), lambda: 0,
              ValueError(), Exception, int, iter([]), zip(), NotImplemented)
    for value in values:
        for name in METHODS:
            if hasattr(value, name):
                assert not isinstance(getattr(value, name), outside), (value, name)


def programs(count=60):
    return [(one.code, [case.call for case in one.cases]) for one in drawn(5, count)]


def digests(found):
    return [[(one.status, one.digest, one.output) for one in each] for each in found]


@pytest.fixture
def alone(monkeypatch):
    "Traces as they are when every call has a child of its own."
    def run(cases, box):
        with monkeypatch.context() as patch:
            patch.setattr(tracing, "footprint", lambda code, call, found: "told to be alone")
            return list(traces(cases, box))
    return run


def test_sharing_a_child_changes_no_trace(alone):
    cases = programs()
    sharing = [footprint(code, call) is None for code, calls in cases for call in calls]
    assert sum(sharing) > 0.8 * len(sharing), "most programs of the curriculum may share"
    with Sandbox() as box:
        assert list(traces(cases, box)) == alone(cases, box)


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="needs ../shared")
def test_nor_of_programs_by_others(alone):
    rows = [json.loads(line) for line in CRUXEVAL.read_text(encoding="utf-8").splitlines()]
    cases = [(row["code"], [f"f({row['input']})"]) for row in rows]
    assert sum(footprint(code, call) is None for code, (call,) in cases) > 0.5 * len(cases)
    with Sandbox() as box:
        assert list(traces(cases, box)) == alone(cases, box)


BAD = {
    "timeout": ("def f(): return sum(range(10 ** 12))", "timeout"), "memory": ("def f():\n    x = 'x'\n    while True: x += x", "memory"),
    "events": ("def f():\n    n = 0\n    while True: n += 1", "events"), "output": ("def f():\n    for i in range(9999): print('x' * 999)", "output"),
    "exception": ("def f(): return [][0]", "exception"), "recursion": ("def f(): return f()", "exception"),
    "syntax of the call": ("def f(): return 1", "syntax"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_ends_badly_among_others_ends_so_alone_and_disturbs_nobody(name, alone):
    code, status = BAD[name]
    call = "f(" if name.startswith("syntax") else "f()"
    good = ("def f(n):\n    total = 0\n    for i in range(n): total += i\n    return total", [f"f({n})" for n in range(6)])
    limits = Limits(wall_s=10, cpu_s=1, memory_mb=200, events=300 if name == "events" else 200_000)
    with Sandbox(limits=limits) as box:
        found = list(traces([good, (code, [call]), good], box))
        assert found[1][0].status == status
        assert [one.status for one in (*found[0], *found[2])] == ["ok"] * 12
        assert found == alone([good, (code, [call]), good], box)


def test_memory_is_not_handed_on():
    "A program that has used much, and holds it in a cycle, leaves the next one all the room that it would have alone."
    greedy = "def f():\n    x = [0] * 12_000_000\n    x.append(x)\n    return len(x)"
    with Sandbox(limits=Limits(memory_mb=250)) as box:
        found = list(traces([(greedy, ["f()"] * 6)], box))
    assert [one.status for one in found[0]] == ["ok"] * 6


def test_a_program_that_was_wrongly_let_in_costs_the_others_nothing_when_it_ends_the_child():
    good = job_of("def f(n): return n + 1", {"op": "trace", "call": "f(1)"})
    rogue = {**job_of("import os\ndef f(): os._exit(0)", {"op": "trace", "call": "f()"}), "shares": True}
    with Sandbox() as box:
        found = [one["cases"][0] for one in box.run([good, rogue, good, rogue, rogue, good], told)]
    assert [one.status in ("killed", "denied") for one in found] == [False, True, False, True, True, False]
    assert [found[n].output for n in (0, 2, 5)] == ["2", "2", "2"]


def test_a_helper_that_dies_in_a_shared_child_loses_and_doubles_nothing():
    jobs = [job_of(f"def f(n):\n    for i in range(n): n += {k}\n    return n", {"op": "trace", "call": "f(40)"}, name=str(k)) for k in range(60)]
    assert all(one["shares"] for one in jobs)
    with Sandbox() as box:
        whole = list(box.run(jobs, told))
        run = box.run(jobs, told)
        cut = [next(run) for _ in range(5)]
        os.kill(box.process.pid, signal.SIGKILL)
        cut += run
        assert box.restarts == 1
    assert [one["id"] for one in cut] == [str(k) for k in range(60)] and cut == whole


def test_jobs_that_share_and_jobs_that_do_not_come_back_in_order():
    jobs = [{**job_of(f"def f(): return {k}", {"op": "trace", "call": "f()"}, name=str(k)), "shares": k % 3 > 0} for k in range(70)]
    with Sandbox() as box:
        found = list(box.run(iter(jobs), told))
    assert [(one["id"], one["cases"][0].output) for one in found] == [(str(k), str(k)) for k in range(70)]
