"""Rationales judged: code, call and marked text in, the marks that the verifier gives out."""
import json
import os
import random
import time

import pytest

from verified_code_cot.alignment import Costs, Leaf, Placed, align
from verified_code_cot.claims import Claim, Pin, Reading
from verified_code_cot.forms import Asked, Grounding, ground
from verified_code_cot.grounding import Fact, Inquiry, answer_all
from verified_code_cot.records import Rationale, Trace, Verdict, load, write_jsonl
from verified_code_cot.replay import Replay
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import REASONS, STATUS_REASONS, Thresholds, as_call, explanation, reward, run, verify, verify_record
from verified_code_cot.view import pieces, view, view_assets


@pytest.fixture(scope="module")
def box():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize(("subject", "relation", "observed", "claimed", "sentence"), [
    ("nums[0:1]", "==", "[]", "(3,)", "`nums[0:1]` is `[]`, not `(3,)`"),
    ("k", "in", "4", "[1, 2]", "`k` is `4`, so `k in [1, 2]` is false"),
    ("k", "!=", "4", "4", "`k` is `4`, so `k != 4` is false"),
    ("xs", "", "xs: [] → [3]", "2 appended", "`xs` goes from `[]` to `[3]`; claimed was 2 appended"),
    ("x > 2", "", "skipped", "taken", "`x > 2` is skipped, not taken"),
    ("the loop", "", "goes on", "ends", "the loop goes on; claimed was ends"),
    ("the assertion", "", "fails", "passes", "the assertion fails"),
    ("f(0)", "==", "raises ValueError: no", "3", "`f(0)` raises ValueError: no; claimed was `3`"),
    ("the exception", "", "no exception", "ValueError", "there is no exception; claimed was `ValueError`"),
    ("", "", "<function f>", "3", "it is `<function f>`, not `3`"),
])
def test_an_explanation_is_a_sentence(subject, relation, observed, claimed, sentence):
    grounding = Grounding(claimed, (Fact(0, 0, observed, holds=False),), timeless=True, subject=subject, relation=relation)
    assert explanation(Placed("contradicted", grounding, grounding.facts[0], observed)) == sentence


# ---------------------------------------------------------------- the little language
# Every line of a text begins with what the verifier must make of it: + supported, - contradicted, ? neither.

def marks_of(verdict, text):
    "The mark of every line: - when something in it is contradicted, else + when something is supported, else ?."
    found, start = [], 0
    for line in text.split("\n"):
        inside = {c.verdict for c in verdict.claims if start <= c.start and c.end <= start + len(line)}
        found.append("-" if "contradicted" in inside else "+" if "supported" in inside else "?")
        start += len(line) + 1
    return found


def check(box, code, call, marked, direction="forward", **more):
    "Verify a marked text, and show it beside what was made of it where the two differ."
    lines = [line for line in marked.strip("\n").split("\n")]
    wanted, text = [line[:1] for line in lines], "\n".join(line[2:] for line in lines)
    made = verify(text, trace(code, call, sandbox=box), direction, sandbox=box, **more)
    got = marks_of(made, text)
    table = "\n".join(f"{'   ' if w == g else '>> '}{w} {g}  {line[2:]}" for w, g, line in zip(wanted, got, lines, strict=True))
    whys = "\n".join(f"   {c.verdict}: {c.text!r}: {c.why}" for c in made.claims)
    assert got == wanted, f"wanted, got, line:\n{table}\n{whys}"
    return made


DIGITS = """
def f(text):
    count = 0
    for c in text:
        if c.isdigit():
            count += 1
    return count
"""


def test_a_walk_through_with_a_false_step_before_a_right_answer(box):
    made = check(box, DIGITS, "f('a7b8')", """
+ `count` is initialized to 0.
+ - For `c = 'a'`: it is not a digit, so `count` remains 0.
- - For `c = '7'`: it is a digit, so `count` becomes 2.
+ - For `c = 'b'`: it is not a digit, so `count` remains 1.
+ - For `c = '8'`: it is a digit, so `count` becomes 2.
+ The function returns 2.
+ <answer>2</answer>
""")
    assert (made.verdict, made.reason_code, made.answer.correct) == ("contradicted", "false_claim", True)
    false = next(c for c in made.claims if c.verdict == "contradicted")
    assert (false.claimed, false.observed, false.line) == ("2", "1", 6)
    assert false.why == "`count` is `1` at step 6 (line 6), not `2`; it is so from step 11 (line 6)"


def test_the_same_text_with_true_steps_is_verified(box):
    made = check(box, DIGITS, "f('a7b8')", """
+ `count` is initialized to 0.
+ - For `c = 'a'`: it is not a digit, so `count` remains 0.
+ - For `c = '7'`: it is a digit, so `count` becomes 1.
+ - For `c = 'b'`: it is not a digit, so `count` remains 1.
+ - For `c = '8'`: it is a digit, so `count` becomes 2.
+ The function returns 2.
+ <answer>2</answer>
""")
    assert made.verdict == "verified" and made.score > 0.9 and made.coverage.contradicted == 0


def test_true_only_at_another_time_is_contradicted_and_says_when(box):
    made = check(box, DIGITS, "f('78')", """
+ - First iteration (`c = '7'`): `count` becomes 1.
- - Second iteration (`c = '8'`): `count` becomes 1.
+ <answer>2</answer>
""")
    false = next(c for c in made.claims if c.verdict == "contradicted")
    assert false.observed == "2" and "it is so from step" in false.why


def test_an_iteration_that_never_comes(box):
    made = check(box, DIGITS, "f('7')", """
+ - First iteration (`c = '7'`): `count` becomes 1.
- - Second iteration (`c = '9'`): `count` becomes 2.
+ <answer>1</answer>
""")
    assert made.verdict == "contradicted"


def test_a_second_element_of_the_same_value_is_another_lap(box):
    check(box, DIGITS, "f('7x7')", """
+ - For `c = '7'`: `count` becomes 1.
+ - For `c = 'x'`: `count` stays 1.
+ - For `c = '7'`: `count` becomes 2.
+ <answer>2</answer>
""")
    check(box, DIGITS, "f('7x7')", """
+ - For `c = '7'`: `count` becomes 1.
+ - For `c = 'x'`: `count` stays 1.
- - For `c = '7'`: `count` stays 1.
+ <answer>2</answer>
""")


GROWN = """
def f(base, nums):
    base.extend(nums)
    res = base.copy()
    for i in range(-len(nums), 0):
        res.append(res[i])
    return res
"""


def test_source_expressions_take_the_value_of_their_own_evaluation(box):
    check(box, GROWN, "f([9, 7], [2, 4])", """
+ `res` is `[9, 7, 2, 4]` at first.
+ - When `i = -2`: `res[-2]` is 2, so `res` becomes `[9, 7, 2, 4, 2]`.
- - When `i = -1`: `res[-1]` is 4.
+ The function returns `[9, 7, 2, 4, 2, 2]`.
+ <answer>[9, 7, 2, 4, 2, 2]</answer>
""")


SEARCH = """
def f(text, sub):
    a = 0
    b = len(text) - 1
    while a <= b:
        c = (a + b) // 2
        if text.rfind(sub) >= c:
            a = c + 1
        else:
            b = c - 1
    return a
"""


def test_wrong_operands_of_right_arithmetic(box):
    made = check(box, SEARCH, "f('dorfunctions', '2')", """
+ `a` is 0.
- `b = len('dorfunctions') - 1 = 12`
- `c = (0 + 12) // 2 = 6`
+ `text.rfind('2')` returns -1.
+ The function returns 0.
+ <answer>0</answer>
""")
    assert made.answer.correct


def test_a_variable_that_does_not_exist(box):
    made = check(box, DIGITS, "f('7')", """
+ `count` is initialized to 0.
- `total` becomes 1.
+ <answer>1</answer>
""")
    assert "no variable total" in next(c.why for c in made.claims if c.verdict == "contradicted")


CASES = """
def f(s):
    if s.isupper():
        return True
    else:
        return False
"""


def test_backward_any_input_that_gives_the_output_is_right(box):
    made = check(box, CASES, "f('Ohno')", """
? Let us take any text that is not in capitals.
? ```python
+ assert f('hello') == False
? ```
+ This assertion will pass because `'hello'.isupper()` is False.
""", "backward")
    assert made.answer.correct is True and made.answer.text == "f('hello')"


def test_backward_a_proposal_that_does_not_give_the_output(box):
    made = check(box, CASES, "f('Ohno')", """
? ```python
- assert f('HELLO') == False
? ```
- This assertion should pass.
""", "backward")
    assert made.verdict == "contradicted" and made.answer.correct is False and made.reason_code == "wrong_answer"


def test_the_answer_field_overrides_the_text(box):
    text = "- For `c = '7'`: it is a digit, so `count` becomes 1.\n\n<answer>1</answer>"
    example = trace(DIGITS, "f('7')", sandbox=box)
    assert verify(text, example, answer="2", sandbox=box).answer.model_dump() == {"text": "2", "correct": False}
    assert verify(text.replace("<answer>1", "<answer>9"), example, answer="1", sandbox=box).answer.correct is True


@pytest.mark.parametrize("answer, correct", [("1", True), ("1.0", False), ("True", False), ("[1]", False), ("len('a')", True), ("'1'", False), ("what", False)])
def test_forward_answers_are_compared_by_type_and_value(box, answer, correct):
    assert verify("It is counted.", trace(DIGITS, "f('7')", sandbox=box), answer=answer, sandbox=box).answer.correct is correct


def test_arguments_alone_are_taken_for_the_call():
    assert as_call("'x', 3", "f(1, 2)") == "f('x', 3)" and as_call("f(3)", "f(1)") == "f(3)" and as_call("Stack(2).pop()", "Stack().pop()") == "Stack(2).pop()"


# ---------------------------------------------------------------- never a pass

NEVER = ["", "   \n", "\x00\x01\x02" * 50, "Das Ergebnis steht fest, wie jeder sieht.", "The function returns 1.\n\n<answer>1</answer>", "<answer>1</answer>",
         "1", "It works as expected. It really does. Therefore all is well.", "x" * 300_000]


@pytest.mark.parametrize("text", NEVER, ids=range(len(NEVER)))
def test_what_says_nothing_is_never_verified(box, text):
    made = verify(text, trace(DIGITS, "f('7')", sandbox=box), sandbox=box)
    assert made.verdict in ("unsupported", "error") and made.reason_code in REASONS


def test_no_trace_is_no_pass(box):
    text = "- For `c = '7'`: it is a digit, so `count` becomes 1.\n\n<answer>1</answer>"
    assert verify(text, None, sandbox=box).reason_code == "no_trace"
    empty = trace(DIGITS, "f('7')", sandbox=box).model_copy(update={"events": []})
    assert verify(text, empty, sandbox=box).verdict == "error"
    assert verify(text, trace(DIGITS, "f(7)", sandbox=box), sandbox=box).reason_code == "raised"


def test_an_error_in_the_verifier_is_an_error_verdict(box, monkeypatch):
    def broken(*_):
        raise KeyError("lost")
    monkeypatch.setattr("verified_code_cot.verification.coverage_of", broken)
    made = verify("- For `c = '7'`: `count` becomes 1.\n<answer>1</answer>", trace(DIGITS, "f('7')", sandbox=box), sandbox=box)
    assert (made.verdict, made.reason_code, made.score) == ("error", "internal", 0.0)


RECORD = {"id": "r", "code": DIGITS, "call": "f('7')", "output": "1", "direction": "forward",
          "rationale": "`count` becomes 1.\n<answer>1</answer>", "answer": None}


@pytest.mark.parametrize("change, reason", [
    ({"output": "2"}, "wrong_output"), ({"code": "def f(:"}, "bad_code"), ({"call": "f("}, "bad_call"), ({"call": "f()"}, "bad_call"),
    ({"direction": "up"}, "bad_record"), ({"rationale": 3}, "bad_record"), ({"rationale": ""}, "empty_text"), ({"code": None}, "bad_record"),
    ({"code": "import not_there\ndef f(x):\n    return 1\n"}, "missing_import"), ({"code": "def f(x):\n    while True: pass\n"}, "limits"),
    ({"code": "import random\ndef f(x):\n    return random.random()\n", "output": None}, "nondeterministic"),
    ({"code": "def f(x):\n    return open('/etc/passwd').read()\n", "output": None}, "denied")])
def test_bad_records_are_errors_with_their_reason(box, change, reason):
    made = verify_record({**RECORD, **change}, box)
    assert (made.verdict, made.reason_code, made.id) == ("error", reason, "r") and "\n" not in made.reason


def test_records_that_are_no_records(box):
    assert verify_record({}, box).reason_code == "bad_record" and verify_record([], box).reason_code == "bad_record"
    assert set(STATUS_REASONS.values()) <= set(REASONS)


def test_an_id_may_be_a_number_and_extra_keys_are_left_alone(box):
    made = verify_record({**RECORD, "id": 7, "model": "m"}, box)
    assert made.id == "7" and made.verdict == "verified", made


# ---------------------------------------------------------------- hostile texts

def test_hostile_claims_end_in_bounded_time_and_are_never_executed_here(box, tmp_path):
    target = tmp_path / "owned"
    text = "\n".join(["- For `c = '7'`: `count` becomes 1.", "`9**9**9**9` is 3.", f"`__import__('os').system('touch {target}')` returns 0.",
                      f"`open('{target}', 'w')` is True.", "`count` is `" + "9" * 5000 + "`.", "`count` becomes `" + "[" * 900 + "]" * 900 + "`.",
                      "`'a' * 10**11` has 5 characters.", "`f(f(f('7')))` returns 1.", "<answer>1</answer>"])
    started = time.monotonic()
    made = verify(text, trace(DIGITS, "f('7')", sandbox=box), sandbox=box)
    assert made.verdict != "verified" and not target.exists() and time.monotonic() - started < 20


def test_random_bytes_have_a_verdict(box):
    rng, example = random.Random(3), trace(DIGITS, "f('7')", sandbox=box)
    for size in (10, 300, 3000):
        text = "".join(chr(rng.choice([9, 10, 32, 39, 40, 61, 91, 93, 96, *range(97, 123), 0x301, 0x1F600])) for _ in range(size))
        assert verify(text, example, sandbox=box).verdict in ("unsupported", "contradicted", "error")


def test_a_long_text_about_a_long_trace_takes_about_a_second(box):
    code = "def f(n):\n    total = 0\n    for i in range(n):\n        if i % 2 == 0:\n            total += i\n    return total\n"
    example = trace(code, "f(2000)", sandbox=box)
    assert len(example.events) > 4500
    rows, total = [], 0
    for i in range(200):
        total += i if i % 2 == 0 else 0
        rows.append(f"- For `i = {i}`: `i % 2` is {i % 2}, so `total` {'becomes' if i % 2 == 0 else 'remains'} {total}.")
    text = "\n".join(rows) + f"\nThe function returns {example.output}.\n<answer>{example.output}</answer>"
    assert len(text.split()) > 2000
    started = time.process_time()
    made = verify(text, example, sandbox=box)
    assert made.verdict == "verified", made.reason
    assert time.process_time() - started < 4  # a second on a free core; the machines that run this are not


# ---------------------------------------------------------------- alignment alone

COSTS = Costs()


def laid(box, code, call, story, costs=COSTS):
    "The verdicts that the alignment gives to (subject, value, moment, pins, recap) told in this order."
    inquiry = Inquiry(Replay(trace(code, call, sandbox=box), box))
    claims = [Claim(0, 0, "", "state", [Reading("value", s, "==", v, m)], pins=tuple(pins)) for s, v, m, pins, _ in story]
    groundings = answer_all(inquiry, [lambda c=c: ground(Asked(c, c.readings[0], inquiry.real, inquiry)) for c in claims])
    placed = align(inquiry.real, [Leaf(i, c, [g], story[i][4]) for i, (c, g) in enumerate(zip(claims, groundings, strict=True))], costs)
    return "".join({"supported": "+", "contradicted": "-", "unverifiable": "?"}[placed[i].verdict] for i in range(len(story)))


WHILE = "def f(n):\n    steps = 0\n    while n > 1:\n        n = n // 2\n        steps += 1\n    return steps\n"


def test_order_is_kept_and_a_recap_may_restart(box):
    lap = [(Pin("iteration", ordinal=k, at=k),) for k in range(4)]
    story = [("n", "20", "any", (), False), ("n", "10", "after", lap[1], False), ("n", "5", "after", lap[2], False), ("steps", "2", "after", lap[2], False)]
    assert laid(box, WHILE, "f(20)", story) == "++++"
    swapped = [story[0], ("n", "5", "after", lap[1], False), ("n", "10", "after", lap[2], False)]
    assert laid(box, WHILE, "f(20)", swapped) == "+--"
    assert laid(box, WHILE, "f(20)", [*story, ("n", "20", "start", (), True)]) == "+++++"


def test_values_told_in_the_wrong_order_without_headings(box):
    told = [("steps", str(k), "after", (), False) for k in (1, 2, 3)]
    assert laid(box, WHILE, "f(8)", told) == "+++"
    assert laid(box, WHILE, "f(8)", [told[0], told[2], told[1]]).count("-") == 1


def test_the_last_lap_and_laps_within_laps(box):
    code = "def f(rows):\n    total = 0\n    for row in rows:\n        for x in row:\n            total += x\n    return total\n"
    second, inner = Pin("iteration", ordinal=2, at=1), Pin("iteration", "x", "4", at=2)
    assert laid(box, code, "f([[1, 2], [3, 4]])", [("total", "10", "after", (second, inner), False)]) == "+"
    assert laid(box, code, "f([[1, 2], [3, 4]])", [("total", "6", "after", (second, inner), False)]) == "-"
    assert laid(box, code, "f([[1, 2], [3, 4]])", [("total", "10", "end", (Pin("iteration", ordinal=-1, at=3),), False)]) == "+"


# ---------------------------------------------------------------- reward, stage, view

PAIRS = """def f(rows, low):
    total, kept = 0, []
    for r in rows:
        for x in r:
            total += x if x > low else 0
        kept.insert(0, r.pop())
    result = [t for t in kept if t > low]
    return str(total)
"""
TOLD = """- Iteration 1: the inner loop over `r` runs twice; for `x = 1`, `x > low` is false, and the choice falls on `0`, so `total` is `0` as before; \
for `x = 5`, `total` goes up by `5`, from `0` to `5`; after the inner loop, `5` is inserted into `kept` at index `0`.
- Iteration 2: for `x = 3`, the choice falls on `x`; `total` is now `8`; for `x = 0`, `total` stays `8`.
The list comprehension goes over `kept`, keeping only those for which `t > low` holds, so `result` is `[5]`. `x > low` was true in 2 iterations.
`result` becomes `[5]`, the value of `[t for t in kept if t > low]`. The result is a string.

<answer>'8'</answer>"""


def test_a_function_inside_a_function_is_no_value(box):
    code = "def f(xs):\n    top = []\n    def order(x):\n        return -x\n    top = sorted(xs, key=order)\n    return top\n"
    check(box, code, "f([1, 2])", "+ `top` becomes `[]`.\n+ `order(2)` is -2.\n- `order` is now `[]`.\n+ `top` becomes `[2, 1]`.")


@pytest.mark.parametrize(
    "right, wrong",
    [
        (None, None),
        ("for `x = 1`, `x > low` is false", "for `x = 1`, `x > low` is true"),
        ("for `x = 1`, `x > low` is false", "for `x = 2`, `x > low` is false"),
        ("falls on `0`", "falls on `x`"),
        ("`total` goes up by `5`", "`total` goes up by `4`"),
        ("for `x = 3`, the choice falls on `x`; `total` is now `8`", "for `x = 3`, the choice falls on `x`; `total` is now `5`"),
        ("for `x = 0`, `total` stays `8`", "for `x = 3`, `total` stays `8`"),
        ("`5` is inserted", "`1` is inserted"),
        ("`result` is `[5]`", "`result` is `[5, 0]`"),
        ("was true in 2 iterations", "was never true"),
        ("was true in 2 iterations", "was true in 3 iterations"),
        ("becomes `[5]`, the value", "becomes `[3]`, the value"),
    ],
)
def test_inner_laps_choices_and_tallies_are_held_to_their_own_place(box, right, wrong):
    assert right is None or right in TOLD
    made = verify(TOLD.replace(right, wrong, 1) if right else TOLD, trace(PAIRS, "f([[1, 5], [3, 0]], 1)", sandbox=box), sandbox=box)
    assert made.verdict == ("contradicted" if wrong else "verified"), [(c.text, c.why) for c in made.claims if c.verdict == "contradicted"]


GRID = "def f(rows):\n    n = 0\n    for r in rows:\n        for x in r:\n            if x > 1:\n                n += 1\n    return n\n"
WITHIN = """- Iteration 1: for `x = 1`, `x > 1` here means `1 > 1`, which is false, so this part is skipped; for `x = 4`, `x > 1` is `4 > 1`, which is true, \
so `n` goes up by `1`, from `0` to `1`; in inner iteration 3, adding `1` to `n` gives `1 + 1`, so `n` is now `2`.
`f` returns `2`.
<answer>2</answer>"""


@pytest.mark.parametrize("right, wrong", [(None, None), ("means `1 > 1`", "means `4 > 1`"), ("is `4 > 1`", "is `5 > 1`"), ("is now `2`", "is now `3`")])
def test_what_is_read_late_in_a_line_keeps_the_inner_lap_that_it_stands_in(box, right, wrong):
    text = WITHIN.replace(right, wrong, 1) if right else WITHIN
    assert (text != WITHIN) == bool(right)
    made = verify(text, trace(GRID, "f([[1, 4, 5]])", sandbox=box), sandbox=box)
    assert made.verdict == ("contradicted" if wrong else "verified"), [(c.text, c.why) for c in made.claims if c.verdict == "contradicted"]


AGAIN = """def f(n):
    here = 0
    again = True
    while again:
        again = False
        if here > n:
            here += 1
        elif here < n:
            here += 1
            again = True
    return here
"""
TURNS = """- Iteration 1: `again` is true; `again` is now `False`; `here > n` here means `0 > 1`, which is false; `here` goes up by `1`, from `0` to `1`; \
`again` becomes `True`.
- Iteration 2: `again` is true; `again` is set to `False`.
`f` returns `1`.
<answer>1</answer>"""


@pytest.mark.parametrize("right, wrong", [
    (None, None), ("means `0 > 1`", "means `1 > 1`"),
    ("set to `False`", "set to `True`"), ("Iteration 1: `again` is true", "Iteration 1: `again` is false")])
def test_a_flag_that_is_set_and_an_adverb_with_the_name_of_a_variable(box, right, wrong):
    text = TURNS.replace(right, wrong, 1) if right else TURNS
    assert (text != TURNS) == bool(right)
    made = verify(text, trace(AGAIN, "f(1)", sandbox=box), sandbox=box)
    assert made.verdict == ("contradicted" if wrong else "verified"), [(c.text, c.why) for c in made.claims if c.verdict == "contradicted"]


COUPLE = "class Two:\n    def __init__(self, a, b):\n        self.a, self.b = a, b\n\n    def total(self):\n        return self.a + self.b\n"


def test_a_value_alone_is_no_input_of_a_call_that_is_a_method(box):
    text = ("`Two.total` returns `self.a + self.b`, so `self.a + self.b` is `5`. Of what fits we choose `2` for `self.a`. "
            "`self.b` was `3`.\n<answer>Two(2, 3).total()</answer>")
    real = trace(COUPLE, "Two(2, 3).total()", sandbox=box)
    made = verify(text, real, "backward", sandbox=box)
    assert made.verdict == "verified", [(c.text, c.why) for c in made.claims if c.verdict == "contradicted"]
    assert verify(text.replace("Two(2, 3)", "Two(2, 4)"), real, "backward", sandbox=box).verdict == "contradicted"
    assert verify(text.replace("was `3`", "was `4`"), real, "backward", sandbox=box).verdict == "contradicted"


def test_reward_orders_what_it_should(box):
    true = ("`count` is initialized to 0.\n- For `c = '7'`: it is a digit, so `count` becomes 1.\n- For `c = 'a'`: it is not a digit, so `count` remains 1.\n"
            "The function returns 1.\n<answer>1</answer>")
    texts = [true, true.replace("becomes 1", "becomes 4"), "<answer>1</answer>", "`count` is initialized to 0.\n" * 30 + "<answer>1</answer>",
             true.replace("<answer>1", "<answer>2"), "garbage \x00", ""]
    got = reward([[{"role": "assistant", "content": t}] for t in texts], code=[DIGITS] * 7, call=["f('7a')"] * 7, output=["1"] * 7, sandbox=box, step=3)
    assert len(got) == 7 and all(0 <= x <= 1 for x in got)
    assert got[0] > 0.8 and got[1] < 0.4 and got[2] < 0.3 and got[3] < 0.7 and got[4:] == [0, 0, 0], got


def test_the_stage_writes_one_verdict_a_rationale_in_order(box, tmp_path):
    example = trace(DIGITS, "f('7')", sandbox=box).model_copy(update={"id": "t", "program": "p", "isolation": None})
    texts = {"a": "- For `c = '7'`: it is a digit, so `count` becomes 1.\n<answer>1</answer>", "b": "`count` becomes 5.\n<answer>1</answer>", "c": ""}
    rationales = [Rationale(id=k, program="p", code=DIGITS, call="f('7')", output="1", direction="forward", rationale=t) for k, t in texts.items()]
    rationales.append(rationales[0].model_copy(update={"id": "d", "program": "q"}))
    write_jsonl(tmp_path / "data" / "traces.jsonl", [example])
    write_jsonl(tmp_path / "data" / "rationales.jsonl", rationales)
    counts = run(tmp_path, workers=0)
    verdicts = load(tmp_path / "data" / "verdicts.jsonl", Verdict)
    assert [(v.id, v.verdict) for v in verdicts] == [("a", "verified"), ("b", "contradicted"), ("c", "error"), ("d", "error")]
    assert counts["read"] == 4 and counts["reasons"]["no_trace"] == 1
    before = (tmp_path / "data" / "verdicts.jsonl").read_bytes()
    run(tmp_path, workers=0)
    assert (tmp_path / "data" / "verdicts.jsonl").read_bytes() == before


def test_the_view_marks_escapes_and_links(box):
    text = "- For `c = '7'`: <b>`count` becomes 3</b>.\n<answer>1</answer>"
    example = trace(DIGITS, "f('7')", sandbox=box)
    made = verify(text, example, sandbox=box, id="one")
    page = view(made, example, text, key='k"1')
    assert "<b>" not in page and 'id="k&quot;1"' in page and page.count("<style>") == 1
    assert 'class="vcc-claim contradicted"' in page and "data-step=" in page and "✗" in page
    assert "".join(piece for piece, _ in pieces(text, made.claims)) == text
    assert view(made, None, text, assets=False).startswith("<section") and "__vcc" in view_assets()
    assert "vcc" in made._repr_html_()


# ---------------------------------------------------------------- the shared labelled set, where it is

GOLD = "/work/shared/gold/gold.jsonl"


@pytest.mark.skipif(not os.path.exists(GOLD), reason="the labelled rationales are not part of the project")
def test_gold_answers_are_all_decided(box):
    with open(GOLD, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][::6]
    for row in rows:
        record = {k: row[k] for k in ("id", "code", "call", "output", "direction", "rationale")}
        made = verify_record(record, box)
        assert made.answer.correct is row["answer_correct"], row["id"]
        assert made.verdict != "verified" or all(s["label"] != "F" for s in row["statements"]), row["id"]
        assert all(c.claimed is not None and c.observed is not None for c in made.claims if c.verdict != "unverifiable")


def test_thresholds_decide_how_much_must_be_supported(box):
    text = "- For `c = '7'`: it is a digit, so `count` becomes 1.\nThe year was 1999 and 12 people came.\nThen 13 more came at 5 o'clock.\n<answer>1</answer>"
    example = trace(DIGITS, "f('7')", sandbox=box)
    assert verify(text, example, sandbox=box, thresholds=Thresholds(coverage=0.95)).verdict == "unsupported"
    assert isinstance(example, Trace)


# ---------------------------------------------------------------- what is said in passing is held against the execution, too

def test_a_test_with_its_values_put_in_is_that_test(box):
    check(box, DIGITS, "f('a1')", """
+ In the first iteration, `c.isdigit()` is false, so this part is skipped.
- In the first iteration, `c.isdigit()` is false, so this part is executed.
- In the second iteration, `c.isdigit()` is true, so this part is skipped.
""")
    code = "def f(n, xs):\n    k = 0\n    while k < n:\n        k += 1\n    if k not in xs:\n        k = 0\n    return k\n"
    check(box, code, "f(2, [1])", """
+ Before the first iteration, `k < n` means `0 < 2`, which is true.
- Before the first iteration, `k > n` means `0 < 2`, which is true.
- Then `k in xs` here means `2 not in [1]`, which is true.
+ Then `k not in xs` comes down to `2 not in [1]`, which is true, and the branch is taken.
- Then `k not in xs` comes down to `2 not in [1]`, which is true, and the branch is skipped.
""")


def test_where_the_question_is_a_comparison_so_is_the_answer(box):
    code = "class Pair:\n    def __init__(self, a, b):\n        self.both = [a, b]\n    def __eq__(self, other):\n" \
           "        return isinstance(other, Pair) and self.both == other.both\n"
    for given, right in (("Pair(2, 1) == Pair(2, 1)", True), ("Pair(2, 1) == Pair(1, 2)", False), ("Pair(2, 1)", False)):
        text = f"The result has to be `True`.\n\n`{given}` returns `True`.\n\n<answer>{given}</answer>"
        found = verify_record({"id": "t", "code": code, "call": "Pair(1, 2) == Pair(1, 2)", "output": "True", "direction": "backward",
                               "rationale": text, "answer": None}, box)
        assert (found.verdict == "verified", found.answer.correct) == (right, right)


def test_the_part_that_is_skipped_is_that_of_the_test_spoken_of_last(box):
    code = "def f(xs):\n    n = 0\n    for x in xs:\n        if x > 5:\n            n = 0\n        if x > 1:\n            n += 1\n    return n\n"
    check(box, code, "f([2, 3])", """
+ First `x > 5` is false, so this part is skipped; `x > 1` is true, so `n` becomes `1`; for `x = 3`, `x > 5` is false, so this part is skipped.
- First `x > 5` is false, so this part is skipped; `x > 5` is false, and `x > 1` is true, so this part is skipped.
""")


def test_what_was_before_and_what_follows_a_rule_are_facts(box):
    code = "def f(s):\n    t = s.replace('a', 'b')\n    return t\n"
    check(box, code, "f('cat')", """
+ `s.replace('a', 'b')` puts `'b'` in place of every `'a'` in `s`, so `t` becomes `'cbt'`.
- `s.replace('a', 'b')` puts `'b'` in place of every `'a'` in `s`, so `t` becomes `'cbb'`.
- `s.replace('a', 'b')` puts `'b'` in place of every `'a'` in `s`, so `u` becomes `'cbt'`.
""")
    code = "def f(xs):\n    ys = []\n    for x in xs:\n        ys.append(x * 2)\n    return ys\n"
    check(box, code, "f([1, 2, 3])", """
+ Iterations 3 down to 2 go the same way; before them `ys` was `[2]`.
- Iterations 3 down to 2 go the same way; before them `ys` was `[3]`.
+ The conditions on it are: `len(ys)` is `3`.
- The conditions on it are: `len(ys)` is `4`.
""")


def test_a_value_of_another_kind_said_plainly_and_a_change_from_one_value_to_another(box):
    check(box, DIGITS, "f('a1')", """
- In this call `count` is `[(1, 2)]`.
+ In iteration 2, `count` rises from `0` to `1`.
- In iteration 2, `count` rises from `1` to `1`.
- In iteration 2, `tally` rises from `0` to `1`.
""")


def test_a_float_is_no_int_and_an_error_no_value(box):
    check(box, "def f(n):\n    half = n / 2\n    k = n - 1\n    s = 'abc'[::-1]\n    return s\n", "f(4)", """
+ Here `half` is `2`.
- Here `k` is `3.0`.
- Then `'abc'[::-0]` gives `'cba'`, and `s[::-0]` is `'abc'`.
""")


def test_values_beside_a_condition_stand_in_for_its_names(box):
    code = "def f(xs, x):\n    ys = xs[:]\n    while x in ys:\n        ys.remove(x)\n    return ys\n"
    check(box, code, "f([1, 2], 1)", """
+ What we know of it: `x in ys` is true with `ys` as `[1, 2]`; `x in ys` is false with `ys` as `[2]`.
- What we know of it: `x not in ys` is true with `ys` as `[1, 2]`.
- What we know of it: `x in ys` is false with `ys` as `[2, 3]`.
<answer>f([1, 2], 1)</answer>
""".replace("<answer>", "+ <answer>"), direction="backward")


OBJECTS = """from collections import deque
class Box:
    def __init__(self, size): self.size, self.items = size, []
    def put(self, x):
        self.items.append(x)
        return self
def pieces(xs):
    for x in xs:
        yield x * 2
def f(xs, n):
    box = Box(n)
    waiting = deque(xs)
    while waiting:
        x = waiting.popleft()
        if x != n:
            box.put(x)
    seen = set(xs)
    seen.discard(99)
    return list(pieces(box.items))
"""
SAID = """`box` is now `Box(size=2, items=[])`. `waiting` becomes `deque([1, 2, 3])`.
- Iteration 1: `waiting` is now `deque([2, 3])`; `x` is `1`.
- Iterations 2 to 3 go on like that: `x != n` is true for `x = 3` only; after them `box` is `Box(size=2, items=[1, 3])`.

`seen` is `{1, 2, 3}` as before. `pieces` yields `2`. Then `pieces` yields `6`. `pieces(box.items)` is a `generator` object.

<answer>[2, 6]</answer>"""


@pytest.mark.parametrize(
    "right, wrong",
    [
        (None, None),
        ("`Box(size=2, items=[])`", "`Box(size=3, items=[])`"),
        ("items=[1, 3]", "items=[1, 2]"),
        ("`deque([2, 3])`", "`deque([3])`"),
        ("`x = 3` only", "`x = 2` only"),
        ("`seen` is `{1, 2, 3}` as before", "`seen` is `{1, 2}` as before"),
        ("yields `6`", "yields `4`"),
        ("a `generator` object", "a `list` object"),
    ],
)
def test_objects_generators_and_named_laps(box, right, wrong):
    made = verify(SAID.replace(right, wrong, 1) if right else SAID, trace(OBJECTS, "f([1, 2, 3], 2)", sandbox=box), sandbox=box)
    assert made.verdict == ("contradicted" if wrong else "verified"), [(c.text, c.verdict, c.why) for c in made.claims]


GREW = "def f(xs, n):\n    for i in range(n):\n        xs.append(i)\n    return xs\n"
BACK = (
    "The loop in line 2 ran twice.\n- Iteration 2: {told}; here `i` was `1`.\n\n"
    "`n` is what was passed in; on this way `n` is `2`.\n\n<answer>f([7], 2)</answer>"
)


@pytest.mark.parametrize("true, false", [
    ("before `xs.append(i)`, `xs` was `[7, 0]`, and after it `[7, 0, 1]`", "before `xs.append(i)`, `xs` was `[7, 0, 1]`, and after it `[7, 0]`"),
    ("`xs` became `[7, 0, 1]` through `xs.append(i)`; before it was `[7, 0]`", "`xs` became `[7, 0, 1]` through `xs.append(i)`; before it was `[7]`"),
    ("`xs.append(i)` left `xs` as `[7, 0, 1]`; without it `xs` was `[7, 0]`", "`xs.append(i)` left `xs` as `[7, 0]`; without it `xs` was `[7, 0, 1]`"),
    ("what was in it before is open; so `i` was `1`", "what was in it before is open; so `i` was `0`"),
    ("`i` was `1`; on the way here `n > i` must have been true", "`i` was `0`; on the way here `n > i` must have been true"),
    ("so `[7]` is `[7]` there", "so `[7]` is `[8]` there"),
    ("`i` is `1` and so counts as true", "`i` is `0` and so counts as true"),
])
def test_what_was_before_a_step_of_a_backward_text_is_held_to_the_step(true, false):
    record = {"id": "r", "code": GREW, "call": "f([7], 2)", "output": "[7, 0, 1]", "direction": "backward"}
    with Sandbox() as box:
        said = verify_record(record | {"rationale": BACK.format(told=true)}, box)
        assert said.verdict == "verified", said.reason
        wrong = verify_record(record | {"rationale": BACK.format(told=false)}, box)
    text = BACK.format(told=false)
    assert wrong.verdict == "contradicted"
    assert any(c.verdict == "contradicted" and c.start < text.index(false) + len(false) and text.index(false) < c.end for c in wrong.claims)


@pytest.mark.parametrize("told", [
    "`n` is what was passed in; on this way `n` is `{}`.", "`n` is an argument, so with the choices made `n` is `{}`.",
    "`n` comes straight from the call, and following our choices `n` is `{}`.", "`n` is an argument, and therefore `n` is `{}`.",
])
def test_the_value_of_an_argument_told_as_a_conclusion_is_that_of_the_answer(told):
    text = "The loop in line 2 ran twice. " + told + "\n\n<answer>f([7], 2)</answer>"
    record = {"id": "r", "code": GREW, "call": "f([7], 2)", "output": "[7, 0, 1]", "direction": "backward"}
    with Sandbox() as box:
        verdicts = [verify_record(record | {"rationale": text.format(n)}, box).verdict for n in (2, 3)]
    assert verdicts == ["verified", "contradicted"]


@pytest.mark.parametrize("told, holds", [
    ("`n > i` is true with `i` as `1`; the loop over `range(n)` runs 2 times", True),
    ("`n > i` is true with `i` as `1`; the loop over `range(n)` is skipped 2 times", False),
    ("`i` must have been `0` and `1`, one after the other", True),
    ("`i` must have been `1` and `2`, one after the other", False),
    ("- Iterations 2 down to 1 go the same way; before them `xs` was `[7]`", True),
    ("- Iterations 2 down to 1 go the same way; before them `xs` was `[7, 0]`", False),
])
def test_conditions_laps_and_loops_told_in_passing_are_checked(told, holds):
    text = f"The loop in line 2 ran twice.\n{told}.\n\n<answer>f([7], 2)</answer>"
    record = {"id": "r", "code": GREW, "call": "f([7], 2)", "output": "[7, 0, 1]", "direction": "backward"}
    with Sandbox() as box:
        said = verify_record(record | {"rationale": text}, box)
    assert said.verdict == ("verified" if holds else "contradicted")


def test_an_error_counts_neither_as_true_nor_as_false():
    record = {"id": "r", "code": GREW, "call": "f([7], 2)", "output": "[7, 0, 1]", "direction": "backward",
              "rationale": "The loop in line 2 ran twice. What we know of it: `xs[i]` is true with `i` as `5`.\n\n<answer>f([7], 2)</answer>"}
    with Sandbox() as box:
        said = verify_record(record, box)
    assert [c.verdict for c in said.claims if c.text == "`xs[i]` is true"] in (["contradicted"], ["unverifiable"])


@pytest.mark.parametrize("told, verdict", [
    ("`f` returns `n`, which is `2`.", "supported"), ("`f` returns `n`, which is `1`.", "contradicted"), ("`f` returns `xs`, which is `2`.", "contradicted"),
    ("`f` returns `1`.", "contradicted"), ("`g` returns `1`.", "supported"), ("`n` is returned, that is `2`.", "supported"),
    ("What `f` returns is `1`.", "contradicted"),
])
def test_what_a_named_function_returns_is_not_what_another_one_does(box, told, verdict):
    code = "def g(n):\n    return n + 1\ndef f(xs):\n    n = 0\n    for x in xs:\n        n = g(n)\n        if n > 2:\n            return n\n    return n\n"
    record = {"id": "a", "code": code, "call": "f([1, 2])", "output": "2", "direction": "forward", "rationale": told, "answer": None}
    verdicts = {claim.verdict for claim in verify_record(record, box).claims}
    assert verdict in verdicts and ("contradicted" in verdicts) is (verdict == "contradicted")


COUNTDOWN = "def g(n):\n    out = []\n    while n > 0:\n        out.append(n)\n        n -= 2\n    return out\n"
MOVED = "def h(xs, k):\n    xs.append(k)\n    xs.insert(0, xs.pop(1))\n    return xs\n"
SPREAD = "def s(a, b):\n    total = {}\n    for x, y in b.items():\n        if y % 3 != 2:\n            total[x] = y // 2\n    return sorted(total)\n"


@pytest.mark.parametrize(("code", "call", "marked"), [
    # a lap of a `while` loop opens in the state that its body changes, and the check that ends the loop is told as one more lap
    (COUNTDOWN, "g(3)", "? First iteration:\n+ - `n = 3`, and 3 is appended to `out`.\n+ - `n` is now 1.\n"
                        "? Second iteration:\n- - `n = 2`, and 1 is appended to `out`.\n+ - `n` is now -1.\n+ The function returns `[3, 1]`."),
    (COUNTDOWN, "g(0)", "? Let us go through the loop:\n+ - `n = 0`: `n > 0` is False, so the loop ends.\n+ The function returns `[]`."),
    (COUNTDOWN, "g(0)", "? Let us go through the loop:\n- - `n = 1`: `n > 0` is True, so 1 is appended.\n+ The function returns `[]`."),
    # what still is so may be told later; what just became so may not
    (SPREAD, "s(1, {'a': 4, 'b': 6, 'c': 5})", "+ For `x = 'c'`: `y % 3 != 2` is False.\n+ The `total` dictionary now contains `{'a': 2, 'b': 3}`.\n"
                                               "+ The function returns `['a', 'b']`."),
    (SPREAD, "s(1, {'a': 4, 'b': 6, 'c': 5})", "+ For `x = 'c'`: `y % 3 != 2` is False.\n- The `total` dictionary now contains `{'a': 2}`.\n"
                                               "+ The function returns `['a', 'b']`."),
    # within one statement, a call inside another one leaves a state of its own
    (MOVED, "h([5, 6], 7)", "+ `xs` becomes `[5, 6, 7]`.\n"
     "+ `xs.pop(1)` takes out 6, so `xs` becomes `[5, 7]`.\n+ Then `xs` becomes `[6, 5, 7]`, which is returned."),
    (MOVED, "h([5, 6], 7)", "+ `xs` becomes `[5, 6, 7]`.\n"
     "- `xs.pop(1)` takes out 6, so `xs` becomes `[6, 7]`.\n+ Then `xs` becomes `[6, 5, 7]`, which is returned."),
])
def test_states_are_held_to_the_moment_that_the_words_allow(box, code, call, marked):
    check(box, code, call, marked)


FINDS = "def f(text):\n    i = text.find('b')\n    return text.replace('a', 'x').replace('b', 'y')[i:]\n"


@pytest.mark.parametrize(("marked"), [
    "+ The index of the second 'b' in 'abcb' is 3.\n+ The function returns 'ycy'.",
    "- The index of the second 'b' in 'abcb' is 1.\n+ The function returns 'ycy'.",
    "+ There is no 'a' after index 0 in 'abcb'.\n+ The function returns 'ycy'.",
    "- There is no 'b' after index 2 in 'abcb'.\n+ The function returns 'ycy'.",
    "+ 'abcb' becomes 'xycy' after these replacements.\n+ The function returns 'ycy'.",
    "- 'abcb' becomes 'xbcb', and 'abcb' becomes 'xxcy' after these replacements.\n+ The function returns 'ycy'.",
    "+ The larger of 2 and 5 is 5.\n+ The function returns 'ycy'.",
    "- The larger of 2 and 5 is 2.\n+ The function returns 'ycy'.",
])
def test_places_and_replacements_told_in_words(box, marked):
    check(box, FINDS, "f('abcb')", marked)


def test_backward_a_literal_that_would_return_something_is_an_input(box):
    code = "def f(text):\n    if text.isdigit():\n        return 'int'\n    if text.isalpha():\n        return 'word'\n    return 'other'\n"
    check(box, code, "f('a-b')", "+ `'12'` would return `'int'`, so it will not do.\n"
          "- `'ab'` would return `'other'`.\n? To avoid returning 'int' there must be a sign.\n"
          "+ assert f('1-2') == 'other'", direction="backward")


def test_backward_what_is_needed_and_what_an_operation_gives(box):
    code = "def f(word, n):\n    return word if word.islower() else word[::-1] * n\n"
    check(box, code, "f('abc', 1)", "- We need `n` to be 2 or 3.\n+ Reversing 'abc' gives 'cba'.\n"
          "- Sorting the list [2, 3, 1] in descending order gives [3, 1, 2].\n+ assert f('abc', 5) == 'abc'",
          direction="backward")
    check(box, "def g(word):\n    return word if word.islower() else word[::-1]\n", "g('abc')",
          "- This implies that the input must not be all lowercase.\n- assert g('cba') == 'abc'", direction="backward")


def test_a_variable_written_anew_with_the_same_value_stays_as_it_was(box):
    code = "def top_two(xs):\n    a = b = None\n    for x in xs:\n        if a is None or x > a:\n            a, b = x, a\n    return b\n"
    check(box, code, "top_two([2, 7])", "+ x = 2: a becomes 2 and b stays None.\n+ x = 7: a becomes 7 and b becomes 2.\n+ The function returns 2.")
    check(box, code, "top_two([2, 7])", "+ x = 2: a becomes 2.\n- x = 7: a becomes 7 and b stays None.\n+ The function returns 2.")


def test_a_contest_program_without_its_imports_is_judged_like_any_other(box):
    code = "def total(nums: List[int]) -> int:\n    seen = defaultdict(int)\n    for x in nums:\n        seen[x] += x\n    return max(seen.values())\n"
    for value, verdict in (("6", "verified"), ("5", "contradicted")):
        text = f"`seen` ends up as `{{3: {value}, 1: 1}}`, so the function returns 6."
        found = verify_record({"id": "a", "code": code, "call": "total(nums = [3, 1, 3])", "output": "6", "direction": "forward", "rationale": text}, box)
        assert found.verdict == verdict, found


def test_a_call_with_its_values_that_raises_does_not_return(box):
    check(box, "def f(n, step=1):\n    return n + step\n", "f(3)", """
- `f(3, size=1)` returns `4`.
- `f('a', 1)` returns `'a1'`.
- `'abc'.index('z')` gives `-1`.
+ `f(3, step=1)` returns `4`, and `max()` takes the largest element.
""")


def test_what_a_call_leaves_is_told_when_the_call_has_been_told(box):
    code = "def g(n):\n    k = 0\n    while k < n:\n        k += 1\n    return k * 2\n\ndef f(n):\n    k = g(n)\n    return k + 1\n"
    check(box, code, "f(2)", """
+ In `g`, `k` becomes `1`, then `k` becomes `2`, and `k < n` is false. Back from there, `k` becomes `4`.
- In `g`, `k` becomes `1`, then `k` becomes `2`, and `k < n` is false. Back from there, `k` becomes `5`.
""")


def test_a_chain_of_calls_begins_with_its_first(box):
    code = "class Bucket:\n    def __init__(self, size):\n        self.size = size\n    def fill(self, n):\n        self.size -= n\n        return self.size\n"
    check(box, code, "Bucket(5).fill(2)", """
+ The call begins with `Bucket(5)`, which makes an object.
- The call begins with `Bucket(6)`, which makes an object.
""")


# ---------------------------------------------------------------- one name in several functions, several loops

STATIONS = """
def stations(value):
    while value > 1:
        value = value // 2
        yield value

def follow(value):
    seen = []
    for station in stations(value):
        seen.append(station)
    return seen
"""


def test_what_is_told_inside_a_generator_is_told_of_its_own_variable(box):
    check(box, STATIONS, "follow(8)", """
+ - Iteration 1 (`station = 4`): inside `stations`, `value` becomes `4`.
+ - Iteration 2 (`station = 2`): inside `stations`, `value` becomes `2`.
- - Iteration 3 (`station = 1`): inside `stations`, `value` becomes `8`.
+ The result is `[4, 2, 1]`.
""")


NESTED = """
def f(text):
    broken = []
    for part in text.split(';'):
        if not part or part == 'x':
            if part:
                broken.append(part)
            continue
    return broken
"""


def test_what_counts_as_true_or_false_is_a_claim_and_the_test_that_follows(box):
    check(box, NESTED, "f('x;')", """
+ - Iteration 1 (`part = 'x'`): `not part or part == 'x'` is true; `part` is `'x'` and so counts as true, so the branch is taken.
+ - Iteration 2 (`part = ''`): `not part or part == 'x'` is true; `part` is `''`, which counts as false, so the branch is not taken.
""")
    check(box, NESTED, "f('x;')", """
- - Iteration 1 (`part = 'x'`): `not part or part == 'x'` is true; `part` is `'x'` and so counts as false.
- - Iteration 2 (`part = ''`): `not part or part == 'x'` is true; `part` is `''`, which counts as false, so the branch is taken.
""")


STACK = """
def f(xs):
    stack, found = [], []
    for x in xs:
        while stack and stack[-1] <= x:
            stack.pop()
        if stack:
            found.append(stack[-1])
        stack.append(x)
    return found
"""


def test_a_tally_counts_at_the_branch_that_has_just_this_test(box):
    check(box, STACK, "f([3, 1, 2, 5])", "+ The loop over `xs` ran 4 times, and `stack` was true in 2 iterations.")
    check(box, STACK, "f([3, 1, 2, 5])", "- The loop over `xs` ran 4 times, and `stack` was true in 3 iterations.")


def test_a_filter_that_nothing_passes_is_no_false_statement(box):
    code = "def f(xs):\n    if xs:\n        return [x for x in xs if x > 3]\n    return xs\n"
    check(box, code, "f([1, 2])", "+ `xs` is `[1, 2]`. "
          "The comprehension goes over `xs`, keeping only those for which `x > 3` holds (none does), so `[]` is returned.")
