"""The sandbox against programs that mean harm, watched from outside.

What a program says about itself proves nothing, so each attack has an observer that the program cannot reach: a canary
file, a listening port, the table of processes.
"""

import contextlib
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hostile import BATTERY, WRITE
from verified_code_cot import helper, platforms
from verified_code_cot.sandbox import LEVELS, STATUSES, Canary, Limits, Sandbox, SandboxError, bwrap_command, interpreter, parse

LINUX = sys.platform == "linux"
GUEST = '''
def prepare(setup, limits):
    if setup.get("fail"):
        raise ValueError("prepare was told to fail")
    return compile(setup["code"], "<program>", "exec")

def run(program, case, limits, finish):
    if case.get("raise"):
        raise ValueError("run was told to fail")
    if case.get("odd"):
        return {"odd": {1, 2}} if case["odd"] == "set" else [1]
    if case.get("finish"):
        try:
            finish({"status": "events", "reason": "spent"})
        except BaseException:
            pass
    space = {"__name__": "program"}
    try:
        exec(program, space)
        return {"status": "ok", "output": repr(eval(case["call"], space))}
    except (MemoryError, ImportError):
        raise
    except BaseException as error:
        return {"status": "exception", "exception": f"{type(error).__name__}: {error}"[:300]}
'''
USUAL = Limits(wall_s=10, cpu_s=10, memory_mb=256)
QUICK = Limits(wall_s=1, cpu_s=2, memory_mb=256)     # for what is expected to take for ever


def make(**options) -> Sandbox:
    return Sandbox(guest={"tiny": GUEST}, entry="tiny", **{"limits": USUAL, "min_isolation": "none", **options})


def job(code: str, *calls: str, name: str = "job") -> dict:
    return {"id": name, "setup": {"code": code}, "cases": [{"call": call} for call in calls or ("f()",)]}


def one(box: Sandbox, code: str, *calls: str) -> list[dict]:
    [result] = box.run([job(code, *calls)])
    return result["cases"]


def grants(level: str) -> str | None:
    "Why this machine does not grant a level; None when it does."
    try:
        make(isolation=level).close()
    except SandboxError as error:
        return str(error)
    return None


REFUSED = {level: grants(level) for level in LEVELS}
AVAILABLE = [level for level in LEVELS if REFUSED[level] is None]
each_level = pytest.mark.parametrize("level", [
    pytest.param(level, marks=[pytest.mark.skip(reason=REFUSED[level])] if REFUSED[level] else []) for level in LEVELS])


@pytest.fixture(scope="module")
def boxes():
    "One sandbox for each level and mode, kept for the whole module: what one test does must not disturb the next."
    kept = {}

    def box(level: str, audit: bool = True, limits: Limits = USUAL) -> Sandbox:
        if (level, audit, limits) not in kept:
            kept[level, audit, limits] = make(isolation=level, audit=audit, limits=limits)
        return kept[level, audit, limits]

    yield box
    for made in kept.values():
        made.close()


# ---------------------------------------------------------------- observers

def parents() -> dict[int, int]:
    "Every process of this machine and its parent."
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
    return found


def descendants(root: int) -> set[int]:
    table, found, fresh = parents(), set(), {root}
    while fresh:
        fresh = {pid for pid, parent in table.items() if parent in fresh} - found
        found |= fresh
    return found


def alive(pid: int) -> bool:
    "Running, and not merely waiting to be reaped."
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def eventually(condition, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


# ---------------------------------------------------------------- the list of the issue, at every level

HOSTILE = {name: about for programs in BATTERY.values() for name, about in programs.items()}
ALL = {f"{kind}: {name}": about for kind, programs in BATTERY.items() for name, about in programs.items()}


class Watched:
    "The outside world, which a program must not touch: a canary file, ports, another process, an environment; and whether it was touched."

    def __init__(self, folder: Path):
        self.folder, self.canary, self.stack = folder, folder / "canary", contextlib.ExitStack()
        self.canary.write_text("canary: a secret")
        folder.chmod(0o777)
        self.canary.chmod(0o666)
        self.tcp = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.udp = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.victim = self.stack.enter_context(subprocess.Popen(["sleep", "600"]))
        self.stack.callback(self.victim.kill)
        os.environ["CANARY_SECRET"] = "secret"
        self.stack.callback(os.environ.pop, "CANARY_SECRET")
        self.before = self.look()

    def look(self):
        about = self.canary.stat()
        return (sorted(path.name for path in self.folder.iterdir()), self.canary.read_text(), about.st_mode, about.st_mtime_ns)

    def named(self, body: str) -> str:
        "A program's body with the names of this world in it."
        for word, value in (("CANARY_SECRET", "\0"), ("CANARY", self.canary), ("\0", "CANARY_SECRET"), ("FOLDER", self.folder),
                            ("TCP", self.tcp.getsockname()[1]), ("UDP", self.udp.getsockname()[1]), ("VICTIM", self.victim.pid), ("HOST", os.getpid())):
            body = body.replace(word, str(value))
        return body

    def untouched(self):
        assert self.look() == self.before, "the canary was touched"
        assert select.select([self.tcp, self.udp], [], [], 0)[0] == [], "something arrived"
        assert self.victim.poll() is None and alive(self.victim.pid), "another process was signalled"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    watched = Watched(tmp_path_factory.mktemp("world"))
    yield watched
    watched.stack.close()


def test_the_battery_is_large_enough_and_its_observer_sees(world, tmp_path):
    assert len(ALL) >= 60 and all(len(programs) >= 15 for programs in BATTERY.values())
    with pytest.raises(AssertionError, match="canary"):
        world.canary.write_text("touched")
        world.untouched()
    world.canary.write_text("canary: a secret")
    world.before = world.look()
    socket.create_connection(world.tcp.getsockname()).close()
    with pytest.raises(AssertionError, match="arrived"):
        world.untouched()
    world.tcp.accept()[0].close()
    world.untouched()


@each_level
@pytest.mark.parametrize("name", ALL)
def test_a_hostile_case_fails_alone(boxes, world, level, name):
    body, expected = ALL[name]
    body, head = world.named(body), WRITE if name.startswith("forgery") else ""
    box = boxes(level, limits=QUICK if "timeout" in expected else USUAL)
    helper_process, restarts = box.process.pid, box.restarts
    jobs = [job(f"{head}\ndef f():\n {body}\ndef g(): return 'well'", "g()", "f()", "g()", name=name), job("def f(): return 1", name="next")]
    hostile, following = list(box.run(jobs))
    assert [hostile["id"], following["id"]] == [name, "next"]
    before, case, after = hostile["cases"]
    assert before["output"] == "'well'"
    assert after.get("output") == "'well'" or name.startswith("forgery"), "a program may lie about its own cases, and about nobody else's"
    assert case["status"] in expected, case
    assert case["status"] in ("exception", "ok") or case["reason"]
    assert "a secret" not in json.dumps(hostile)
    assert following["cases"][0]["output"] == "1"
    assert (box.process.pid, box.restarts) == (helper_process, restarts), "the helper did not survive this program"
    if LINUX:
        at_rest = 1 if level == "bwrap" else 0          # under bwrap, the helper is a child of what we started
        assert eventually(lambda: len(descendants(helper_process)) <= at_rest), "a process outlived its program"
    world.untouched()


def test_reasons_name_the_action(boxes):
    box = boxes(AVAILABLE[0])
    [case] = one(box, "def f():\n try: open('/home/me/secret.txt')\n except BaseException: return 'swallowed'")
    assert case == {"status": "denied", "reason": "the program tried opening '/home/me/secret.txt'"}
    [case] = one(box, "import socket\ndef f(): socket.socket()")
    assert case["status"] == "denied" and "socket" in case["reason"]


# ---------------------------------------------------------------- beneath the audit hook, with observers

@each_level
def test_no_file_can_be_read_or_changed(boxes, level, tmp_path):
    box = boxes(level, audit=False)
    if level == "limits" and not box.layers["own root"]:
        pytest.skip("limits alone, for an ordinary user: nothing but the audit hook keeps that user's files")
    canary = tmp_path / "canary.txt"
    canary.write_text("a secret that must not get out")
    tmp_path.chmod(0o777)
    canary.chmod(0o666)
    for attempt in (f"open({str(canary)!r}).read()", f"open({str(canary)!r}, 'w').write('x')", f"__import__('os').remove({str(canary)!r})",
                    f"__import__('os').listdir({str(tmp_path)!r})", f"__import__('os').truncate({str(canary)!r}, 0)",
                    f"__import__('os').rename({str(canary)!r}, {str(tmp_path / 'b')!r})", f"__import__('os').chmod({str(canary)!r}, 0)",
                    f"open({str(tmp_path / 'new')!r}, 'x')", f"open('/proc/self/root{canary}').read()",
                    f"__import__('os').open({str(canary)!r}, 0)", f"__import__('os').symlink({str(canary)!r}, '/tmp/link')"):
        [case] = one(box, f"def f(): return {attempt}")
        assert case["status"] in ("exception", "denied"), (attempt, case)
        assert "secret" not in json.dumps(case)
    assert canary.read_text() == "a secret that must not get out"
    assert [path.name for path in tmp_path.iterdir()] == ["canary.txt"]
    assert canary.stat().st_mode & 0o777 == 0o666


@each_level
def test_nothing_can_be_reached_over_the_network(boxes, level):
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        for code in (f"socket.create_connection(('127.0.0.1', {tcp.getsockname()[1]}))",
                     f"socket.socket(2, 2).sendto(b'x', ('127.0.0.1', {udp.getsockname()[1]}))", "socket.socketpair()",
                     "socket.socket(socket.AF_UNIX)"):
            for audit, expected in ((True, {"denied"}), (False, {"denied", "exception"})):
                [case] = one(boxes(level, audit), f"import socket\ndef f(): return {code}")
                assert case["status"] in expected, case
        assert select.select([tcp, udp], [], [], 0.2)[0] == [], "something arrived"


@each_level
def test_no_process_can_be_started(boxes, level, tmp_path):
    box = boxes(level, audit=False)
    before = descendants(box.process.pid)
    for body in ("import os\n while True: os.fork()", "import os\n os.execv('/bin/sh', ['sh', '-c', 'true'])",
                 "import os\n os.posix_spawn('/bin/true', ['true'], {})", "import os\n os.system('sleep 60 &')",
                 "import os\n os.forkpty()", "import subprocess\n subprocess.Popen(['sleep', '60'])"):
        [case] = one(box, f"def f():\n {body}")
        assert case["status"] in ("denied", "exception"), (body, case)
    assert descendants(box.process.pid) <= before
    assert one(box, "import os\ndef f(): return os.system('true')")[0].get("output") != "0"


@each_level
def test_nobody_can_be_signalled(boxes, level):
    box = boxes(level, audit=False)
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            for target in (victim.pid, os.getpid(), box.process.pid, "os.getppid()", -1, 0, 1):
                [case] = one(box, f"import os\ndef f(): os.kill({target}, 15)")
                assert case["status"] in ("denied", "exception", "killed"), case
            assert victim.poll() is None
        finally:
            victim.kill()
    assert box.restarts == 0 and box.process.poll() is None


@each_level
def test_memory_of_others_cannot_be_read(boxes, level):
    box = boxes(level, audit=False)
    if level == "limits" and not box.layers["own root"]:
        pytest.skip("limits alone, for an ordinary user: nothing but the audit hook keeps that user's files")
    for path in ("/proc/1/mem", f"/proc/{box.process.pid}/mem", f"/proc/{os.getpid()}/environ", "/proc/self/environ", "/proc/self/maps"):
        [case] = one(box, f"def f(): return open({path!r}, 'rb').read(1)")
        assert case["status"] == "exception", (path, case)


@each_level
def test_a_child_keeps_no_descriptor_but_its_own(boxes, level):
    code = ("import os\ndef f():\n found = []\n for fd in range(3, 64):\n  try: os.fstat(fd)\n  except OSError: continue\n"
            "  found.append(fd)\n return len(found)")
    assert one(boxes(level), code)[0]["output"] == "1"


@each_level
def test_the_environment_tells_nothing(boxes, level):
    assert one(boxes(level), "import os\ndef f(): return dict(os.environ), os.getcwd()")[0]["output"] == "({}, '/')"


# ---------------------------------------------------------------- forged reports

@each_level
@pytest.mark.parametrize("attack", [
    "send(b'{\"status\": \"ok\", \"output\": \"forged\"}')",
    "[send(b'{\"status\": \"ok\", \"output\": \"forged\"}') for i in range(20)]",
    "send(b'{\"status\": \"ok\", \"output\": \"forged\"}', 1)",
    "raw(b'\\xff' * 4000)", "raw(b'\\x00\\x00')", "raw(b'\\x00' * 1000)", "send(b'[' * 60000)", "send(b'not json')",
    "send(b'{\"status\": \"splendid\"}')",
    "raw(struct.pack('>IIBI', 99, 0, 2, 2) + b'{}')",
])
def test_no_program_changes_what_is_reported_of_another(boxes, level, attack):
    jobs = [job("def f(): return 'first'", name="1"), job(f"{WRITE}\ndef f(): {attack}", "f()", "f()", name="2"),
            job("def f(): return 'third'", name="3"), job("def f(): return 'fourth'", name="4")]
    results = list(boxes(level).run(jobs))
    assert [result["id"] for result in results] == ["1", "2", "3", "4"]
    assert [len(result["cases"]) for result in results] == [1, 2, 1, 1]
    assert [results[place]["cases"][0]["output"] for place in (0, 2, 3)] == ["'first'", "'third'", "'fourth'"]
    assert all(case["status"] in STATUSES for case in results[1]["cases"])


@pytest.mark.parametrize("body", [b"", b"4", b"[]", b"{}", b'{"status": "splendid"}', b'{"status": ["ok"]}', b"[" * 10**6, b"\xff",
                                  b'{"status": ' + b"9" * 10**5 + b"}"])
def test_unreadable_results_are_failures(body):
    assert parse(helper.GUEST, body)["status"] == "killed"


# ---------------------------------------------------------------- cases of one program

CHANGES = {
    "a module's name": ("import math\ndef f(): math.pi = 3\ndef g(): return math.pi", "3.141592653589793"),
    "a builtin": ("import builtins\ndef f(): builtins.len = lambda x: 99\ndef g(): return len([1])", "1"),
    "a new builtin": ("import builtins\ndef f(): builtins.gone = 1\ndef g(): return hasattr(__builtins__, 'gone') or 'gone' in vars(__import__('builtins'))",
                      "False"),
    "the protocol's own json": ("import json\ndef f(): json.dumps = json.loads = None\ndef g(): return json.dumps(1)", "'1'"),
    "a module removed": ("import sys\ndef f(): sys.modules['math'] = None\ndef g(): import math; return math.floor(1.5)", "1"),
    "a module imported": ("import sys\ndef f(): import colorsys\ndef g(): return 'colorsys' in sys.modules", "False"),
    "the recursion limit": ("import sys\ndef f(): sys.setrecursionlimit(77)\ndef g(): return sys.getrecursionlimit() > 77", "True"),
    "the import path": ("import sys\ndef f(): sys.path.clear()\ndef g(): return len(sys.path) > 0", "True"),
    "the environment": ("import os\ndef f(): os.environ['A'] = 'b'\ndef g(): return os.environ.get('A')", "None"),
    "a signal handler": ("import signal\ndef f(): signal.signal(signal.SIGTERM, print)\ndef g(): return signal.getsignal(15) is print", "False"),
    "an alarm": ("import signal, time\ndef f(): signal.setitimer(signal.ITIMER_REAL, 0.1)\ndef g(): time.sleep(0.3); return 'well'", "'well'"),
    "the decimal context": ("import decimal\ndef f(): decimal.getcontext().prec = 3\ndef g(): return decimal.getcontext().prec", "28"),
    "a name in sys": ("import sys\ndef f(): sys.mine = 1\ndef g(): return hasattr(sys, 'mine')", "False"),
    "a thread": ("import _thread, time, math\ndef w():\n time.sleep(0.05)\n math.pi = 3\ndef f(): _thread.start_new_thread(w, ())\n"
                 "def g(): time.sleep(0.2); return math.pi", "3.141592653589793"),
    "a lying __eq__": ("import math\nclass L:\n def __eq__(s, o): return True\n __hash__ = None\ndef f(): math.pi = L()\ndef g(): return math.pi",
                       "3.141592653589793"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_case_does_not_see_what_the_one_before_it_changed(boxes, name):
    code, expected = CHANGES[name]
    box = boxes(AVAILABLE[0])
    first, second = one(box, code, "f()", "g()")
    assert (first["status"], second.get("output")) == ("ok", expected), second


def test_cases_that_leave_no_trace_share_a_child(boxes):
    cases = one(boxes(AVAILABLE[0]), "import os, re, math\ndef f(n): return os.getpid(), math.sqrt(n), re.sub('a', 'b', 'a')", "f(1)", "f(4)", "f(9)")
    assert len({case["output"].split(",")[0] for case in cases}) == 1


def test_output_belongs_to_its_case(boxes):
    box = boxes(AVAILABLE[0])
    cases = one(box, "def f(x):\n print('says', x)\n return x", "f(1)", "f('ü')", "f(3)")
    assert [case["stdout"] for case in cases] == ["says 1\n", "says ü\n", "says 3\n"]
    assert one(box, "import os\ndef f(): return os.write(1, b'past the stream')")[0]["stdout"] == ""


# ---------------------------------------------------------------- what honest programs need

HONEST = [
    "abc", "array", "base64", "bisect", "bz2", "calendar", "cmath", "collections", "copy", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "enum", "fractions", "functools", "gettext", "hashlib", "heapq", "html", "io", "itertools",
    "json", "keyword", "locale", "logging", "lzma", "math", "numbers", "operator", "pprint", "queue", "random", "re",
    "secrets", "statistics", "string", "struct", "textwrap", "threading", "time", "typing", "unicodedata", "unittest",
    "urllib.parse", "uuid", "xml.dom.minidom", "zlib", "asyncio", "socket", "subprocess", "multiprocessing",
    "concurrent.futures",
]



@each_level
def test_the_standard_library_can_be_imported(boxes, level):
    box = boxes(level)
    jobs = [job(f"def f():\n import {name}\n return {name.split('.')[0]}.__name__", name=name) for name in HONEST]
    failed = {result["id"]: result["cases"][0] for result in box.run(jobs) if result["cases"][0]["status"] != "ok"}
    assert not failed


def test_standard_input_is_empty_and_threads_run(boxes):
    box = boxes(AVAILABLE[0])
    assert one(box, "def f(): return input()")[0]["exception"].startswith("EOFError")
    code = "import threading\ndef f():\n x = []\n t = threading.Thread(target=x.append, args=(1,))\n t.start()\n t.join()\n return x"
    assert one(box, code)[0]["output"] == "[1]"


def test_a_syntax_error_is_that(boxes):
    cases = one(boxes(AVAILABLE[0]), "def f(:", "f()", "f()")
    assert [case["status"] for case in cases] == ["syntax", "syntax"] and "SyntaxError" in cases[0]["reason"]
    assert one(boxes(AVAILABLE[0]), "def f(): return compile('1 +', '<string>', 'exec')")[0]["exception"].startswith("SyntaxError")


def test_hash_order_is_the_seeds(boxes):
    code = "def f(): return list({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'})"
    with make(hash_seed=0) as again, make(hash_seed=1) as other:
        first = one(boxes(AVAILABLE[0]), code)[0]["output"]
        assert one(again, code)[0]["output"] == first != one(other, code)[0]["output"]


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("level", sorted({AVAILABLE[0], AVAILABLE[-1]}))
def test_other_interpreters(level, version):
    found = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} here")
    names = ["memory, bit by bit", "processes", "read a file", "a pair of sockets", "output", "fault in C", "ctypes", "recursion",
             "os._exit", "settrace", "close every descriptor"]
    with make(isolation=level, python=str(found[-1])) as box:
        assert one(box, "import sys\ndef f(): return '%d.%d' % sys.version_info[:2]")[0]["output"] == repr(version)
        for name in names:
            body, expected = HOSTILE[name]
            first, case, second = one(box, f"def f():\n {body}\ndef g(): return 1", "g()", "f()", "g()")
            assert (first["output"], case["status"] in expected, second["output"]) == ("1", True, "1"), (name, case)


# ---------------------------------------------------------------- the same through the recorder

TRACED = {
    **{name: HOSTILE[name] for name in (
        "recursion", "memory, bit by bit", "processes", "os._exit", "settrace", "swallow the denial", "output", "read a file",
        "a pair of sockets", "kill the helper", "fault in C", "clock")},
    "missing module": ("import numpy", {"import"}),
    "infinite loop": ("while True: pass", {"events"}),
    "swallow everything": ("while True:\n  try: 1 / 0\n  except BaseException: pass", {"events"}),
    "loop in C": ("return sum(iter(int, 1))", {"timeout"}),
    "memory error caught": ("try: return bytearray(10**12)\n except MemoryError: return 'caught'", {"memory"}),
    "memory error swallowed": ("x = []\n while True:\n  try: x.append(bytearray(10**8))\n  except BaseException: return 'swallowed'", {"memory"}),
}


@pytest.fixture(scope="module", params=[level for level in AVAILABLE])
def recorders(request):
    "Two sandboxes with the real guest: for what takes for ever, and for the rest."
    with Sandbox(isolation=request.param, limits=QUICK) as quick, Sandbox(isolation=request.param, limits=USUAL) as usual:
        yield {True: quick, False: usual}


@pytest.mark.parametrize("name", TRACED)
def test_a_hostile_trace_is_a_typed_failure(recorders, name):
    from verified_code_cot.tracing import trace

    body, expected = TRACED[name]
    traced = recorders["timeout" in expected]
    code = f"def f():\n {body}\ndef g(x):\n y = x + 1\n return y"
    made = trace(code, "f()", sandbox=traced, check_determinism=False)
    assert made.status in expected, (made.status, made.output, made.exception)
    assert made.isolation == traced.isolation
    after = trace(code, "g(1)", sandbox=traced, check_determinism=False)
    assert (after.status, after.output) == ("ok", "2") and len(after.events) == 4


# ---------------------------------------------------------------- the guest

def test_what_a_guest_may_do_wrong(boxes):
    box = boxes(AVAILABLE[0])
    jobs = [{"id": "a", "setup": {"fail": True}, "cases": [{}, {}]},
            {"id": "b", "setup": {"code": ""}, "cases": [{"raise": True}, {"odd": "set"}, {"odd": "list"}, {"finish": True}, {"call": "1"}]},
            {"id": "c", "setup": {"code": ""}, "cases": []}]
    a, b, c = box.run(jobs)
    assert [case["status"] for case in a["cases"]] == ["killed", "killed"] and "prepare was told to fail" in a["cases"][0]["reason"]
    assert [case["status"] for case in b["cases"]] == ["killed", "killed", "killed", "events", "ok"]
    assert "run was told to fail" in b["cases"][0]["reason"]
    assert c["cases"] == []


def test_results_have_a_largest_size():
    with make(limits=Limits(result_bytes=10000)) as box:
        cases = one(box, "def f(n): return 'x' * n", "f(10)", "f(20000)", "f(20)")
        assert [case["status"] for case in cases] == ["ok", "output", "ok"]


# ---------------------------------------------------------------- the run of many jobs

def test_results_come_in_order_and_large_ones_too(boxes):
    box = boxes(AVAILABLE[0])
    numbers = list(box.run(job(f"def f(): return {number}", name=str(number)) for number in range(200)))
    assert [result["id"] for result in numbers] == [str(number) for number in range(200)]
    assert [result["cases"][0]["output"] for result in numbers] == [str(number) for number in range(200)]
    large = "x" * 2_000_000
    results = list(box.run(job(f"A = {large!r}\ndef f(): return A", name=str(number)) for number in range(10)))
    assert all(result["cases"][0]["output"] == repr(large) for result in results)


def test_a_run_may_be_left_and_another_started():
    with make() as box:
        run = box.run(job(f"def f(): return {number}") for number in range(50))
        assert next(run)["cases"][0]["output"] == "0"
        with pytest.raises(SandboxError, match="another run"):
            next(box.run([job("def f(): return 1")]))
        run.close()
        assert one(box, "def f(): return 'fresh'")[0]["output"] == "'fresh'"


def test_a_helper_that_is_killed_loses_and_doubles_nothing():
    with make() as box:
        seen = []
        for result in box.run(job(f"def f(x): return {number}, x", "f(1)", "f(2)", "f(3)", name=str(number)) for number in range(60)):
            seen.append((result["id"], [case.get("output") for case in result["cases"]]))
            if len(seen) % 15 == 0 and len(seen) < 60:
                box.process.kill()
        assert seen == [(str(number), [f"({number}, {x})" for x in (1, 2, 3)]) for number in range(60)]
        assert box.restarts == 3


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_case_in_which_two_helpers_die_is_killed():
    with make(isolation=AVAILABLE[-1]) as box:
        stop = threading.Event()

        def assassin():
            "Kill the helper whenever it has a child, twice."
            killed = set()
            while len(killed) < 2 and not stop.wait(0.05):
                process = box.process
                if process is not None and process.pid not in killed and descendants(process.pid):
                    killed.add(process.pid)
                    process.kill()

        thread = threading.Thread(target=assassin)
        thread.start()
        try:
            cases = one(box, "import time\ndef f(n):\n time.sleep(n)\n return n", "f(5)", "f(0)")
        finally:
            stop.set()
            thread.join()
    assert [case["status"] for case in cases] == ["killed", "ok"] and "helper died" in cases[0]["reason"]
    assert box.restarts == 2


@pytest.mark.skipif(not LINUX, reason="reads /proc")
@each_level
def test_a_helper_that_falls_silent_is_replaced(level, monkeypatch):
    monkeypatch.setattr("verified_code_cot.sandbox.GRACE", 0.3)
    with make(isolation=level, limits=Limits(wall_s=0.5)) as box:
        everyone = {box.process.pid, *descendants(box.process.pid)}
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        assert one(box, "def f(): return 1")[0]["output"] == "1"
        assert box.restarts == 1
        assert eventually(lambda: not any(map(alive, everyone)))


# ---------------------------------------------------------------- nothing is left behind

@pytest.mark.skipif(not LINUX, reason="reads /proc")
@each_level
def test_closing_leaves_no_process_and_no_descriptor(level):
    make(isolation=level).close()
    descriptors, processes = sorted(os.listdir("/proc/self/fd")), descendants(os.getpid())
    for _ in range(3):
        with make(isolation=level, limits=Limits(wall_s=0.3)) as box:
            one(box, "def f(): return 1")
            one(box, "def f():\n while True: pass")
            inside = descendants(box.process.pid) | {box.process.pid}
        assert eventually(lambda gone=inside: not any(Path(f"/proc/{pid}").exists() for pid in gone))
    assert sorted(os.listdir("/proc/self/fd")) == descriptors
    assert descendants(os.getpid()) <= processes


@pytest.mark.skipif(not LINUX, reason="reads /proc")
@each_level
def test_everything_ends_with_the_host(level, tmp_path):
    script = tmp_path / "host.py"
    script.write_text(f"""
from verified_code_cot.sandbox import Limits, Sandbox
box = Sandbox(guest={{"tiny": {GUEST!r}}}, entry="tiny", isolation={level!r}, limits=Limits(wall_s=60, cpu_s=60))
print(box.process.pid, flush=True)
list(box.run([{job('def f():' + chr(10) + ' while True: pass')!r}]))
""")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as host:
        pid = int(host.stdout.readline())
        assert eventually(lambda: len(descendants(pid)) >= (2 if level == "bwrap" else 1))
        inside = descendants(pid) | {pid}
        host.kill()
    assert eventually(lambda: not any(map(alive, inside)))


def test_a_fork_of_the_owner_gets_its_own_helper():
    with make() as box:
        one(box, "def f(): return 1")
        pid = os.fork()
        if pid == 0:
            try:
                before = box.process.pid
                fine = one(box, "def f(): return 2")[0]["output"] == "2" and box.process.pid != before
                box.close()
                os._exit(0 if fine else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert one(box, "def f(): return 3")[0]["output"] == "3" and box.restarts == 0


# ---------------------------------------------------------------- levels and platforms

def test_auto_takes_the_strongest_level_and_says_what_was_refused(monkeypatch):
    with make() as box:
        assert box.isolation == AVAILABLE[0] and list(box.refused) == list(LEVELS[:LEVELS.index(AVAILABLE[0])])
    monkeypatch.setattr("verified_code_cot.sandbox.shutil.which", lambda name: None if name == "bwrap" else name)
    with pytest.raises(SandboxError, match="bubblewrap"):
        make(isolation="bwrap")
    with make() as box:
        assert box.isolation == next(level for level in AVAILABLE if level != "bwrap") and "bubblewrap" in box.refused["bwrap"]


def test_wrong_use_is_one_clear_line():
    with pytest.raises(SandboxError, match="isolation 'chains' is none of auto, bwrap, landlock, limits"):
        make(isolation="chains")
    with pytest.raises(SandboxError, match="no working Python"):
        make(python="/bin/false")
    with pytest.raises(ValueError, match="wall_s"):
        Limits(wall_s=0)
    with pytest.raises(SandboxError, match="broken"):
        Sandbox(guest={"tiny": "raise ValueError('broken')"}, entry="tiny")


def test_the_view_under_bubblewrap_is_the_interpreter_and_nothing_else():
    place = interpreter(sys.executable)
    command = bwrap_command(place)
    bound = [command[at + 1] for at, word in enumerate(command) if word == "--ro-bind"]
    assert set(bound) <= {*place["path"], *place["libraries"], place["executable"], os.path.join(place["prefix"], "lib")}
    assert "--bind" not in command and "--share-net" not in command and "--as-pid-1" in command


PLATFORMS = {
    ("Linux", "x86_64", 1000): {"namespaces": True, "landlock": True, "seccomp": "x86_64", "address_limit": True, "own_uid": False},
    ("Linux", "x86_64", 0): {"chroot": True, "own_uid": True},
    ("Linux", "aarch64", 1000): {"seccomp": "aarch64"},
    ("Linux", "riscv64", 1000): {"seccomp": None, "landlock": True, "prctl": True},
    ("Darwin", "arm64", 501): {"namespaces": False, "landlock": False, "seccomp": None, "prctl": False, "address_limit": False},
    ("Darwin", "x86_64", 0): {"seccomp": None, "chroot": False, "own_uid": False},
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_platforms_have(platform):
    features = platforms.platform_features(*platform)
    assert {name: features[name] for name in PLATFORMS[platform]} == PLATFORMS[platform]


@pytest.mark.skipif(not LINUX, reason="plays another system on Linux")
@pytest.mark.parametrize("system, machine", [("Darwin", "arm64"), ("Linux", "riscv64")])
def test_a_poorer_platform_still_contains(system, machine):
    features = {**platforms.platform_features(system, machine, 1000), "system": "Linux"}       # memory is read the Linux way
    with make(isolation="limits", features=features) as box:
        assert box.layers["seccomp"] is False and box.layers["address limit"] is features["address_limit"]
        for name in ("memory, bit by bit", "processes", "read a file", "a pair of sockets", "kill the helper", "output",
                     "os._exit", "swallow the denial", "fault in C"):
            body, expected = HOSTILE[name]
            first, case, second = one(box, f"def f():\n {body}\ndef g(): return 1", "g()", "f()", "g()")
            assert (first["output"], case["status"] in expected, second["output"]) == ("1", True, "1"), (name, case)
    if not features["landlock"]:
        with pytest.raises(SandboxError, match="Landlock"):
            make(isolation="landlock", features=features)


# ---------------------------------------------------------------- what has to be proven

def faked(system: str, machine: str = "x86_64", uid: int = 1000, **more) -> dict:
    "Another platform's features, for a helper on this one."
    return {**platforms.platform_features(system, machine, uid), "system": "Linux", **more}


@each_level
def test_a_level_that_keeps_both_promises_is_proven_to(level):
    with make(isolation=level) as box:
        if level != "limits" or box.layers["own root"]:
            assert box.layers["no network"] and box.layers["no foreign files"]
        before = box.process.pid
        box.close()
        assert one(box, "def f(): return 1")[0]["output"] == "1" and box.process.pid != before and box.layers["no network"] is not None


@pytest.mark.skipif(not LINUX, reason="plays another system on Linux")
@pytest.mark.parametrize("features, open_ways", [
    (faked("Darwin", "arm64", 501), ("no network", "no foreign files")),            # no filter, no Landlock, no namespace
    (faked("Linux", landlock=False), ("no foreign files",)),                        # an old kernel: a filter and no more
    (faked("Linux", "riscv64", landlock=False), ("no network", "no foreign files")),
    (faked("Linux", seccomp=None, landlock=False, chroot=True, own_uid=True), ("no network",)),
])
def test_a_weaker_place_is_found_out_and_refused(features, open_ways):
    if features["own_uid"] and os.geteuid() != 0:
        pytest.skip("only root can give a program another user")
    with make(isolation="limits", features=features) as box:
        assert [promise for promise in ("no network", "no foreign files") if not box.layers[promise]] == list(open_ways)
    for asked, promises in platforms.BARS.items():
        if set(promises) & set(open_ways):
            with pytest.raises(SandboxError) as refused:
                make(isolation="limits", features=features, min_isolation=asked)
            said = str(refused.value)
            assert "\n" not in said and all(promise in said for promise in promises) and "a program could" in said
            assert "bubblewrap" in said or not features["namespaces"]
            assert "--min-isolation" in said
        else:
            make(isolation="limits", features=features, min_isolation=asked).close()


@pytest.mark.skipif(not LINUX, reason="plays poorer systems on Linux")
@pytest.mark.parametrize("level, without, keeps", [
    ("bwrap", {"seccomp": None, "landlock": False}, {"no network", "no foreign files"}),    # namespaces alone
    ("landlock", {"seccomp": None}, {"no foreign files"}),                                   # lets datagrams out
    ("limits", {"landlock": False}, {"no network"}),                                         # seccomp alone
    ("limits", {"landlock": False, "seccomp": None}, set()),
])
def test_what_each_layer_stops_by_itself(level, without, keeps):
    if REFUSED[level]:
        pytest.skip(REFUSED[level])
    features = {**platforms.platform_features(), "chroot": False, "own_uid": False, **without}
    with make(isolation=level, features=features) as box:
        assert {promise for promise in ("no network", "no foreign files") if box.layers[promise]} == keeps


@pytest.mark.skipif(not LINUX, reason="plays another system on Linux")
def test_the_bar_is_full_unless_something_else_is_said(monkeypatch):
    weak = {"isolation": "limits", "features": faked("Darwin", "arm64", 501), "min_isolation": None}
    monkeypatch.delenv("VERIFIED_CODE_COT_MIN_ISOLATION", raising=False)
    with pytest.raises(SandboxError, match="no network and no foreign files"):
        make(**weak)
    monkeypatch.setenv("VERIFIED_CODE_COT_MIN_ISOLATION", "none")
    make(**weak).close()
    monkeypatch.setenv("VERIFIED_CODE_COT_MIN_ISOLATION", "some")
    with pytest.raises(SandboxError, match="--min-isolation 'some' is none of full, no-network, no-files, none"):
        make(**weak)


@pytest.mark.skipif(not LINUX, reason="plays another system on Linux")
def test_auto_passes_over_levels_that_prove_too_little(monkeypatch):
    weak = faked("Linux", landlock=False, seccomp=None)
    monkeypatch.setattr("verified_code_cot.sandbox.shutil.which", lambda name: None if name == "bwrap" else name)
    with pytest.raises(SandboxError, match="bwrap: bwrap is not installed.*; landlock: .*; limits: a program could connect"):
        make(features=weak, min_isolation="full")
    with make(features=weak) as box:
        assert box.isolation == "limits" and list(box.refused) == ["bwrap", "landlock"]


def test_the_host_believes_its_own_eyes():
    nothing = {"no network": [], "no foreign files": []}
    with Canary() as canary:
        assert canary.broken(dict(nothing)) == nothing
        assert all(canary.broken(None).values()), "a child that says nothing proves nothing"
        Path(canary.file).write_text("touched")
        assert canary.broken(dict(nothing)) == {**nothing, "no foreign files": ["write to a file of yours"]}
    with Canary() as canary:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", ("127.0.0.1", canary.place["udp"]))
        assert canary.broken(dict(nothing)) == {**nothing, "no network": ["be heard by another process"]}
    assert not Path(canary.file).exists()


def test_the_level_stands_in_every_partition(tmp_path):
    from verified_code_cot.engine import map_partitions
    from verified_code_cot.tracing import trace_partition

    programs = [{"id": str(n), "code": f"def f(x):\n    return x + {n}", "entry_point": "f", "cases": [{"call": "f(1)"}]} for n in range(4)]
    limits = {"wall_s": 5, "cpu_s": 5, "events": 100, "memory_mb": 256}
    assert len(list(map_partitions(trace_partition, programs, run_dir=tmp_path, name="t", size=2, workers=0, arguments={"limits": limits}))) == 4
    seals = [json.loads(path.read_text().splitlines()[-1]) for path in (tmp_path / ".parts" / "t").iterdir()]
    assert [seal["isolation"] for seal in seals] == [[AVAILABLE[0]]] * 2


@pytest.mark.skipif(not LINUX, reason="plays another system on Linux")
def test_processes_started_without_a_filter_die_with_their_program():
    features = faked("Darwin", "arm64")
    with make(isolation="limits", features=features, audit=False) as box:
        one(box, "import os, time\ndef f():\n if os.fork() == 0: time.sleep(60)\n return 1")
        assert eventually(lambda: not descendants(box.process.pid))


# ---------------------------------------------------------------- the filter

def ask(code: bytes, machine: str, number: int, *arguments: int) -> str:
    "What a filter answers, by an interpreter of the five instructions that it uses."
    data = struct.pack("=IIQ6Q", number, platforms.AUDIT_ARCH[machine], 0, *arguments, *[0] * (6 - len(arguments)))
    at = word = 0
    while True:
        operation, yes, no, k = struct.unpack_from("=HBBI", code, 8 * at)
        if operation == helper.RETURN:
            return {helper.ALLOW: "allow", helper.KILL: "kill"}.get(k) or f"errno {k & 0xFFFF}"
        if operation == helper.LOAD:
            word, at = struct.unpack_from("=I", data, k)[0], at + 1
        else:
            holds = {helper.EQUAL: word == k, helper.ABOVE: word >= k, helper.ANY_BIT: bool(word & k)}[operation]
            at += 1 + (yes if holds else no)


@pytest.mark.parametrize("machine", platforms.AUDIT_ARCH)
def test_the_filter_answers_each_call_as_the_table_says(machine):
    ours, (childs, holes) = helper.helper_filter(machine), helper.child_filter(machine)
    for name, numbers in helper.SYSCALLS.items():
        number = numbers[0 if machine == "x86_64" else 1]
        if number is None or name in helper.HANDLED_APART:
            continue
        quiet = helper.REFUSED_QUIETLY.get(name)
        assert ask(ours, machine, number) == ("kill" if quiet is None else f"errno {quiet}"), name
        assert ask(childs, machine, number) == "allow", name                # the helper's part, inherited, refuses it
    number = {name: numbers[0 if machine == "x86_64" else 1] for name, numbers in helper.SYSCALLS.items()}
    assert ask(ours, machine, number["openat"], 0, 0, os.O_RDONLY | os.O_CLOEXEC) == "allow"
    assert ask(ours, machine, number["openat"], 0, 0, os.O_RDWR) == "errno 13"
    assert ask(childs, machine, number["clone"], 0x3D0F00) == "allow" and ask(childs, machine, number["clone"], 17) == "kill"
    assert ask(childs, machine, number["clone3"]) == "errno 38"
    filled = bytearray(childs)
    for hole in holes:
        struct.pack_into("=I", filled, 8 * hole + 4, 4242)
    assert ask(bytes(filled), machine, number["kill"], 4242) == "allow" and ask(bytes(filled), machine, number["kill"], 4241) == "kill"
    assert ask(bytes(filled), machine, number["tgkill"], 1) == ask(bytes(filled), machine, number["tkill"], 1) == "kill"
    other = next(name for name in platforms.AUDIT_ARCH if name != machine)
    assert ask(ours, other, 0) == "kill", "another architecture's calling convention"


@pytest.mark.parametrize("place, header", [(0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), (1, "/usr/include/asm-generic/unistd.h")])
def test_the_table_agrees_with_the_kernels_headers(place, header):
    if not Path(header).exists():
        pytest.skip(f"no {header} here")
    listed = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text()))
    wrong = {name: (numbers[place], listed[name]) for name, numbers in helper.SYSCALLS.items()
             if numbers[place] is not None and name in listed and numbers[place] != int(listed[name])}
    assert not wrong and len(listed) > 200
