"""The narrator: everything that it says of an execution is true, it reasons backward without peeking, and it keeps to its budget."""

import ast
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verified_code_cot import narration
from verified_code_cot.narration import BUDGET, STYLES, narrate, tell
from verified_code_cot.records import InputError, Rationale, load, write_jsonl
from verified_code_cot.rendering import same_text
from verified_code_cot.replay import Replay
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.story import Story, story_of
from verified_code_cot.tracing import trace
from verified_code_cot.words import kind, tokens

CRUXEVAL = Path(__file__).parent.parent.parent / "shared" / "data" / "cruxeval.jsonl"
DIRECTIONS = ("forward", "backward")

PROGRAMS = {
    "stack": (
        "class Stack:\n    def __init__(self):\n        self.items = []\n    def push(self, x):\n        self.items.append(x)\n"
        "        return self\n    def pop(self):\n        return self.items.pop()\n",
        "Stack().push(7).push(52).pop()",
    ),
    "fact": ("def fact(n):\n    if n <= 1:\n        return 1\n    return n * fact(n - 1)\n", "fact(9)"),
    "fib": ("def fib(n):\n    if n < 2:\n        return n\n    a = fib(n - 1)\n    b = fib(n - 2)\n    return a + b\n", "fib(6)"),
    "generator": (
        "def evens(limit):\n    for i in range(limit):\n        if i % 2 == 0:\n            yield i\ndef f(n):\n    total = 0\n"
        "    for e in evens(n):\n        total += e\n    return total\n",
        "f(9)",
    ),
    "outermost generator": ("def squares(n):\n    i = 0\n    while i < n:\n        yield i * i\n        i += 1\n", "list(squares(4))"),
    "exceptions": (
        "def parse(xs):\n    good, bad = [], 0\n    for x in xs:\n        try:\n            good.append(int(x))\n"
        "        except ValueError:\n            bad += 1\n    return good, bad\n",
        "parse(['31', 'x', '100'])",
    ),
    "collatz": (
        "def f(n):\n    steps = 0\n    while n != 1:\n        if n % 2 == 0:\n            n = n // 2\n        else:\n"
        "            n = 3 * n + 1\n        steps += 1\n    return steps\n",
        "f(27)",
    ),
    "match": (
        "def f(cmd):\n    match cmd:\n        case ['add', a, b]:\n            return a + b\n        case ['neg', a] if a > 0:\n"
        "            return -a\n        case _:\n            raise ValueError('unknown')\n",
        "f(['neg', 42])",
    ),
    "matrix": (
        "def f(grid):\n    best = 0\n    for row in grid:\n        s = 0\n        for x in row:\n            s += x\n"
        "        if s > best:\n            best = s\n    return best\n",
        "f([[1, 2, 3], [4, 5, 6], [0, 1, 0]])",
    ),
    "helper": (
        "def helper(w):\n    return w[::-1].title()\ndef f(s, k=2):\n    words = s.split()\n    out = []\n    for w in words:\n"
        "        if len(w) > k:\n            out.append(helper(w))\n    return ' '.join(out)\n",
        "f('the quick of fox', k=2)",
    ),
    "object in a loop": (
        "class Account:\n    def __init__(self, owner, balance=0):\n        self.owner = owner\n        self.balance = balance\n"
        "        self.log = []\n    def deposit(self, amount):\n        if amount <= 0:\n"
        "            raise ValueError('bad amount')\n        self.balance += amount\n        self.log.append(('d', amount))\n"
        "        return self.balance\ndef run(amounts):\n    acc = Account('ann', 10)\n    for a in amounts:\n"
        "        acc.deposit(a)\n    return acc.balance, acc.log\n",
        "run([5, 20])",
    ),
    "search": (
        "def bs(xs, t):\n    lo, hi = 0, len(xs) - 1\n    while lo <= hi:\n        mid = (lo + hi) // 2\n"
        "        if xs[mid] == t:\n            return mid\n        elif xs[mid] < t:\n            lo = mid + 1\n        else:\n"
        "            hi = mid - 1\n    return -1\n",
        "bs([1, 3, 5, 7, 9, 11], 9)",
    ),
    "comprehension": (
        "def f(n, words):\n    d = {w: len(w) for w in words if w}\n    return [x * x for x in range(n) if x % 2], d, {c for w in words for c in w}\n",
        "f(6, ['ab', '', 'cde'])",
    ),
    "raises": ("def f(x):\n    y = 10 // x\n    return y\n", "f(0)"),
    "for else": (
        "def f(n):\n    primes = []\n    for c in range(2, n):\n        for p in primes:\n            if c % p == 0:\n"
        "                break\n        else:\n            primes.append(c)\n    return primes\n",
        "f(14)",
    ),
    "with and del": (
        "class Box:\n    def __enter__(self):\n        self.open = True\n        return self\n    def __exit__(self, *e):\n"
        "        self.open = False\ndef f(d, k):\n    with Box() as b:\n        assert k in d, 'missing'\n        del d[k]\n"
        "    return d, b.open\n",
        "f({'a': 10, 'b': 25}, 'a')",
    ),
    "swap and star": (
        "def f(a, b, *rest):\n    a, b = b, a\n    first, *others = rest\n    x = y = a if a > b else b\n"
        "    others[0], others[-1] = others[-1], others[0]\n    return a, b, first, others, x and y or None\n",
        "f(11, 22, 33, 44, 55)",
    ),
    "nested def": (
        "def outer(xs):\n    count = 0\n    def bump(x):\n        nonlocal count\n        count += x\n        return count\n"
        "    return [bump(x) for x in xs], sorted(xs, key=lambda v: -v)\n",
        "outer([4, 15, 6])",
    ),
    "globals": ("SEEN = []\ndef f(x):\n    SEEN.append(x)\n    if len(SEEN) < 3:\n        return f(x + 1)\n    return SEEN\n", "f(70)"),
    "negative powers": ("def f(x):\n    x -= 7\n    y = x ** 2\n    y *= -1\n    return y - x, f'{x}:{y}', not x, -x\n", "f(3)"),
    "backticks": ("def f(s):\n    t = s + '`'\n    return t * 2\n", "f('a`b')"),
    "long": (
        "def f(n):\n    xs = []\n    for i in range(n):\n        if i % 7 == 3:\n            continue\n        xs.append(i * i)\n    return sum(xs)\n",
        "f(900)",
    ),
    "bottles": (
        "def f(xs):\n    while True:\n        x = xs.pop()\n        if not x:\n            break\n    print(len(xs))\n    return xs\n",
        "f([1, 2, 0, 3, 4])",
    ),
}


@pytest.fixture(scope="module")
def box():
    with Sandbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def stories(box):
    found = {}
    for name, (code, call) in PROGRAMS.items():
        t = trace(code, call, sandbox=box, check_determinism=False)
        assert t.ran, (name, t.status, t.exception)
        found[name] = story_of(t, Replay(t, sandbox=box))
    return found


def cruxeval(step: int) -> list[tuple[str, str, str]]:
    if not CRUXEVAL.exists():
        pytest.skip("CRUXEval is not here")
    with open(CRUXEVAL, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [(r["id"], r["code"], f"f({r['input']})") for r in rows[::step]]


# ---- truth


def steps_before(story: Story) -> dict[int, int | None]:
    "For each event, the event before it in the same frame."
    last: dict[int, int] = {}
    found = {}
    for event in story.trace.events:
        found[event.step] = last.get(event.frame)
        last[event.frame] = event.step
    return found


CALLS_WITH_EFFECTS = re.compile(r"\.(pop|popitem|append|remove|sort|reverse|clear|extend|insert|update|add|setdefault|deposit|push)\(|next\(|bump\(|\bf\(|<")


def untrue(story: Story, replay: Replay, facts: set) -> list[str]:
    "The facts that watching the same expressions in another execution contradicts. A fact that cannot be watched must be rare: it is returned too."
    before = steps_before(story)
    facts = {f for f in facts if f.when == "closed" or not CALLS_WITH_EFFECTS.search(f.expression)}
    watched = replay.watch(sorted({f.expression for f in facts if f.when != "closed"}))
    closed = sorted({f.expression for f in facts if f.when == "closed"})
    values = dict(zip(closed, replay.evaluate(closed), strict=True))
    wrong = []
    for fact in sorted(facts, key=lambda f: (f.step, f.expression)):
        if fact.when == "closed":
            if same_text(values[fact.expression], fact.text) is False:
                wrong.append(f"{fact} but {values[fact.expression]}")
            continue
        moment = fact.step if fact.when == "after" else before[fact.step]
        seen = [text for first, last, text in watched[fact.expression] if moment is not None and first <= moment <= last]
        if fact.when == "during" and (not seen or seen[0].startswith("!")):
            continue  # an element of a comprehension, or a name that this very statement binds
        if (
            any("<" in text for text in seen)
            or story.moments.get(fact.step)
            and CALLS_WITH_EFFECTS.search(story.source.lines[fact_line(story, fact) - 1].decode())
        ):
            continue  # iterators are consumed by looking; within a statement with effects, "before" is not the moment of the probe
        if not any(same_text(text, fact.text) is not False for text in seen):
            wrong.append(f"{fact} but {seen}")
    return wrong


def fact_line(story: Story, fact) -> int:
    return story.moments[fact.step].event.line


def facts_of(story: Story, seeds=(0, 1)) -> set:
    facts = set()
    for direction in DIRECTIONS:
        for style in STYLES:
            for seed in seeds:
                facts |= set(tell(story, direction, style, seed, None)[1].facts)
    return facts


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_value_that_is_told_was_there(stories, box, name):
    story = stories[name]
    facts = facts_of(story)
    assert facts or name == "raises"
    replay = Replay(story.trace, sandbox=box)
    watchable = {f for f in facts if "count" not in f.expression} if name == "nested def" else facts
    assert untrue(story, replay, watchable) == []


def test_the_test_of_truth_can_fail(stories, box):
    from dataclasses import replace

    story = stories["matrix"]
    facts = sorted(facts_of(story, seeds=(0,)), key=repr)
    for i in (0, len(facts) // 2, len(facts) - 1):
        wrong = replace(facts[i], text="12345")
        assert untrue(story, Replay(story.trace, sandbox=box), {wrong}), wrong


def test_every_value_told_of_cruxeval_was_there(box):
    checked = 0
    for name, code, call in cruxeval(16):
        t = trace(code, call, sandbox=box, check_determinism=False)
        replay = Replay(t, sandbox=box)
        story = story_of(t, replay)
        facts = facts_of(story, seeds=(0,))
        checked += len(facts)
        assert untrue(story, replay, facts) == [], (name, call)
    assert checked > 500


def code_spans(text: str) -> list[str]:
    return [a or b for a, b in re.findall(r"`` (.+?) ``|`([^`\n]+)`", text.split("<answer>")[0])]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_stands_in_code_without_a_source(stories, name, direction):
    "Each piece of inline code is from the program, from a recorded value, or is a fact that was written down: nothing is invented."
    story = stories[name]
    trace_texts = {t for e in story.trace.events for t in [*e.changed.values(), e.value, e.exception] if t is not None}
    probe_texts = {t for m in story.moments.values() for texts in m.values.values() for t in texts}
    plain = ast.unparse(ast.parse(story.trace.code))
    for style in STYLES:
        rationale, explain = tell(story, direction, style, 3, None)
        facts = {f.text for f in explain.facts} | {f.expression for f in explain.facts}
        known = trace_texts | probe_texts | facts | {story.trace.call, story.trace.output, story.trace.exception}
        for span in code_spans(rationale.rationale):
            pair = re.fullmatch(r"(\w+) = (.+)", span)
            fine = (
                span in known
                or span in {e.function for e in story.trace.events}
                or span in story.trace.code
                or span in plain
                or (pair and pair[2] in known)
                or words_of_python(span)
                or call_of(story, span)
            )
            assert fine, (span, rationale.rationale)


def words_of_python(span: str) -> bool:
    return bool(re.fullmatch(r"[a-z_]+|-1|None|False|str|continue|break|(if|except) .+", span))


def call_of(story: Story, span: str) -> bool:
    return bool(re.fullmatch(r"\w+\(.*\)", span)) and span.split("(")[0] in story.trace.code


# ---- backward reasoning


def literals_of(call: str) -> list[str]:
    "The literals of a call that are long enough to be recognised."
    found = []
    for node in ast.walk(ast.parse(call, mode="eval")):
        if isinstance(node, (ast.Constant, ast.List, ast.Tuple, ast.Dict)) and not isinstance(getattr(node, "ctx", None), ast.Store):
            text = repr(ast.literal_eval(node))
            if len(text) >= 5:
                found.append(text)
    return found


def first_step_offset(text: str, story: Story) -> int:
    "Where the reasoning from the result begins: after what is known at the start."
    return len(text.split("\n\n", 1)[0])


def backward_cases(box, stories):
    yield from stories.values()
    if CRUXEVAL.exists():
        for _, code, call in cruxeval(9):
            t = trace(code, call, sandbox=box, check_determinism=False)
            yield story_of(t, Replay(t, sandbox=box))


def test_the_input_is_not_told_before_a_step_yields_it(box, stories):
    seen = 0
    for story in backward_cases(box, stories):
        for style in STYLES:
            rationale, explain = tell(story, "backward", style, 0, None)
            body = rationale.rationale
            known = story.trace.code + (story.trace.output or "") + (story.trace.exception or "")
            facts = [f.text for f in explain.facts if f.when != "closed"]
            for literal in literals_of(story.trace.call):
                if literal in known or literal not in body:
                    continue
                seen += 1
                at = body.index(literal)
                assert at > opening(body, style), (literal, body)
                assert any(literal in text for text in facts), (literal, body)
                assert at < body.rindex(story.trace.call), body
                assert body.index(story.trace.call) >= at, "the call is told before its parts"
    assert seen > 50


def opening(text: str, style: str) -> int:
    "The end of the part that only says what is to be found and what the code is for."
    if style == "phases":
        return text.index("### Execute")
    return len("\n\n".join(text.split("\n\n")[: 2 if style == "teacher" else 1]))


def test_the_question_of_a_backward_rationale_does_not_hold_the_answer(stories):
    for story in stories.values():
        rationale = tell(story, "backward", "brief", 0, None)[0]
        assert story.trace.call not in rationale.question and rationale.answer == story.trace.call
        assert (story.trace.output or story.trace.exception) in rationale.question


def test_free_choices_are_said_to_be_choices(box):
    lossy = {
        "def f(s):\n    return len(s)\n": "f('abcde')",
        "def f(xs):\n    return sorted(xs)\n": "f([3, 1, 2])",
        "def f(s):\n    return s.upper()\n": "f('aBc')",
        "def f(x):\n    return x % 10\n": "f(1234)",
        "def f(xs):\n    return xs[2]\n": "f([100, 200, 300])",
        "def f(x):\n    return x > 3\n": "f(1000)",
        "def f(s):\n    return set(s)\n": "f([100, 100, 200])",
        "def f(s, unused):\n    return s + 1\n": "f(1, 77777)",
    }
    for code, call in lossy.items():
        t = trace(code, call, sandbox=box, check_determinism=False)
        text = narrate(t, "backward", "brief", replay=Replay(t, sandbox=box)).rationale
        assert re.search(r"choose|choice|free|conditions|fits|not used|no step", text), text
    sure = {"def f(s):\n    return s[::-1]\n": "f('abcde')", "def f(x):\n    return x + 3\n": "f(1234)"}
    for code, call in sure.items():
        t = trace(code, call, sandbox=box, check_determinism=False)
        text = narrate(t, "backward", "brief", replay=Replay(t, sandbox=box)).rationale
        assert not re.search(r"choose|choice|free|any value", text), text


def test_what_is_said_to_be_unused_can_be_changed(box):
    "An argument of which it is said that no step used it: with another value of its type the result is the same, unless a step off the way fails."
    other = {"int": ["7", "0", "-3"], "str": ["'q'", "''", "'a b'"], "list": ["[]", "[1]"], "dict": ["{}", "{'k': 1}"]}
    tried = 0
    for _, code, call in cruxeval(2):
        t = trace(code, call, sandbox=box, check_determinism=False)
        replay = Replay(t, sandbox=box)
        story = story_of(t, replay)
        text = tell(story, "backward", "brief", 0, None)[0].rationale
        names = re.findall(r"used `(\w+)`, so|`(\w+)` was not used on the way", text, re.IGNORECASE)
        arguments = dict(zip([a.arg for a in story.roots[0].node.args.args], ast.parse(call, mode="eval").body.args, strict=False))
        for name in [a or b for a, b in names]:
            if name not in arguments:
                continue
            source = ast.unparse(arguments[name])
            for value in other.get(kind(source), []):
                changed = ", ".join(value if n == name else ast.unparse(a) for n, a in arguments.items())
                tried += 1
                assert replay.run(f"f({changed})").output in (t.output, None), (code, call, changed)
    assert tried > 10


# ---- form


def test_same_seed_same_text_and_another_seed_other_words(stories):
    for story in stories.values():
        for direction in DIRECTIONS:
            one, same = (tell(story, direction, "teacher", 5, None)[0].rationale for _ in range(2))
            assert one == same
            assert len({tell(story, direction, "teacher", seed, None)[0].rationale for seed in range(6)}) >= 3


def test_styles_differ_and_end_with_the_answer(stories):
    for story in stories.values():
        for direction in DIRECTIONS:
            texts = {style: tell(story, direction, style, 0, None)[0] for style in STYLES}
            assert len({r.rationale for r in texts.values()}) == 3
            for rationale in texts.values():
                answer = re.fullmatch(r".*<answer>(.+)</answer>", rationale.rationale, re.DOTALL)[1]
                assert answer == rationale.answer
            phases = texts["phases"].rationale
            assert phases.startswith("<think>") and phases.index("</think>") < phases.index("<answer>")
            assert [phases.index(f"### {p}") for p in ("Understand", "Plan", "Execute", "Reflect")] == sorted(
                phases.index(f"### {p}") for p in ("Understand", "Plan", "Execute", "Reflect")
            )


@pytest.mark.parametrize("budget", [250, 400, 2000])
def test_the_budget_is_kept_where_it_can_be(stories, budget):
    for name in ("long", "collatz", "matrix", "fact", "helper", "for else"):
        for direction in DIRECTIONS:
            for style in STYLES:
                text = tell(stories[name], direction, style, 0, budget)[0].rationale
                least = tokens(tell(stories[name], direction, style, 0, 1)[0].rationale)
                assert tokens(text) <= max(budget, least), (name, direction, style)
                assert least < 400


def test_a_long_loop_is_summed_up(stories):
    for direction in DIRECTIONS:
        text = tell(stories["long"], direction, "teacher", 0, None)[0].rationale
        assert tokens(text) <= BUDGET["teacher"] and "900" in text and text.count("\n- ") < 12


ALTERNATING = """def f(number):
    for _ in range(10):
        number = number - 3 if number % 2 == 0 else 3 * number + 1
    return number
"""
RARE_INSIDE = """def step(x):
    if x == 5:
        return 0
    return x


def f(n):
    total = 0
    for i in range(n):
        total += step(i)
    return total
"""


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_laps_that_choose_differently_are_not_said_to_go_the_same_way(box, direction):
    told = trace(ALTERNATING, "f(28)", sandbox=box)
    for seed in range(6):
        lines = re.findall(r"^- (?:Iterations|Passes|Rounds) .*$", narrate(told, direction, "brief", seed=seed).rationale, re.MULTILINE)
        assert lines and not any(re.search(r"same (way|course)|repeat what|run just like|are like|the pattern of", line) for line in lines), lines


def test_a_lap_whose_call_takes_another_branch_is_told(box):
    told = trace(RARE_INSIDE, "f(12)", sandbox=box)
    for seed in range(6):
        text = narrate(told, "forward", "teacher", seed=seed).rationale
        assert re.search(r"^- .{0,12}(?:(?:[Ii]teration|[Pp]ass|[Rr]ound) 6\b|[Ss]ixth )", text, re.MULTILINE), text


def test_grammar_slips_do_not_return(box, stories):
    slips = re.compile(r"\.;|\.\.|;;| ,|, ,|\bis is\b|  |\bthe the\b|so so|, so [^.;]*, so [^.;]*, so |\{[a-z0-9]\}|None as |\( | \)")
    for story in backward_cases(box, stories):
        for direction in DIRECTIONS:
            for style in STYLES:
                told = tell(story, direction, style, 1, None)[0].rationale
                assert not re.search(r"`(\w+)` (is|becomes|takes) `\1`", told), told
                text = re.sub(r"`` .+? ``|`[^`\n]*`", "`x`", told.split("<answer>")[0])
                assert not slips.search(text), (slips.search(text), text)


# ---- the public function and the stage


def test_narrate_refuses_what_it_cannot_tell(box):
    good = trace("def f(x):\n    return x", "f(1)", sandbox=box, check_determinism=False)
    with pytest.raises(ValueError, match="sideways"):
        narrate(good, "sideways")
    with pytest.raises(ValueError, match="haiku"):
        narrate(good, style="haiku")
    endless = good.model_copy(update={"status": "timeout", "output": None})
    with pytest.raises(ValueError, match="timeout"):
        narrate(endless)


def test_a_call_that_raised_is_told(stories):
    forward, backward = (tell(stories["raises"], d, "brief", 0, None)[0] for d in DIRECTIONS)
    assert forward.answer.startswith("ZeroDivisionError") and "raises `ZeroDivisionError" in forward.rationale
    assert backward.answer == "f(0)" and "`10 // x`" in forward.rationale + backward.rationale or "`y = 10 // x`" in backward.rationale


def test_run_tells_every_trace_and_counts_the_others(tmp_path, box):
    good = trace("def f(x):\n    return x + 1", "f(1)", sandbox=box, check_determinism=False).model_copy(update={"id": "a", "program": "p"})
    raising = trace("def f(x):\n    return x + 1", "f('')", sandbox=box, check_determinism=False).model_copy(update={"id": "b"})
    cut = good.model_copy(update={"id": "c", "status": "events", "cut": True})
    write_jsonl(tmp_path / "data" / "traces.jsonl", [good, raising, cut])
    counts = narration.run(tmp_path, seed=3, workers=0)
    assert counts == {"read": 3, "accepted": 6, "rejected": {"events": 1, "exception": 1}}
    first = (tmp_path / "data" / "rationales.jsonl").read_bytes()
    rationales = load(tmp_path / "data" / "rationales.jsonl", Rationale)
    assert [r.id for r in rationales] == [f"a-{d}-{s}" for d in DIRECTIONS for s in STYLES] and rationales[0].program == "p"
    narration.run(tmp_path, seed=3, workers=0)
    assert (tmp_path / "data" / "rationales.jsonl").read_bytes() == first
    assert narration.run(tmp_path, styles=("brief",), directions=("forward",), raised=True, workers=0)["accepted"] == 2
    with pytest.raises(InputError, match="haiku"):
        narration.run(tmp_path, styles=("haiku",), workers=0)


def test_all_of_cruxeval_can_be_told(box):
    "Every program of CRUXEval, one style and direction each in turn, within the budget or at the least detail."
    told = 0
    for i, (name, code, call) in enumerate(cruxeval(3)):
        t = trace(code, call, sandbox=box, check_determinism=False)
        story = story_of(t, Replay(t, sandbox=box))
        style, direction = STYLES[i % 3], DIRECTIONS[i // 3 % 2]
        rationale = tell(story, direction, style, i, None)[0]
        assert rationale.rationale.endswith(f"<answer>{rationale.answer}</answer>"), name
        told += 1
    assert told == 267


# ---- any program of a small language


NAMES = st.sampled_from(["a", "b"])
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, st.integers(-9, 9).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} > {t[2]} else {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"(-{t[0]} or {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}][{t[0]} % 2]"),
    ),
    max_leaves=5,
)
STATEMENTS = st.recursive(
    st.one_of(
        st.tuples(NAMES, EXPRESSIONS).map(lambda t: [f"{t[0]} = {t[1]}"]),
        st.tuples(NAMES, st.sampled_from(["+", "-", "*"]), EXPRESSIONS).map(lambda t: [f"{t[0]} {t[1]}= {t[2]}"]),
        EXPRESSIONS.map(lambda e: [f"xs.append({e})"]),
        st.just(["a, b = b, a"]),
        st.just(["xs.sort()"]),
        st.just(["xs.reverse()"]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: t[0] + t[1]),
        st.tuples(EXPRESSIONS, inner, inner).map(lambda t: [f"if {t[0]} > 1:", *("    " + s for s in t[1]), "else:", *("    " + s for s in t[2])]),
        st.tuples(st.integers(0, 5), inner).map(lambda t: [f"for i in range({t[0]}):", *("    " + s for s in t[1])]),
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True)
@given(body=STATEMENTS, a=st.integers(-50, 50), b=st.integers(-50, 50))
def test_of_any_small_program_only_the_truth_is_told(box, body, a, b):
    code = "def f(a, b):\n    xs = []\n" + "".join(f"    {line}\n" for line in body) + "    return a, b, xs\n"
    t = trace(code, f"f({a}, {b})", sandbox=box, check_determinism=False)
    if t.output is None or "…" in t.output:
        return
    replay = Replay(t, sandbox=box)
    story = story_of(t, replay)
    assert untrue(story, replay, facts_of(story, seeds=(0,))) == []


def test_what_an_inner_generator_yields_is_told_when_it_is_asked_for(box):
    code = "def inner(n):\n    while n:\n        yield n\n        n -= 1\n\ndef outer(n):\n    yield 9\n    yield from inner(n)\n"
    made = trace(code, "list(outer(3))", sandbox=box)
    for style in STYLES:
        told = narrate(made, "forward", style, seed=0, replay=Replay(made, box)).rationale
        asked = [part for part in told.split("asked for its next value")[1:]]
        for value, part in zip((3, 2, 1), asked, strict=False):
            assert f"`outer` yields `{value}`" in part and all(f"yields `{n}`" not in part for n in (1, 2, 3) if n != value), (style, part)


def test_a_recursion_of_generators_comes_back_with_nothing_and_returns_nothing(box):
    code = "def alternate(rows):\n    if not all(rows):\n        return\n    yield from alternate([row[1:] for row in rows])\n"
    made = trace(code, "list(alternate([[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9]]))", sandbox=box)
    told = narrate(made, "forward", "brief", seed=0, replay=Replay(made, box)).rationale
    assert "n the way back, `alternate([[], []])` has nothing more to yield" in told, told
    assert "`alternate([[], []])` returns" not in told


def test_of_two_tests_in_the_same_words_none_is_told_by_its_iterations(box):
    "`x == 'a'` stands twice in the loop: in which iterations it was true would be said of one of them, and read of both."
    source = ("def f(s):\n    state, n = 'a', 0\n    for x in s:\n        if x in 'pq':\n            if state == 'a':\n                state = 'b'\n"
              "        elif state == 'a':\n            n += 1\n        else:\n            state = 'a'\n    return n\n")
    call = "f('xpxqxppxqxxpxqxp')"
    made = trace(source, call, sandbox=box)
    story = story_of(made, Replay(made, sandbox=box))
    texts = [tell(story, "forward", style, seed, None)[0].rationale for style in STYLES for seed in range(4)]
    assert any("iteration" in text and "only" in text or "of them" in text for text in texts), "something is summed up"
    assert not any(re.search(r"`state == 'a'` is true (?:in|for) [^.;]*(?:only|of them)", text) for text in texts)
