"""Keys of programs and signatures of texts: what counts as the same, and what does not."""
import ast
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_code_cot.fingerprints import NearDuplicates, keys_of, normal_form, shingles, signatures

PROGRAM = """
class Box:
    "Holds things."
    def __init__(self, things: list[int]):
        self.things: list[int] = things
        self.note = None

    def total(self, start=0) -> int:
        result: int = start
        for thing in self.things:
            match thing:
                case [first, *others]:
                    result += first
                case {"n": n, **rest}:
                    result += n
                case _:
                    pass
        try:
            import math as m
            result = m.floor(result)
        except ValueError as error:
            self.note = str(error)
        return result
"""


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["Box", "things", "total", "start", "result", "thing", "first", "others", "n", "rest", "m", "error", "note"]),
                       st.from_regex(r"[a-z_][a-z0-9_]{3,8}x", fullmatch=True)))
def test_any_renaming_gives_the_same_keys(names):
    if len(set(names.values())) < len(names):
        return
    tree = ast.parse(PROGRAM)
    for node in ast.walk(tree):
        for field in ("id", "arg", "attr", "name", "asname", "rest"):
            if getattr(node, field, None) in names:
                setattr(node, field, names[getattr(node, field)])
    assert keys_of(ast.unparse(tree)) == keys_of(PROGRAM)


@pytest.mark.parametrize(("before", "after", "shape_too"), [
    ("start=0", "start=1", False), ("+= first", "-= first", True), ("floor", "ceil", True), ("ValueError", "KeyError", True), ('"n"', '"m"', False),
    ("return result", "return start", True), ("start=0", "start='0'", True),
])
def test_what_changes_the_program_changes_its_key(before, after, shape_too):
    other = PROGRAM.replace(before, after)
    assert keys_of(other)[0] != keys_of(PROGRAM)[0]
    assert (keys_of(other)[1] != keys_of(PROGRAM)[1]) is shape_too


def test_text_that_is_no_program_has_keys_too():
    assert keys_of("def f(:\n  x") == keys_of("def f(: x") != keys_of("def f(: y")
    deep = "(" * 5000 + ")" * 5000
    assert keys_of(deep)[0] == keys_of(deep)[1]
    with pytest.raises(SyntaxError):
        normal_form("def f(")


def test_signatures_are_the_same_in_another_process():
    code = "from verified_code_cot.fingerprints import signatures; print(signatures(['one two three four five six'])[0])"
    elsewhere = {"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=elsewhere)
    assert other.stdout.strip() == signatures(["one two three four five six"])[0]


def test_near_duplicates_are_found_and_others_are_not():
    rng = random.Random(3)
    texts = [" ".join(f"w{rng.randrange(300)}" for _ in range(200)) for _ in range(50)]
    twins = [text.rsplit(" ", 1)[0] + " end" for text in texts]
    near = NearDuplicates(0.9)
    assert [near.first(s, i) for i, s in enumerate(signatures(texts))] == [None] * 50
    assert [near.first(s, 50 + i) for i, s in enumerate(signatures(twins))] == list(range(50))


def test_a_duplicate_is_not_remembered_itself():
    "Otherwise texts that drift word by word would all hang on the first one."
    near = NearDuplicates(0.5)
    texts = ["a b c d e f g h i j k l m n o p", "a b c d e f g h i j k l m n o q"]
    first, second = signatures(texts)
    assert near.first(first, 10) is None and near.first(second, 11) == 10 and near.first(second, 12) == 10
    assert len(near.kept) == 1


def test_short_and_empty_texts_have_a_signature():
    assert shingles("") == {b""}
    assert signatures(["", "one"])[0] != signatures(["one", ""])[0]
