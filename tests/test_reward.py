"""What a reward must not be had for, and what bad input must come to."""
import time

import pytest

from test_verification import DIGITS as CODE
from verified_code_cot.sandbox import Limits, Sandbox
from verified_code_cot.verification import reward, verify_record

CALL, ANSWER = "f('7a')", "<answer>1</answer>"
HONEST = ("`count` is initialized to 0.\n- For `c = '7'`: it is a digit, so `count` becomes 1.\n- For `c = 'a'`: it is not a digit, so `count` remains 1.\n"
          f"The function returns 1.\n{ANSWER}")


@pytest.fixture(scope="module")
def box():
    with Sandbox(limits=Limits(wall_s=2.0, cpu_s=2.0)) as sandbox:
        yield sandbox


def rewards(box, texts, code=CODE, call=CALL):
    return reward(texts, code=[code] * len(texts), call=[call] * len(texts), sandbox=box)


ATTACKS = {
    "nothing but the answer": ANSWER,
    "a fence around the answer": f"```\n{ANSWER}\n```",
    "one true claim, repeated": "`count` is initialized to 0.\n" * 60 + ANSWER,
    "one true claim in many words":
        "`count` is 0 at first. Initially `count` equals 0. `count` starts as 0. `count = 0`. At the start, `count` is 0.\n" + ANSWER,
    "trivial truths": "`1 + 1` is `2`. `len('abc')` is `3`. `'a'.upper()` gives `'A'`. `2 * 3` is `6`. `max(1, 2)` is `2`.\n" * 5 + ANSWER,
    "the input, over and over": "`text` is '7a'. The function is called with '7a'. `text` is `'7a'`. The input is '7a'.\n" * 5 + ANSWER,
    "the result, over and over": "The function returns 1. The output is 1. The result is 1.\n" * 5 + ANSWER,
    "vague words": "The loop goes over the text, and the count may grow where there is a digit.\n" * 5 + ANSWER,
    "garbage": "%%% `` ((( =-> `=` lorem ipsum \x00 \ufffd " * 20 + ANSWER,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_earns_far_less_than_an_explanation(box, name):
    honest, attack = rewards(box, [HONEST, ATTACKS[name]])
    assert honest > 0.8 and 0 <= attack < honest / 2, (honest, attack)


def test_padding_an_explanation_with_truths_earns_nothing_more(box):
    short = f"`count` is initialized to 0.\n{ANSWER}"
    for padding in ("`1 + 1` is `2`.\n", "`count` is initialized to 0.\n", "The function returns 1.\n", "`text` is '7a'.\n"):
        bare, padded = rewards(box, [short, padding * 20 + short])
        assert padded <= bare + 0.05, padding


def test_padding_hides_no_false_step(box):
    false = HONEST.replace("becomes 1", "becomes 4")
    plain, padded = rewards(box, [false, "`1 + 1` is `2`.\n" * 40 + false])
    assert plain < 0.35 and padded < 0.35


def test_wrong_answers_and_what_is_no_text_earn_nothing(box):
    wrong = HONEST.replace("<answer>1", "<answer>2")
    assert rewards(box, [wrong, "", " \n ", None, 3, [], [{"role": "assistant"}], "\x00" * 50]) == [0.0] * 8


@pytest.mark.parametrize("text", [f"{ANSWER} or <answer>2</answer>", "<answer>1 or 2</answer>", "<answer>[1, 2]</answer>",
                                  "<answer>f('7a')</answer> " + "x " * 50])
def test_an_answer_is_one_value(box, text):
    assert rewards(box, [text])[0] < 0.3


def test_a_program_of_one_line_can_earn_all(box):
    text = "`text.upper()` gives 'AB', so the function returns 'AB'.\n<answer>'AB'</answer>"
    assert rewards(box, [text], "def f(text):\n    return text.upper()", "f('ab')")[0] > 0.8


# ---------------------------------------------------------------- bad input

def judged(box, text, code=CODE, call=CALL, output="1", limit=30.0):
    started = time.monotonic()
    made = verify_record({"id": "x", "code": code, "call": call, "output": output, "direction": "forward", "rationale": text}, box)
    assert time.monotonic() - started < limit
    return made


BAD = {
    "empty": ("", "empty_text"),
    "blank": (" \n\t " * 100, "empty_text"),
    "a megabyte": ("`count` is 0. " * 80_000 + ANSWER, "unreadable_text"),
    "a megabyte in one word": ("x" * 1_000_000, "unreadable_text"),
    "binary junk": ("".join(chr(n % 32) for n in range(3000)), "unreadable_text"),
    "German": (f"Die Funktion geht durch den Text, zählt die Ziffern und gibt am Ende deren Anzahl zurück.\n{ANSWER}", None),
    "Chinese": (f"这个函数遍历字符串中的每个字符，统计数字的个数，最后返回结果。\n{ANSWER}", None),
    "Arabic": (f"تمر الدالة على كل حرف في النص وتحسب عدد الأرقام ثم تعيد الناتج.\n{ANSWER}", None),
    "a huge literal": (f"`count` is `{'9' * 50_000}`. `count` becomes `{'[' * 3000}{']' * 3000}`.\n{ANSWER}", None),
    "a tower of powers": (f"`9**9**9` is `3`. `9**9**9**9` equals `count`. `'a' * 10**12` has 5 characters.\n{ANSWER}", None),
    "nested calls": (f"`{'f(' * 30}'7'{')' * 30}` returns `1`. `{'-' * 5000}1` is `1`.\n{ANSWER}", None),
    "an endless claim": (f"`[x for x in iter(int, 1)]` is `[]`. `sum(range(10**15))` is `0`.\n{ANSWER}", None),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text_has_a_verdict_in_bounded_time_and_is_never_verified(box, name):
    text, code = BAD[name]
    made = judged(box, text)
    assert made.verdict in ("unsupported", "contradicted", "error") and (code is None or made.reason_code == code), (made.reason_code, made.reason)


@pytest.mark.parametrize("claim", ["__import__('os').system('touch {0}')", "open('{0}', 'w').write('x')", "exec(\"open('{0}', 'w')\")",
                                   "eval(\"__import__('pathlib').Path('{0}').touch()\")", "().__class__.__base__.__subclasses__()", "breakpoint()", "input()"])
def test_what_a_claim_asks_for_is_not_done_here(box, tmp_path, claim):
    target = tmp_path / "touched"
    source = claim.format(target)
    for text in (f"`{source}` is `0`.\n{ANSWER}", f"`count` becomes `{source}`.\n{ANSWER}", f"Answer: {source}", f"<answer>{source}</answer>"):
        assert judged(box, text).verdict != "verified"
    assert not target.exists()


@pytest.mark.parametrize("code, call, reason", [
    ("import no_such_module_at_all\ndef f(x):\n    return x", "f(1)", "missing_import"),
    ("def f(x):\n    while True:\n        x += 1", "f(1)", "limits"),
    ("def f(x):\n    return f(x)", "f(1)", "raised"),
    ("def f(x):\n    return open('/etc/passwd').read()", "f(1)", "denied"),
    ("def f(x:\n    return x", "f(1)", "bad_code"),
    ("def f(x):\n    return x", "f(", "bad_call"),
    ("def f(x):\n    return [0] * 10**11", "f(1)", None),
])
def test_bad_programs_have_a_reason_of_their_own(box, code, call, reason):
    made = judged(box, f"`x` is 1.\n{ANSWER}", code, call)
    assert made.verdict == "error" and (reason is None or made.reason_code == reason), (made.reason_code, made.reason)
