"""Falsehoods: the mutator finds what a raw text says, changes one thing, and proves by execution that it is false."""
import ast
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_code_cot import falsehoods, mentions
from verified_code_cot.falsehoods import KINDS, any_other, apply, mutant, mutants
from verified_code_cot.mentions import World, mentions as mentions_of, read, statements, written_values
from verified_code_cot.rendering import canonical
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace

SUM = "def f(xs):\n    total = 0\n    for x in xs:\n        if x % 2 == 1:\n            total += x\n    return total"
TEXT = """`xs` is [3, 4, 15], so len(xs) is 3. It starts with `total` = 0. The loop visits 3, 4 and 15.

- In the first iteration, `x` is 3. Since `x % 2` is 1, the condition `x % 2 == 1` holds and `total` becomes 3.
- In the second iteration, `x` is 4, and `x % 2 == 1` is False; `total` stays 3. Here `x` is in `xs`: `x` is in `xs`.
- In the third iteration, `x` is 15. 15 % 2 is 1 and `xs[2]` is 15. The condition `x % 2 == 1` holds, so `total` becomes 18.

The loop ran 3 times. So f([3, 4, 15]) returns 18.

<answer>18</answer>"""


@pytest.fixture(scope="module")
def box():
    with Sandbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def reading(box):
    return read(TEXT, trace(SUM, "f([3, 4, 15])", sandbox=box), "forward", box)


def test_the_mutator_knows_neither_narrator_nor_verifier():
    package = Path(falsehoods.__file__).parent
    seen, todo = set(), ["mentions", "falsehoods", "baselines"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse((package / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                todo.append(node.module)
    assert not seen & {"claims", "phrases", "expressions", "segments", "grounding", "alignment", "verification", "narration", "words", "story"}


def test_at_least_fifteen_kinds_and_the_seven_first():
    assert len(KINDS) >= 15
    assert falsehoods.CRUDE == (
        "wrong value", "wrong branch", "wrong iteration count", "swapped order", "unknown variable", "wrong returned value", "wrong final answer")


def test_this_text_offers_nearly_every_kind(reading):
    found, _ = mutants(reading, seed=0)
    made = {m.kind for m in found}
    assert set(KINDS) - made <= {"letter changed", "iteration doubled"}, "the text has no strings"
    for m in found:
        assert m.text[m.start : m.end] == m.after
        assert m.text[: m.start] + m.before + m.text[m.end :] == TEXT, m.kind
        assert m.why


def test_every_mutant_of_a_value_is_false_of_a_plain_execution(reading):
    """An oracle without probes and replay: the program run here, all values of `total` and `x` noted."""
    seen, checked = {"x": {3, 4, 15}, "total": {0, 3, 18}}, 0
    for seed in range(30):
        for kind in ("digit changed", "sign changed", "wrong value"):
            m, _ = mutant(reading, kind, seed)
            said = re.search(r"(?<![\w.])(x|total)` (?:is|becomes|stays|=) $", m.text[: m.start])
            value = canonical(m.after)
            if said and value is not None and value.lstrip("-").isdigit():
                line = m.text[m.text.rfind("\n", 0, m.start) + 1 : m.text.find("\n", m.end)]
                x = re.search(r"`x` is (\d+)", line)
                wrong_here = x is not None and said.group(1) == "total"
                assert int(value) not in seen[said.group(1)] or wrong_here, m
                checked += 1
    assert checked > 20


def test_equivalent_changes_are_left_out(box):
    """The value of `b` is also the other value that the text could say; sets and orders of equal elements change nothing."""
    code = "def f():\n    a = {1, 2}\n    b = [7, 7]\n    return len(a) + len(b)"
    told = trace(code, "f()", sandbox=box)
    here = read("`a` is {1, 2}. `b` is [7, 7].", told, "forward", box)
    for seed in range(8):
        m, left_out = mutant(here, "elements swapped", seed)
        assert m is None and set(left_out) <= {"equivalent"}


def test_a_backward_answer_is_judged_by_execution(box):
    code = "def f(a, b):\n    return a + b"
    here = read("Take 2 and 3.\n\n<answer>f(2, 3)</answer>", trace(code, "f(2, 3)", sandbox=box), "backward", box)
    for seed in range(6):
        m, _ = mutant(here, "wrong final answer", seed)
        assert eval(m.after, {"f": lambda a, b: a + b}) != 5
    same = read("<answer>f('ab', 1)</answer>", trace("def f(s, n):\n    return len(s) * 0", "f('ab', 1)", sandbox=box), "backward", box)
    for seed in range(4):
        m, left_out = mutant(same, "wrong final answer", seed)
        assert m is None and left_out["equivalent"] > 0, "every call gives 0"


def test_what_is_supposed_or_quoted_is_not_touched(box):
    text = "If `x` is 3, we stop. Suppose `total` is 0.\n\n```python\ntotal = 0\n```\n`total` is not 5."
    here = read(text, trace(SUM, "f([3, 4, 15])", sandbox=box), "forward", box)
    assert here.mentions == [] and mutants(here)[0] == []


def test_a_condition_is_not_taken_for_two_statements(box):
    here = read("For `x` = 4, `x % 2 == 1` is False.", trace(SUM, "f([3, 4, 15])", sandbox=box), "forward", box)
    assert ("x % 2", "1") not in [m.fact for m in here.mentions]


def test_the_world_knows_proposed_calls(box):
    told = trace(SUM, "f([3, 4, 15])", sandbox=box)
    world = World(told, "We could also call f([5]), where `total` becomes 5.", box)
    assert world.holds([("total", "5")]) is True and World(told, "", box).holds([("total", "5")]) is False


def test_joint_facts_are_asked_at_one_moment(reading):
    assert reading.world.holds([("x", "4"), ("total", "3")]) is True
    assert reading.world.holds([("x", "3"), ("total", "18")]) is False
    assert reading.world.holds([("x % 2 == 1", "True"), ("x", "4")]) is False


def test_the_same_seed_gives_the_same_mutants_and_another_gives_others(reading, box):
    again = read(TEXT, trace(SUM, "f([3, 4, 15])", sandbox=box), "forward", box)
    assert mutants(again, seed=3) == mutants(reading, seed=3)
    assert mutants(reading, seed=4)[0] != mutants(reading, seed=3)[0]


@pytest.mark.parametrize(("text", "sources"), [
    ("the list's head isn't 3", ["3"]), ("f(-4) and g[2]", ["-4", "2"]), ("(3) is a remark, (3,) a tuple", ["3", "(3,)"]), ("x-1 is 2", ["1", "2"]),
    ("'a, b' and \"it's\"", ["'a, b'", "\"it's\""]),
    ("v1.2 of {'a': [1, (2, 3)]}", ["{'a': [1, (2, 3)]}"]), ("[1, 2 and 'open", ["1", "2"]),
    ("1e3, 2.5 and 10", ["1e3", "2.5", "10"]),
])
def test_literals_in_prose(text, sources):
    assert [v.source for v in written_values(text)] == sources


@given(st.text(alphabet="ab1 .`'\"[](){},:=\n→-", max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_cut_into_statements_and_literals(text):
    spans = [(s.start, s.end) for s in statements(text)]
    assert all(a < b for a, b in spans) and all(x[1] <= y[0] for x, y in zip(spans, spans[1:], strict=False))
    values = written_values(text)
    assert all(text[v.start : v.end] == v.source and canonical(v.source) == v.value for v in values)
    mentions.mentions(text, {"a", "b"})


PLAIN = st.integers(-50, 500) | st.booleans() | st.text("abcXY", max_size=5)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner), max_leaves=6))
@settings(max_examples=200, deadline=None)
def test_every_small_change_of_a_value_is_a_value(value):
    for new in any_other(repr(value)):
        assert canonical(new) is not None, (value, new)


def test_a_change_of_two_places_is_one_mutant():
    m = apply("x is 1, then 2.", falsehoods.Change(((5, 6, "2"), (13, 14, "1")), "x is 1 before it is 2", True), "swapped order")
    assert (m.text, m.before, m.after) == ("x is 2, then 1.", "1, then 2", "2, then 1") and m.text[m.start : m.end] == m.after


@pytest.mark.parametrize("gap", [" " * 150, "\t " * 75, " \n" * 75, "`" * 150, " is " * 40, " = " * 50])
def test_a_long_run_between_an_expression_and_its_value_is_read_at_once(gap):
    began = time.perf_counter()
    mentions_of(f"`x` is `'1{gap}3'`; `y`{gap}{gap}5 and `x` is{gap}3.", {"x", "y"})
    assert time.perf_counter() - began < 2
