"""Statements larger than a clause: all and none, necessities, laws, parts of a text, values that point back."""
from pathlib import Path

import pytest

from verified_code_cot import constructions, shorthand, summaries
from verified_code_cot.accuracy import read_labelled
from verified_code_cot.claims import extract
from verified_code_cot.forms import is_mistold
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import verify


@pytest.fixture(scope="module")
def box():
    with Sandbox() as sandbox:
        yield sandbox


def verdicts(box, code, call, text, direction="forward"):
    made = verify(text, trace(code, call, sandbox=box), direction, sandbox=box)
    return {c.verdict for c in made.claims} - {"unverifiable"}, made


KEEP = """
def keep(words, low):
    kept = []
    for w in words:
        if len(w) > low:
            kept.append(w)
    return kept
"""
CALL = "keep(['pear', 'fig', 'plum'], 3)"  # ['pear', 'plum']


@pytest.mark.parametrize("text, verdict", [
    ("No element of `kept` is equal to 'fig'.", "supported"),
    ("No element of `words` is equal to 'pear'.", "contradicted"),
    ("All elements in `words` are strings.", "supported"),
    ("None of the words in `words` is uppercase.", "supported"),
    ("All words in `words` are uppercase.", "contradicted"),
    ("There are no duplicates in `words`.", "supported"),
    ("`words` contains no uppercase strings.", "supported"),
    ("There are no lowercase words in `words`.", "contradicted"),
    ("Every word in `words` appears exactly once.", "supported"),
    ("Every word in `words` appears exactly twice.", "contradicted"),
    ("The number of times 'p' occurs in 'apple', which is 2.", "supported"),
    ("The number of times 'p' occurs in 'apple', which is 3.", "contradicted"),
    ("The first number, 3, is below low.", "contradicted"),
    ("The last number, 2, is below low.", "supported"),
])
def test_what_is_said_of_all_of_them(box, text, verdict):
    assert verdicts(box, KEEP, CALL, text)[0] == {verdict}


@pytest.mark.parametrize("text", ["If no element of `kept` were equal to 'pear', it would be short.", "Check whether all words in `words` are uppercase."])
def test_what_is_supposed_is_not_asserted(box, text):
    assert "contradicted" not in verdicts(box, KEEP, CALL, text)[0]


@pytest.mark.parametrize("text, verdict", [
    ("We need a list with at least 2 elements.", "supported"),
    ("We need a list with at least 4 elements.", "contradicted"),
    ("The list must contain exactly three elements.", "supported"),
    ("`low` must be greater than 5.", "contradicted"),
    ("The low we pass must be less than 4.", "supported"),
    ("We need an input list where every word appears exactly once.", "supported"),
    ("We need an input list where every word appears exactly twice.", "contradicted"),
    ("For 'fig' to be dropped, it must not be in the list.", "contradicted"),
    ("For 'fig' to be dropped, it must be in the list and not be the low parameter.", "supported"),
    ("There must be no words in `words` equal to 'fig'.", "contradicted"),
])
def test_necessities_are_refuted_by_the_real_call(box, text, verdict):
    found, made = verdicts(box, KEEP, CALL, text, "backward")
    assert found == {verdict}, [(c.text, c.verdict, c.why) for c in made.claims]


def test_what_should_be_may_be_the_proposal_s_own(box):
    text = "`low` should be less than 3.\n\n```python\nassert keep(['pear', 'plum'], 2) == ['pear', 'plum']\n```"
    assert "contradicted" not in verdicts(box, KEEP, CALL, text, "backward")[0]
    assert "contradicted" in verdicts(box, KEEP, CALL, text.replace("should", "must"), "backward")[0]


SKIPS = "def f(s):\n    out = list(s)\n    for c in out:\n        if c.isdigit():\n            out.remove(c)\n    return ''.join(out)"


@pytest.mark.parametrize("text, call, verdict", [
    ("The function removes all digits from the string.", "f('a12b')", {"contradicted"}),  # it removes while it iterates: 'a2b'
    ("The function removes all digits from the string.", "f('a1b')", set()),  # one execution proves no law
    ("The function removes any character that is a digit.", "f('a12b')", {"contradicted"}),
    ("The function removes the first digit.", "f('a12b')", set()),
])
def test_a_law_can_be_refuted_and_never_proved(box, text, call, verdict):
    assert verdicts(box, SKIPS, call, text)[0] == verdict


PARTS = "def f(text):\n    s = text.rpartition('o')\n    t = s[2]\n    return t[::-1]"


@pytest.mark.parametrize("text, verdict", [
    ("`rpartition` returns a tuple with the entire string as the last element.", "supported"),
    ("`rpartition` returns a tuple with the entire string as the first element.", "contradicted"),
    ("Then `[::-1]` reverses the string 'kick'.", "supported"),
    ("Then `[::-1]` reverses the string 'kicks'.", "contradicted"),
    ("`text` contains 'ki' followed by 'ck'.", "supported"),
    ("`text` contains 'ki' followed by 'kc'.", "contradicted"),
])
def test_positions_and_parts(box, text, verdict):
    assert verdict in verdicts(box, PARTS, "f('kick')", text)[0]
    assert ("contradicted" in verdicts(box, PARTS, "f('kick')", text)[0]) == (verdict == "contradicted")


def test_the_value_told_last_is_the_one_that_is_returned(box):
    text = "Now `t` is 'kick'. This final value of `t` is returned."
    found, made = verdicts(box, PARTS, "f('kick')", text)
    assert [c.verdict for c in made.claims if c.kind == "return"] == ["contradicted"]
    other = "def f(text):\n    t = text.strip()\n    return t"
    found, made = verdicts(box, other, "f(' kick')", text)
    assert [c.verdict for c in made.claims if c.kind == "return"] == ["supported"]


FIB = "def ways(n):\n    if n < 2:\n        return 1\n    return ways(n - 1) + ways(n - 2)"


@pytest.mark.parametrize("value, verdict", [("1", "supported"), ("0", "contradicted")])
def test_a_call_that_is_needed_which_returns_something(box, value, verdict):
    assert verdicts(box, FIB, "ways(3)", f"Then ways(1) is needed, which returns {value}.")[0] == {verdict}


def test_a_list_that_is_nowhere_but_has_the_elements_of_one_that_is(box):
    code = "def f(xs):\n    ys = sorted(xs, key=abs)\n    return ys"
    for text, verdict in [("Sorted by absolute value the list is [-8, -1, 2, 3].", {"contradicted"}),
                          ("Sorted by absolute value the list is [-1, 2, 3, -8].", {"supported"}),
                          ("Sorted by value the list would be [-8, -1, 2, 3] instead.", set())]:
        assert verdicts(box, code, "f([3, -8, 2, -1])", text)[0] == verdict, text


def test_parts_and_reversals_are_not_mistold():
    assert not is_mistold([2, 3], [1, 2, 3]) and not is_mistold([3, 2, 1], [1, 2, 3]) and not is_mistold([4, 5, 6], [1, 2, 3])
    assert is_mistold([1, 3, 2], [1, 2, 3]) and is_mistold(list("abcdefgX"), list("abcdefgh"))


def test_the_assertion_spoken_of_is_the_one_made(box):
    text = "```python\nassert keep(['pear', 'plum'], 3) == ['pear', 'plums']\n```\nThis assertion should pass."
    found, made = verdicts(box, KEEP, CALL, text, "backward")
    assert [c.verdict for c in made.claims if "should pass" in c.text] == ["contradicted"]


def test_a_long_sentence_costs_little():
    import time
    start = time.perf_counter()
    extract("the number of times 'a' occurs in no element of the " * 2000, "def f(a):\n    return a", "f(1)", "1", "backward")
    assert time.perf_counter() - start < 20


POPS = """
def f(xs):
    right = xs.pop()
    left = xs.pop()
    mid = (left + right) // 2
    return left - right
"""


@pytest.mark.parametrize("text, verdict", [
    ("It pops 7 as right and 8 as left.", {"supported"}),
    ("It pops 8 as right and 7 as left.", {"supported", "contradicted"}),  # 8 is popped, but not as right
    ("Then 7 is popped.", {"supported"}),
    ("Then 9 is popped.", {"contradicted"}),
    ("mid = (8 + 7) // 2 = 7", {"supported"}),
    ("mid = (8 + 6) // 2 = 7", {"supported", "contradicted"}),  # the value is right, the operands are not
    ("**Answer: 1**", {"supported"}),
    ("**Answer: 7**", {"contradicted"}),
])
def test_what_is_taken_as_what(box, text, verdict):
    assert verdicts(box, POPS, "f([8, 7])", text)[0] == verdict


@pytest.mark.parametrize("text, verdict", [
    ("Finally, `[::-1]` is applied again to reverse 'kick' back to 'kcik'.", {"supported"}),
    ("Finally, `[::-1]` is applied again to reverse 'kick' back to 'kikc'.", {"supported", "contradicted"}),
    ("`[::-1]` reverses it, changing 'kic' to 'cik'.", {"supported", "contradicted"}),  # true of those values, which it was not given
])
def test_an_operation_and_the_values_that_it_was_given(box, text, verdict):
    assert verdicts(box, PARTS, "f('kick')", text)[0] == verdict


def test_the_index_is_the_one_of_the_heading(box):
    code = "def f(s):\n    return [c for i, c in enumerate(s) if i % 2 == 0]"
    assert verdicts(box, code, "f('ab-')", "At index 1, the index is even.")[0] == {"contradicted"}
    assert "contradicted" not in verdicts(box, code, "f('ab-')", "At index 2, the index is even.")[0]


def test_what_is_not_understood_gives_no_support(box):
    code = "def f(d, k):\n    d[k] = k.lower()\n    return list(d.items())"
    found, made = verdicts(box, code, "f({'Oak': 1, 'Elm': 2}, 'Oak')", "'Oak' remains unchanged because it's the key.")
    assert "supported" not in found, [(c.text, c.why) for c in made.claims]


SHRINK = "def f(orig):\n    orig.append(100)\n    orig.pop()\n    return orig"


@pytest.mark.parametrize("text, verdict", [
    ("orig.pop() removes the last element from the list, which is now [1, 2, 3].", "supported"),
    ("orig.pop() removes the last element from the list, which is now [1, 2, 100].", "contradicted"),
    ("Therefore, the final state of the list when returned is [1, 2, 3].", "supported"),
    ("Therefore, the final state of the list when returned is [1, 2, 100].", "contradicted"),
    ("The final value of `orig` after the call is [1, 2, 3].", "supported"),
    ("The final value of `orig` after the call is [1, 2, 3, 100].", "contradicted"),
    ("The final result after all steps is:\n[1, 2, 3]", "supported"),
    ("The final result after all steps is:\n[1, 2, 100]", "contradicted"),
    ("So 'orig' becomes [1, 2, 3, 100].", "supported"),
    ("So 'orig' becomes [1, 2, 30].", "contradicted"),
])
def test_what_is_there_now_and_in_the_end(box, text, verdict):
    found, made = verdicts(box, SHRINK, "f([1, 2, 3])", text)
    assert found == {verdict}, [(c.text, c.verdict, c.why) for c in made.claims]


def test_what_is_returned_is_no_argument_that_stayed_as_it_was(box):
    code = "def f(text, k):\n    return text[len(k):]"
    text = "So the function returns `text[1:]`. This results in the string {!r}."
    assert "contradicted" in verdicts(box, code, "f('123x', 'z')", text.format("123x"))[0]
    assert "contradicted" not in verdicts(box, code, "f('123x', 'z')", text.format("23x"))[0]


def test_the_words_by_which_patterns_are_passed_over_hide_nothing(monkeypatch):
    """Rationales in many voices are read as they are when every pattern is tried on every sentence; and a kept answer is the right one."""
    texts = [r.record() for r in read_labelled(Path(__file__).parent / "handwritten")]
    read = [extract(t["rationale"], t["code"], t["call"], t["output"], t["direction"]) for t in texts]
    for module in (constructions, shorthand, summaries):
        monkeypatch.setattr(module, "CLUED", [("", one) for one in module.CLUES])
        monkeypatch.setattr(module, "called_up", module.called_up.__wrapped__)
        again = [extract(t["rationale"], t["code"], t["call"], t["output"], t["direction"]) for t in texts]
        assert len(texts) > 50 and again == read, module.__name__
