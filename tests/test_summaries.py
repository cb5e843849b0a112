"""Sentences that sum up several laps, a loop, or a call as it begins: true ones pass, and one wrong thing in them is found."""
import pytest

from verified_code_cot.sandbox import Sandbox
from verified_code_cot.verification import verify_record

CODE = """def f(xs, n):
    total = 0
    for x in xs[::-1]:
        if x > n:
            total += x
    while n > 0:
        n -= 1
    for k in range(2):
        xs[k] = total
    return total"""
CALL = "f([8, 2, 5, 1, 4, 9], 3)"


@pytest.fixture(scope="module")
def box():
    with Sandbox() as opened:
        yield opened


def verdict(box, text, direction="forward"):
    return verify_record({"id": "t", "code": CODE, "call": CALL, "output": "26", "direction": direction, "rationale": text, "answer": None}, box)


TRUE = [
    "- Iterations 2 to 5 (with `x` being `4`, `1`, `5`, `2`) are only summed up here: "
    "`x > n` is true for `x = 4` and `x = 5` only; after them `total` is `18`.",
    "- Iterations 2 to 5 (with `x` going from `4` to `2`) go on in this manner: `x > n` is true in iterations 2 and 4 only; after them `total` is `18`.",
    "- Iterations 2 to 5 follow: `x > n` is false in 2 of them; after them `x` is `2` and `total` is `18`.",
    "The loop goes through `xs[::-1]`, that is `[9, 4, 1, 5, 2, 8]`: it runs 6 times.",
    "The loop over `range(2)` takes `k` through `0` and `1`, so it runs twice.",
    "`f` repeats a block as long as `n > 0` holds.",
    "Here `xs` is `[8, 2, 5, 1, 4, 9]` and `n` is `3`.",
    "Index `1` of `xs` gets the value `26`.",
    "Therefore, the final `total` value is 26.",
    "The result of `f([8, 2, 5, 1, 4, 9], 3)` is `26`.",
]
FALSE = [  # the text, and how it goes wrong
    (0, "`4`, `1`, `5`, `2`)", "`4`, `5`, `2`)"),
    (0, "`4`, `1`, `5`, `2`)", "`4`, `1`, `1`, `5`, `2`)"),
    (0, "`4`, `1`, `5`, `2`)", "`1`, `4`, `5`, `2`)"),
    (0, "for `x = 4` and `x = 5` only", "for `x = 5` and `x = 4` only"),
    (0, "for `x = 4` and `x = 5` only", "for `x = 4` only"),
    (0, "`total` is `18`", "`total` is `13`"),
    (1, "from `4` to `2`", "from `4` to `5`"),
    (1, "iterations 2 and 4", "iterations 2 and 3"),
    (2, "in 2 of them", "in 3 of them"),
    (3, "[9, 4, 1, 5, 2, 8]", "[9, 1, 4, 5, 2, 8]"),
    (3, "xs[::-1]", "xs[::-2]"),
    (4, "`0` and `1`", "`0` and `0` and `1`"),
    (5, "n > 0", "n < 0"),
    (6, "`n` is `3`", "`n` is `2`"),
    (7, "Index `1`", "Index `2`"),
    (7, "value `26`", "value `27`"),
    (8, "26", "18"),
    (9, "f([8, 2, 5", "f([9, 2, 5"),
]
END = "\n\nSo it returns `26`.\n\n<answer>26</answer>"


@pytest.mark.parametrize("text", TRUE)
def test_what_is_true_is_not_rejected(box, text):
    assert verdict(box, text + END).verdict in ("verified", "unverifiable")
    assert not [c for c in verdict(box, text + END).claims if c.verdict == "contradicted"]


@pytest.mark.parametrize(("number", "before", "after"), FALSE)
def test_one_wrong_thing_is_found(box, number, before, after):
    assert before in TRUE[number]
    found = verdict(box, TRUE[number].replace(before, after) + END)
    assert found.verdict == "contradicted", [(c.text, c.verdict, c.why) for c in found.claims]


def test_the_same_way_as_another_lap(box):
    told = "- Iterations 4 to 5 {} iteration 1; after them `total` is `18`."
    for words in ("go the same way as", "take the same course as", "repeat what happened in"):
        assert verdict(box, told.format(words) + END).verdict == "contradicted"  # iteration 5 has x = 2


def test_a_docstring_that_is_quoted_does_not_swallow_what_follows(box):
    code = 'def g(x):\n    """Adds one to a number, until 2 are left; gives it."""\n    return x + 1'
    record = {"id": "t", "code": code, "call": "g(4)", "output": "5", "direction": "forward", "answer": None}
    said = 'The docstring of `g` says: "Adds one to a number, until 2 are left; gives it." Here `x` is `{}`.\n\n<answer>5</answer>'
    assert verify_record({**record, "rationale": said.format(4)}, box).verdict == "verified"
    assert verify_record({**record, "rationale": said.format(3)}, box).verdict == "contradicted"


BRANCHES = """def values(tree):
    if tree is None:
        return []
    v, low, high = tree
    left = values(low)
    right = values(high)
    return left + [v] + right"""
TREE = "values((5, (2, None, None), (9, None, (7, None, None))))"


@pytest.mark.parametrize(("told", "wanted"), [
    ("Back in `values((2, None, None))`, `left` becomes `[]` and `right` becomes `[]`.", "verified"),
    ("At last `left` becomes `[2]` and `right` becomes `[9, 7]`.", "verified"),
    ("At last `left` becomes `[2]` and `right` becomes `[7]`.", "contradicted"),  # each was so, in two calls
    ("At last `left` is `[2]`, `right` is `[9, 7]` and `v` is `5`.", "verified"),
    ("At last `left` is `[2]`, `right` is `[9, 7]` and `v` is `9`.", "contradicted"),
    ("`v` is `5`; `right` is `[7]`.", "verified"),  # not in one breath
])
def test_what_is_told_in_one_breath_is_so_at_once(box, told, wanted):
    record = {"id": "t", "code": BRANCHES, "call": TREE, "output": "[2, 5, 9, 7]", "direction": "forward", "answer": None}
    found = verify_record({**record, "rationale": told + "\n\n<answer>[2, 5, 9, 7]</answer>"}, box)
    assert found.verdict == wanted, [(c.text, c.verdict, c.why) for c in found.claims]


def test_a_test_is_told_of_the_moment_of_its_reasons(box):
    code = "def f(xs):\n    known = {'a': len}\n    n = 0\n    for x in xs:\n        if x in known:\n            n += 1\n    return n"
    record = {"id": "t", "code": code, "call": "f(['b', 'a', 'c'])", "output": "1", "direction": "forward", "answer": None}
    told = "`x` is `'{}'` and `known` is a dictionary; hence `x in known` is {}.\n\n<answer>1</answer>"
    assert verify_record({**record, "rationale": told.format("a", "true")}, box).verdict == "verified"
    assert verify_record({**record, "rationale": told.format("b", "true")}, box).verdict == "contradicted"
    assert verify_record({**record, "rationale": told.format("a", "false")}, box).verdict == "contradicted"


def test_what_an_expression_was_made_of_is_told_of_its_own_moment(box):
    code = "def f(xs):\n    piece = []\n    for x in xs:\n        piece = [*piece, x]\n"
    code += "        if x > 5:\n            piece = []\n    return sum(c for c in [x, x + 1])"
    record = {"id": "t", "code": code, "call": "f([6, 1, 2])", "output": "5", "direction": "forward", "answer": None}
    told = "At last `piece` came from `[*piece, x]` (line 4). Taken apart, `piece` is `{}` and `x` is `2`. "
    told += "In order, `c` ran through `{}` and `{}`.\n\n<answer>5</answer>"
    false = (("[1, 2]", 2, 3), ("[1]", 2, 2), ("[1]", 3, 2))
    for piece, first, second, wanted in (("[1]", 2, 3, "verified"), *((*one, "contradicted") for one in false)):
        found = verify_record({**record, "rationale": told.format(piece, first, second)}, box)
        assert found.verdict == wanted, (piece, first, [(c.text, c.verdict, c.why) for c in found.claims])


@pytest.mark.parametrize(("told", "wanted"), [
    ("(3 - 4) % 10", "verified"), ("(2 - 3) % 10", "contradicted"), ("-1 % 10", "verified"), ("(7 - 8) % 10", "contradicted")])
def test_a_calculation_with_another_constant_was_never_made(box, told, wanted):
    code = "def f(a, b):\n    c = (b - 4) % 10\n    return c + a"
    record = {"id": "t", "code": code, "call": "f(1, 3)", "output": "10", "direction": "forward", "answer": None}
    found = verify_record({**record, "rationale": f"c = {told} = 9. Then c + a is 10.\n\n<answer>10</answer>"}, box)
    assert found.verdict == wanted, [(c.text, c.verdict, c.why) for c in found.claims]


@pytest.mark.parametrize(("told", "wanted"), [("[xs[0]]", "verified"), ("[xs[1]]", "contradicted"), ("[xs[2]]", "contradicted")])
def test_what_an_expression_comes_to_is_held_to_it(box, told, wanted):
    code = "def f(xs):\n    mine = [xs[0]]\n    return len(mine)"
    record = {"id": "t", "code": code, "call": "f([7, 8])", "output": "1", "direction": "forward", "answer": None}
    found = verify_record({**record, "rationale": f"`mine` becomes `{told}`, that is `[7]`.\n\n<answer>1</answer>"}, box)
    assert found.verdict == wanted, [(c.text, c.verdict, c.why) for c in found.claims]


STEPS = """def walk(n, times):
    trail = []
    for _ in range(times):
        n = n - 3 if n % 2 == 0 else 3 * n + 1
        trail.append(n)
    if not (n % 2 == 0):
        n = 0
    return trail"""
LARGEST = """def largest(xs):
    best = None
    for x in xs:
        if best is None or x > best:
            best = x
    return best"""
CASES = {"walk": (STEPS, "walk(28, 3)", "[25, 76, 73]"), "largest": (LARGEST, "largest([4, 9])", "9")}
FOLLOWING = [
    ("walk", "forward", "- In the first iteration, `n` becomes `25` because the condition `n % 2 == 0` holds, because `28 % 2 == 0` is true.", True),
    ("walk", "forward", "- In the second iteration, `n` becomes `76` because the condition `n % 2 == 0` holds.", False),
    ("walk", "forward", "The loop runs three times; after it `n` is `73`; hence `n % 2 == 0` is false.", True),
    ("walk", "forward", "The loop runs three times; after it `n` is `73`; hence `n % 2 == 0` is true.", False),
    ("walk", "forward", "Since `73 % 2 == 0` is false, `n % 2 == 0` is false as well, which makes `not (n % 2 == 0)` true.", True),
    ("walk", "forward", "Since `73 % 2 == 0` is false, `n % 2 == 0` is false as well, which makes `not (n % 2 == 0)` false.", False),
    ("walk", "forward", "- In the first iteration, `n` becomes `25`.\n\n`0` is not greater than `73`, and `trail` is `[25, 76, 73]`.", True),
    ("largest", "backward", "- In iteration 1, `best` is `4`, which was computed as `x` (line 5); the condition `best is None` holds.", True),
    ("largest", "backward", "- In iteration 1, `best` is `4` because it was set to `x` (line 5); the condition `best is None` fails.", False),
    ("largest", "backward", "- In iteration 1, `x` is `4`; because `best` is `None`, `best is None` is false.", False),
]


@pytest.mark.parametrize(("name", "direction", "text", "true"), FOLLOWING)
def test_a_test_is_held_against_the_values_from_which_its_sentence_says_it_follows(box, name, direction, text, true):
    code, call, output = CASES[name]
    answer = f"\n\n<answer>{output if direction == 'forward' else call}</answer>"
    record = {"id": "t", "code": code, "call": call, "output": output, "direction": direction, "rationale": text + answer, "answer": None}
    made = verify_record(record, box)
    assert (made.verdict == "contradicted") is not true, made.reason


BACKWARDS = """def pieces(line):
    run = []
    for ch in line:
        if ch.isalpha():
            run.append(ch)
            continue
        if run:
            yield ''.join(run)
        run = []
    if run:
        yield ''.join(run)"""
UNDONE = (
    "`run` is `['a', 'a', 'b']` because of `run.append(ch)`; before this, `run` was `['a', 'a']`. So `ch` was `'b'`. `ch` is `'b'`, so `ch.isalpha()` is true. "
    "Before `run.append(ch)`, `run` was `['a']`, and after it `['a', 'a']`. Hence `ch` was `'a'`. `ch` is `'a'`; `ch.isalpha()` is therefore true. "
    "`run.append(ch)` left `run` as `['a']`; without it `run` was `[]`. So `ch` was `'a'`. `run` was set to `[]` (line 9). "
    "Because `ch` is `' '`, `ch.isalpha()` is false."
)


@pytest.mark.parametrize(("old", "new", "true"), [("", "", True), ("So `ch` was `'b'`", "So `ch` was `'c'`", False),
                                                  ("`ch` is `' '`, `ch.isalpha()` is false", "`ch` is `' '`, `ch.isalpha()` is true", False),
                                                  ("`run` was `['a']`, and", "`run` was `['b']`, and", False)])
def test_a_loop_that_is_undone_in_running_text_goes_back_from_lap_to_lap(box, old, new, true):
    call = "list(pieces(' aab'))"
    record = {"id": "t", "code": BACKWARDS, "call": call, "output": "['aab']", "direction": "backward", "answer": None,
              "rationale": f"{UNDONE.replace(old, new)}\n\n<answer>{call}</answer>"}
    made = verify_record(record, box)
    assert (made.verdict == "verified") is true, made.reason


NAMED = """def f(word, have, value):
    word = word + 'c'
    for row in [[1, 2], [3]]:
        kept = row
    return have + value"""
WORDS = [
    ("`word` is now 3 characters long.", True),
    ("`word` is now 4 characters long.", False),
    ("`word` must have been 'ab' before.", True),
    ("`word` must have been 'ax' before.", False),
    ("The return value is 12.", True),
    ("The return value is 7.", False),
    ("In the first iteration, `kept` becomes another name for `row`, that is `[1, 2]`.", True),
    ("In the first iteration, `kept` becomes another name for `row`, that is `[1, 3]`.", False),
    ("In the first iteration, `kept` becomes another name for `have`.", False),
]


@pytest.mark.parametrize(("text", "true"), WORDS)
def test_a_variable_that_is_named_like_a_word_and_what_becomes_of_a_name(box, text, true):
    record = {"id": "t", "code": NAMED, "call": "f('ab', 5, 7)", "output": "12", "direction": "forward", "answer": None,
              "rationale": f"`have` is `5`. {text}\n\n<answer>12</answer>"}
    made = verify_record(record, box)
    assert made.verdict == ("verified" if true else "contradicted"), made.reason


NESTED = """def table(ns):
    best = []
    for j in range(len(ns)):
        top = 0
        for i in range(j):
            if ns[i] <= ns[j]:
                top = max(top, best[i])
        best.append(top + 1)
    last = top
    return [b for b in best if b > 1]"""
LAPS = [
    ("- In the second iteration (`j = 1`), `top` is `0`. For `i = 0`, `ns[i]` is `2`. After the inner loop, `best` is now `[1, 2]`.", True),
    ("- In the second iteration (`j = 1`), `top` is `0`. For `i = 0`, `ns[i]` is `2`. After the inner loop, `best` is now `[1, 2, 3]`.", False),
    ("- In the third iteration (`j = 2`), `top` is `0`. For `i = 0`, `ns[j]` is `9`.", True),
    ("- In the third iteration (`j = 2`), `top` is `0`. For `i = 0`, `ns[j]` is `5`.", False),
    ("- Iterations 2 to 3 bring nothing new, and after them `best` is `[1, 2, 3]`.", True),
    ("- Iterations 2 to 3 bring nothing new, and after them `best` is `[1, 2, 3, 2]`.", False),
    ("- Iterations 2 to 3 bring nothing new; when they are over, `best` is `[1, 2]`.", False),
    ("- Iterations 2 to 3 bring nothing new; then `best` is `[1, 2]`.", False),
    ("`last` is set to `top`, which is `1`.", True),
    ("`last` is set to `top`, which is `'1'`.", False),
    ("For each `b` in `best`, the list comprehension tests `b > 1`, and `table` returns `[2, 3, 2]`.", True),
    ("For each `b` in `best`, the list comprehension tests `b > 1`, and `table` returns `[2, 3]`.", False),
]


@pytest.mark.parametrize(("text", "true"), LAPS)
def test_what_is_told_of_an_inner_lap_after_it_and_after_several_laps(box, text, true):
    record = {"id": "t", "code": NESTED, "call": "table([2, 5, 9, 3])", "output": "[2, 3, 2]", "direction": "forward", "answer": None,
              "rationale": f"`ns` is `[2, 5, 9, 3]`.\n\n{text}\n\n<answer>[2, 3, 2]</answer>"}
    made = verify_record(record, box)
    assert made.verdict == ("verified" if true else "contradicted"), made.reason


CHOOSING = """def f(xs):
    total = 0
    for i, b in enumerate(xs):
        total += 2 if b % 2 else 1
        for b in xs:
            if i % 2 != b % 2:
                total += 0
    return total"""


@pytest.mark.parametrize(("laps", "wanted"), [("2 and 4", "verified"), ("2 and 3", "contradicted"), ("2, 3 and 4", "contradicted")])
def test_a_test_that_chooses_a_value_is_told_of_where_it_chooses(box, laps, wanted):
    text = (f"The loop goes over `xs`.\n- Iterations 2 to 4 go on in this manner: `b % 2` is true in iterations {laps} only; after them `total` is `6`.\n"
            "So it returns 6.")
    found = verify_record({"id": "t", "code": CHOOSING, "call": "f([2, 5, 4, 7])", "output": "6", "direction": "forward", "rationale": text}, box)
    assert found.verdict == wanted, found.reason
