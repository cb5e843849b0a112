"""A case that can be asked again: probes, watches, closed expressions, other calls."""

import json
from pathlib import Path

import pytest
from trace_programs import PROGRAMS

from verified_code_cot.replay import MOST_ANSWERS, MOST_REPLAYS, Replay, ReplayError, replayed, sites, traced
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import box_for, trace, traces

CRUXEVAL = Path(__file__).parents[1].parent / "shared" / "data" / "cruxeval.jsonl"

CODE = """
def f(xs, k):
    out = []
    for i, x in enumerate(xs):
        if x > k and len(out) < 2:
            out.append(x * 2 if x % 2 else x)
    return out
"""


@pytest.fixture
def replay():
    with Replay(trace(CODE, "f([1, 5, 8, 9], 2)")) as session:
        yield session


def test_sites_quote_the_program(replay):
    texts = {(site.kind, site.line, site.source) for site in replay.sites}
    assert {("test", 5, "x > k and len(out) < 2"), ("call", 5, "len(out)"), ("iter", 4, "enumerate(xs)"), ("test", 6, "x % 2"), ("expr", 6, "x * 2")} <= texts
    assert [site.id for site in replay.sites] == list(range(len(replay.sites)))
    assert {site.function for site in replay.sites} == {"f"}


def test_a_site_on_several_lines_is_quoted_whole():
    found = sites("def f(é, b):\n    return (é +\n            b) * 2\n")
    assert [site.source for site in found] == ["(é +\n            b) * 2", "é +\n            b", "é", "b"]


def test_probes(replay):
    names = {site.id: site.source for site in replay.sites}
    told = [(probe.step, names[probe.site], probe.text) for probe in replay.probes() if names[probe.site] in ("x > k", "len(out)", "x % 2")]
    assert told == [(3, "x > k", "False"), (5, "x > k", "True"), (5, "len(out)", "0"), (6, "x % 2", "1"),
                    (8, "x > k", "True"), (8, "len(out)", "1"), (9, "x % 2", "0"), (11, "x > k", "True"), (11, "len(out)", "2")]


def test_watches(replay):
    assert replay.watch(["len(out)", "out[-1]", "zz"]) == {
        "len(out)": [(1, 5, "0"), (6, 8, "1"), (9, 14, "2")],
        "out[-1]": [(1, 5, "!IndexError: list index out of range"), (6, 8, "10"), (9, 14, "8")], "zz": []}


def test_answers_are_kept(replay, monkeypatch):
    replay.fetch(probes=True, watch=["i", "x"], evaluate=["f([3], 1)", "1 + 1"], run=["f([], 0)"])
    monkeypatch.setattr(replay, "ask", None)
    assert replay.probes() and replay.watch(["x"])["x"][0] == (2, 3, "1") and replay.evaluate(["1 + 1", "f([3], 1)"]) == ["2", "[6]"]
    assert replay.run("f([], 0)").output == "[]" and replay.other("f([], 0)").trace.call == "f([], 0)"
    monkeypatch.setattr(replay.other("f([], 0)"), "ask", None)
    assert [probe.text for probe in replay.other("f([], 0)").probes()][:1] == ["[]"]


def test_fetch_says_what_the_single_questions_say(replay):
    other = Replay(replay.trace)
    other.fetch(probes=True, watch=["out", "x * k"], evaluate=["f([9], 1)"], run=["f([7], 1)"])
    assert other.probes() == replay.probes() and other.watch(["out", "x * k"]) == replay.watch(["out", "x * k"])
    assert other.evaluate(["f([9], 1)"]) == replay.evaluate(["f([9], 1)"]) and other.run("f([7], 1)") == replay.run("f([7], 1)")
    assert other.other("f([7], 1)").probes() == replay.other("f([7], 1)").probes()


def test_one_bad_question_does_not_spoil_the_others(replay):
    asked = ["1 + 1", "__import__('os').getpid()", "open('/etc/passwd')", "f([5], 1)", "exit()", "[i for i in iter(int, 1)]", "'a' * 10 ** 12", "x"]
    assert replay.evaluate(asked) == ["2", replay.evaluate(asked)[1], "!denied", "[10]", "!NameError: name 'exit' is not defined", "!timeout",
                                      "!OverflowError: the result is too large", "!NameError: name 'x' is not defined"]
    watched = replay.watch(["k", "open('/etc/passwd')", "k + 1", "[i for i in iter(int, 1)]", "xs.clear()", "out.append(1)"])
    assert watched["k"] == [(0, 14, "2")] and watched["k + 1"] == [(0, 14, "3")]
    assert [text for _, _, text in watched["open('/etc/passwd')"]] == ["!denied"] and watched["[i for i in iter(int, 1)]"][-1][2] == "!timeout"
    assert watched["xs.clear()"] == [(0, 14, "None")]


def test_a_watch_that_changes_the_execution_is_found_out():
    code = "class Count:\n    n = 0\n    def up(self):\n        Count.n += 1\n        return Count.n\ndef f():\n    c = Count()\n    a = c.up()\n    return a\n"
    with Replay(trace(code, "f()")) as session:
        watched = session.watch(["c.up()", "a"])
    assert [text for _, _, text in watched["c.up()"]] == ["!impure"] and watched["a"] == [(2, 8, "1")]


def test_another_execution_is_an_error():
    found = trace("def f(x): return x", "f(1)")
    with pytest.raises(ReplayError) as error:
        Replay(found.model_copy(update={"digest": "0" * 64})).probes()
    assert error.value.status == "changed"
    with pytest.raises(ReplayError) as error:
        Replay(trace("def f(x) return x", "f(1)")).watch(["x"])
    assert error.value.status == "syntax"


def test_other_calls(replay):
    assert replay.run("f([3], 0)").output == "[6]"
    assert replay.run("f(3)").status == "exception" and replay.run("f([").status == "syntax"
    other = replay.other("f([3], 0)")
    assert other.watch(["k"]) == {"k": [(0, len(other.trace.events) - 1, "0")]}


def variables_by_probe(session):
    """`{(step, name): text}` of every name that a probe saw first at a step, taken from `probes`."""
    names = {site.id: site.source for site in session.sites if site.kind in ("expr", "test") and site.source.isidentifier()}
    seen = {}
    for probe in session.probes():
        if probe.site in names:
            seen.setdefault((probe.step, names[probe.site]), probe.text)
    return seen


def agree(found):
    """Where a probe and a watch speak of the same name before the same statement, they say the same; the number of places."""
    session, places = Replay(found), 0
    seen = variables_by_probe(session)
    watched = session.watch(sorted({name for _, name in seen}))
    before, last = {}, {}
    for event in found.events:
        before[event.step] = last.get(event.frame)
        last[event.frame] = event.step
    for (step, name), text in seen.items():
        moment, frame = before[step], found.events[step].frame
        for first, end, value in watched[name]:
            if moment is not None and first <= moment <= end and found.events[first].frame == frame and not value.startswith("!"):
                assert value == text, (found.call, step, name)
                places += 1
    return places


def plain(code):
    """Whether no statement rebinds a name that it also reads (a comprehension's own names, a walrus, a loop's target)."""
    return not any(word in code for word in (":=", "lambda", " for ", "global", "nonlocal", "yield"))


COUNTING = """
def g(n):
    n = n * 2
    return n + 1
def f(xs):
    t = 0
    i = 0
    while i < len(xs):
        t = t + g(xs[i])
        i = i + 1
    return t, xs
"""


def test_probes_and_watches_agree():
    assert agree(trace(COUNTING, "f([3, 4])")) >= 15


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="../shared is not here")
def test_probes_and_watches_agree_on_programs_that_are_not_ours():
    rows = [row for row in map(json.loads, CRUXEVAL.read_text().splitlines()) if plain(row["code"].split(":", 1)[1])][:120]
    found = traces([(row["code"], [f"f({row['input']})"]) for row in rows], box_for())
    assert sum(agree(one) for (one,) in list(found)) > 300


def test_every_program_can_be_replayed():
    for name, code, call in PROGRAMS:
        found = trace(code, call, check_determinism=False)
        session = Replay(found)
        session.fetch(probes=True, watch=["x", "out"])
        assert session.probes() or not session.sites, name
        steps = {probe.step for probe in session.probes()}
        assert steps <= {event.step for event in found.events}, name


def test_a_sandbox_remembers_the_replays_asked_last_and_no_more():
    with Sandbox() as box:
        seen = [trace(f"def f(n):\n    return n + {k}", "f(1)", sandbox=box) for k in range(MOST_REPLAYS + 2)]
        replays = [replayed(one, box) for one in seen]
        assert replayed(seen[-1], box) is replays[-1] and len(box.memory["replays"]) == MOST_REPLAYS
        assert replayed(seen[0], box) is not replays[0], "the oldest were let go"
        replays[-1].kept.update({("value", str(n)): str(n) for n in range(MOST_ANSWERS + 1)})
        assert replayed(seen[-1], box) is not replays[-1], "one with too many answers is begun anew"
        assert traced(seen[3].code, "f(1)", box).digest == seen[3].digest and traced(seen[3].code, "f(1)", box) is traced(seen[3].code, "f(1)", box)


def test_many_kinds_of_questions_are_one_child(monkeypatch):
    with Sandbox() as box:
        one = trace("def f(xs):\n    out = []\n    for x in xs:\n        out.append(x * 2)\n    return out", "f([1, 2])", sandbox=box)
        asked, alone = [], Replay(one, box)
        monkeypatch.setattr(Replay, "ask", lambda self, *cases, ask=Replay.ask: asked.extend(cases) or ask(self, *cases))
        together = Replay(one, box)
        together.fetch(probes=True, watch=["len(out)", "1 / 0"], evaluate=["f([3])", "1 / 0"])
        assert len(asked) == 1
        assert together.probes() and together.watch(["len(out)"]) and together.evaluate(["f([3])", "1 / 0"]) == ["[6]", "!ZeroDivisionError: division by zero"]
        assert len(asked) == 1, "answered from memory"
        assert (alone.probes(), alone.watch(["len(out)", "1 / 0"]), alone.evaluate(["f([3])"])) == (
            together.probes(), together.watch(["len(out)", "1 / 0"]), together.evaluate(["f([3])"]))


def test_an_expression_that_ends_the_child_costs_the_other_answers_nothing():
    with Sandbox() as box:
        one = trace("def f(n):\n    return n\n\ndef loop():\n    while True:\n        pass", "f(1)", sandbox=box)
        replay = Replay(one, box)
        replay.fetch(probes=True, watch=["n"], evaluate=["__import__('os')._exit(3)", "f(2)"])
        assert replay.watch(["n"])["n"] and replay.probes() and replay.evaluate(["f(2)"]) == ["2"]
        assert replay.evaluate(["__import__('os')._exit(3)"])[0].startswith("!")


def test_a_name_that_its_handler_takes_away_is_gone_at_the_same_moment_when_watched():
    box = box_for()
    code = ("def f(xs):\n    log = []\n    for x in xs:\n        try:\n            1 / x\n        except ZeroDivisionError as error:\n"
            "            log.append(str(error))\n            break\n        finally:\n            log.append(x)\n    return log\n")
    replay = Replay(trace(code, "f([1, 0])", sandbox=box), box)
    assert [text for _, _, text in replay.watch(["log[-1:]"])["log[-1:]"]] == ["[]", "[1]", "['division by zero']", "[0]"]
