"""Sentences of walk-throughs of longer programs: each is told once as it is and once falsely, and the execution decides."""

import pytest

from verified_code_cot.sandbox import Sandbox
from verified_code_cot.verification import verify_record

STACK = """def f(s: str) -> int:
    stack = []
    for c in s:
        if stack and c == ')' and stack[-1] == '(':
            stack.pop()
        else:
            stack.append(c)
    return len(stack)
"""
COUNT = """def f(nums: List[int], k: int) -> int:
    counts = {}
    best, worst = 0, 9
    for i, x in enumerate(nums):
        counts[x] = counts.get(x, 0) + 1
        if nums[i] > k:
            best = max(best, nums[i])
    return max([*counts.values(), gcd(1, 2)])
"""
SEEN = """def f(s: str) -> bool:
    seen = set()
    for ch in s:
        if ch == '0' or ch in seen:
            return False
        seen.add(ch)
    return True
"""
SORTED = """def f(words: List[str]) -> str:
    words.sort(reverse=True)
    res = []
    for w in words:
        res.append(w)
    i = words.index('b')
    return ''.join(res)
"""
SEARCH = """def f(nums: List[int], target: int) -> int:
    lo, hi = 0, len(nums) - 1
    while lo <= hi:
        mid = (lo + hi) // 2
        if nums[mid] < target:
            lo = mid + 1
        else:
            hi = mid - 1
    return lo
"""
CALLS = {STACK: "f(s = '(a)')", COUNT: "f(nums = [4, 9, 4], k = 5)", SEEN: "f('120')", SORTED: "f(words = ['b', 'a', 'c'])", SEARCH: "f(nums = [1, 3, 5], target = 2)"}  # noqa: E501


@pytest.fixture(scope="module")
def box():
    with Sandbox() as box:
        yield box


def verdicts(box, code, text):
    "What became of the claims of a text: the set of their verdicts."
    found = verify_record({"id": "t", "code": code, "call": CALLS[code], "direction": "forward", "rationale": text, "answer": "0"}, box)
    return {c.verdict for c in found.claims if c.claimed is not None and c.observed is not None}


@pytest.mark.parametrize("code, true, false", [
    (STACK, "- `'('`: the stack is empty, so it is pushed. Stack: `['(']`", "- `'('`: the stack is empty, so it is pushed. Stack: `['a']`"),
    (STACK, "- `'a'`: The top of the stack is `'('`.", "- `'a'`: The top of the stack is `')'`."),
    (STACK, "c = 'a' -> push -> ['(', 'a']", "c = 'a' -> push -> ['a', '(']"),
    (STACK, "The final stack has 3 elements.", "The final stack has 2 elements."),
    (STACK, "First character: '('\n   - it is appended to `stack`.", "First character: 'a'\n   - it is appended to `stack`."),
    (COUNT, "`best` and `worst` are initialized to 0 and 9 respectively.", "`best` and `worst` are initialized to 9 and 0 respectively."),
    (COUNT, "4 appears twice and 9 appears once.", "4 appears twice and 9 appears twice."),
    (COUNT, "4 occurs two times.", "4 occurs three times."),
    (COUNT, "At the end the count for 4 is 2.", "At the end the count for 4 is 3."),
    (COUNT, "- i = 1 (value 9): `best` becomes 9.", "- i = 1 (value 4): `best` becomes 9."),
    (COUNT, "- `i = 1`: `nums[1] = 9 > 5`, so `best = 9`.", "- `i = 1`: `nums[1] = 9 > 12`, so `best = 9`."),
    (COUNT, "- `i = 0`: `nums[0] = 4 > 5` is false.", "- `i = 0`: `nums[0] = 4 > 5` is true."),
    (COUNT, "Neither 3 nor 10 is smaller than 2.", "Neither 1 nor 10 is smaller than 2."),
    (COUNT, "The maximum is 2.", "The maximum is 1."),
    (COUNT, "The final result is `2`.", "The final result is `1`."),
    (COUNT, "To find the output of `f(nums = [4, 9, 4], k = 5)`, we go step by step.", "To find the output of `f(nums = [4, 9, 9], k = 5)`, we go step by step."),  # noqa: E501
    (COUNT, "The keys are 4 and 9; the loop goes through the numbers in the order 4, 9, 4.", "The loop goes through the numbers in the order 4, 4, 9."),
    (SEEN, "- `'1'`: not `'0'`, not in `seen`, added.", "- `'1'`: already in `seen`."),
    (SEEN, "- `'2'`: not in seen, add to seen\n- `'0'`: return False", "- `'2'`: not in seen, so return False"),
    (SEEN, "- '0': it is neither '1' nor '2'.", "- '0': it is neither '0' nor '2'."),
    (SORTED, "`words.sort(reverse=True)` gives `['c', 'b', 'a']`.", "`words.sort(reverse=True)` gives `['c', 'a', 'b']`."),
    (SORTED, "The words are joined to form `'cba'`.", "The words are joined to form `'cab'`."),
    (SORTED, "`i` is the index of `'b'`, which is `1`.", "`i` is the index of `'b'`, which is `2`."),
    (SORTED, "The word, 'b.a', is split by '.' into 'b' and 'a'.", "The word, 'b.a', is split by '.' into 'b', '.' and 'a'."),
    (SEEN, "- `'2'`: `'2' == '0'` is false, so it is added.", "- `'0'`: `'0' == '1'` is false, so it is added."),
    (SEEN, "{1} & {2} = empty", "{1} & {1} = empty"),
    (SEEN, "{1, 2} & {2, 3} -> 1", "{1, 2} & {2, 3} -> 2"),
    (SORTED, "The index of 'b' is 1.", "The index of 'b' is 2."),
    (SEEN, "[1, 1, 0] has two ones.", "[1, 1, 0] has three ones."),
    (COUNT, "For `i = 1`: best = 5 + 4 = 9 > 5.", "For `i = 1`: best = 4 + 4 = 8 > 5."),
    (COUNT, "gcd(4, 6) = 2", "gcd(4, 6) = 4"),
    (SEARCH, "- First iteration: `mid = 1` and `hi = 0`.\n- Second iteration: `mid = 0` and `lo = 1`.", "- Third iteration: `mid = 0` and `hi = 0`."),
    (SEARCH, "- Third iteration: `lo` is 1 and `hi` is 0, so the loop ends.", "- Third iteration: `lo` is 2 and `hi` is 0, so the loop ends."),
])
def test_told_as_it_is_and_falsely(box, code, true, false):
    assert verdicts(box, code, true) == {"supported"}, true
    assert "contradicted" in verdicts(box, code, false), false


def test_a_plain_paragraph_behind_a_list_is_not_under_its_heading(box):
    text = "**Iteration 2:**\n- `mid` is 0.\n- `lo` becomes 1.\n\nIn the beginning `hi` was 2, and it became 0 in the first iteration."
    assert verdicts(box, SEARCH, text) == {"supported"}


def test_several_are_not_the_one_value_spoken_of_last(box):
    assert "contradicted" not in verdicts(box, SORTED, "The first word, `'c'`, is long. Both parts are non-empty, so they are added to `res`.")


def test_the_entry_of_a_group_is_named_by_its_key(box):
    code = "def f(words):\n    groups = defaultdict(list)\n    for w in words:\n        groups[w[0]].append(w)\n    return len(groups)\n"
    CALLS[code] = "f(['ab', 'ac', 'b'])"
    assert verdicts(box, code, "In the end the group 'a' is ['ab', 'ac'].") == {"supported"}
    assert "contradicted" in verdicts(box, code, "In the end the group 'a' is ['ab', 'b'].")


def test_a_number_has_no_members_and_a_step_of_working_out_no_place(box):
    assert "contradicted" not in verdicts(box, COUNT, "Row 0 has one `1`.")
    assert "contradicted" not in verdicts(box, SEARCH, "mid = 0: 8 // 4 + 6 // 4 = 2 + 1 = 3")


def test_an_empty_string_is_not_the_variable_string(box):
    code = "def f(string):\n    tmp = string\n    for c in string:\n        tmp = tmp.replace(c, '', 1)\n    return tmp\n"
    CALLS[code] = "f('ab')"
    assert verdicts(box, code, "The function returns `tmp`, which is now an empty string `''`.") == {"supported"}


def test_laps_are_counted_within_the_lap_that_is_spoken_of(box):
    code = "def f(n):\n    t = 0\n    for i in range(n):\n        for j in range(i + 1, n):\n            t += 1\n    return t\n"
    CALLS[code] = "f(2)"
    assert verdicts(box, code, "- For `i = 0`: the inner loop runs once.") == {"supported"}
    assert "contradicted" in verdicts(box, code, "- For `i = 1`: the inner loop runs once.")


def test_what_an_inner_function_returns_is_told_of_the_lap(box):
    code = "def f(n):\n    def half(x):\n        return x // 2\n    t = 0\n    for i in range(n):\n        t += half(i)\n    return t\n"
    CALLS[code] = "f(5)"
    assert verdicts(box, code, "- For `i = 4`: `half` returns 2.") == {"supported"}
    assert "contradicted" in verdicts(box, code, "- For `i = 4`: `half` returns 1.")


SOLUTION = """class Solution:
    def total(self, nums: List[int], fee: int) -> int:
        left = 0
        kept = []
        for x in nums:
            if x in kept:
                kept.remove(x)
            else:
                kept.append(x)
            left = abs(left) + x - fee
        return left
"""
METHOD = "Solution().total(nums = [4, 7, 4], fee = 2)"
ANSWER = "\n\nAnswer:\n```python\nassert Solution().total(nums = [4, 7, 4], fee = 2) == 9\n```"


@pytest.mark.parametrize("true, false", [
    ("The method returns `left`, i.e. `9`.", "The method returns `left`, i.e. `8`."),
    ("So the sum is 9.", "So the sum is 8."),
    ("There are a total of `9` points.", "There are a total of `8` points."),
    ("Final left: 9", "Final left: 7"),
    ("- **x = 7**: `7` is not in `kept` yet.", "- **x = 7**: `7` is in `kept` already."),
    ("- First iteration (x = 4): the number is appended → [4]", "- First iteration (x = 4): the number is appended → [4, 4]"),
    ("- Third iteration (x = 4): the element is removed.", "- Second iteration (x = 7): the element is removed."),
    ("`nums[1] = 7` is greater than `fee`.", "`nums[1] = 7` is smaller than `fee`."),
    ("`nums` has 3 elements, of which 2 are distinct.", "`nums` has 3 elements, of which 3 are distinct."),
    ("`4` occurs at indices `0` and `2`.", "`4` occurs at indices `0` and `1`."),
    ("The first `4` in `nums` is at index 0.", "The last `4` in `nums` is at index 0."),
    ("`[4, 7, 4]` → 3 elements", "`[4, 7, 4]` → 2 elements"),
    ("`nums` is a list of 3 elements.", "`nums` is a list of 4 elements."),
    ("The absolute value: `abs(2) + 7 - 2 = 7`.", "The absolute value: `abs(3) + 7 - 2 = 8`."),
    ("The loop ends with `left` = 9.", "The loop ends with `left` = 7."),
    ("After the loop, `left` is `9`.", "After the loop, `left` is `7`."),
    ("`kept` is [7], so the loop ends.", "`kept` is [4, 7], so the loop ends."),
    ("- **x = 4** (third iteration): `4` is in `kept`.", "- **x = 7**: `x` is in `kept`."),
    ("Adding both leads to the list, which gives `[4, 7]`.", "Adding both leads to the list, which gives `[4, 9]`."),
    ("Any of them: `any([4, 7])` is `True`; `any(...)` is `True`.", "Any of them: `any([0, 0])` is `True`; `any(...)` is `True`."),
])
def test_solutions_of_contests_are_read(box, true, false):
    verdicts = {}
    for text in (true, false):
        record = {"id": "x", "code": SOLUTION, "call": METHOD, "output": "9", "rationale": text + ANSWER, "direction": "forward"}
        found = [c.verdict for c in verify_record(record, box).claims if c.end <= len(text)]
        verdicts[text] = "contradicted" if "contradicted" in found else "supported" if "supported" in found else None
    assert verdicts == {true: "supported", false: "contradicted"}


def test_an_answer_for_a_method_is_bound_by_name(box):
    text = "Let's try `nums = [3]` and `fee = 1`. Then `left` ends up as `2`.\n\n```python\nassert Solution().total(nums = [3], fee = 1) == 2\n```"
    record = {"id": "x", "code": SOLUTION, "call": "Solution().total(nums = [5], fee = 3)", "output": "2", "rationale": text, "direction": "backward"}
    verdict = verify_record(record, box)
    assert verdict.answer.correct and not [c for c in verdict.claims if c.verdict == "contradicted"]


COUNTING = """def f(text):
    counts = {}
    for c in text:
        counts[c] = counts.get(c, 0) + 1
    return text.find(',')
"""


@pytest.mark.parametrize("true, false", [
    ("In this case, the first comma is at index 2.", "In this case, the first comma is at index 3."),
    ("We build the `counts` dictionary:\n\n  - 'b': 2 (as it stands there twice)", "We build the `counts` dictionary:\n\n  - 'b': 1 (as it stands there once)"),
])
def test_places_and_listed_entries_are_read(box, true, false):
    for text, wanted in ((true, "supported"), (false, "contradicted")):
        rationale = text + "\n\n```python\nassert f('ab,b') == 2\n```"
        record = {"id": "x", "code": COUNTING, "call": "f('ab,b')", "output": "2", "rationale": rationale, "direction": "forward"}
        assert [c.verdict for c in verify_record(record, box).claims if c.end <= len(text)] == [wanted]


@pytest.mark.parametrize("text, wanted", [
    ("The original `text` must have `'b'` at its end.", "supported"),
    ("The original `text` must have `'a'` at its end.", "contradicted"),
    ("The first 2 characters of the output, `'AB'`, stay.", "supported"),
    ("The first 2 characters of the output, `'BA'`, stay.", "contradicted"),
])
def test_what_the_input_must_end_with(box, text, wanted):
    record = {"id": "x", "code": "def f(text):\n    return text.upper()\n", "call": "f('ab,b')", "output": "'AB,B'", "direction": "backward",
              "rationale": text + "\n\n```python\nassert f('ab,b') == 'AB,B'\n```"}
    found = {c.verdict for c in verify_record(record, box).claims if c.end <= len(text)}
    assert ("contradicted" in found) == (wanted == "contradicted")
