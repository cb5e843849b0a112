"""One text for each value, and texts compared as the values they stand for."""

import ast
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import math
import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_code_cot.rendering import Writer, canonical, error_text, is_cut, normal_message, render, same_text

settings.register_profile("calm", deadline=None)  # a busy machine is no failure
settings.load_profile("calm")

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary()
VALUES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=4)
    | st.sets(KEYS, max_size=4) | st.frozensets(KEYS, max_size=4),
    max_leaves=12)


@given(VALUES)
def test_builtin_values_read_as_python_prints_them(value):
    text = render(value, 10**6)
    again = eval(text, {"nan": math.nan, "inf": math.inf})
    assert repr(sorted_inside(again)) == repr(sorted_inside(value))


def sorted_inside(value):
    """The same value with its sets replaced by ordered lists of texts, so that `repr` can be compared."""
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(map(repr, value))
    if isinstance(value, dict):
        return {key: sorted_inside(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(sorted_inside(item) for item in value)
    return value


@given(VALUES)
def test_a_value_s_text_is_the_same_text(value):
    text = render(value, 10**6)
    assert same_text(text, text) is True
    assert same_text(text, render(copy.deepcopy(value), 10**6)) is True
    assert not is_cut(text)


@given(VALUES, VALUES)
def test_two_texts_are_the_same_exactly_when_the_values_are(a, b):
    assert same_text(render(a, 10**6), render(b, 10**6)) is alike(a, b)


def alike(a, b):
    """Equality of type and value, all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (set, frozenset)):
        return sorted(map(repr, a)) == sorted(map(repr, b))
    if isinstance(a, dict):
        return len(a) == len(b) and {repr(key) for key in a} == {repr(key) for key in b} and all(
            alike(item, next(other for name, other in b.items() if repr(name) == repr(key))) for key, item in a.items())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(alike, a, b))
    return repr(a) == repr(b)


@given(VALUES, st.integers(20, 60))
@settings(max_examples=200)
def test_a_limit_holds_and_is_marked(value, limit):
    whole, text = render(value, 10**6), render(value, limit)
    assert len(text) <= 8 * limit + 200
    assert text == whole or is_cut(text) or same_text(text, whole)
    if is_cut(text):
        assert same_text(text, whole) is None


@given(VALUES)
def test_canonical_reads_a_literal_without_running_it(value):
    text = render(value, 10**6)
    try:
        ast.literal_eval(text)
    except ValueError:  # nan, inf, frozenset: names and calls are no literals
        return
    assert canonical(text) == text


@pytest.mark.parametrize("a, b, same", [
    ("True", "1", False), ("1", "1.0", False), ("nan", "nan", True), ("-0.0", "0.0", False), ("[1, 2]", "[2, 1]", False),
    ("{1, 2}", "{2, 1}", True), ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True), ("{'a': 1}", "{'a': True}", False), ("(1,)", "[1]", False),
    ("'a'", '"a"', True), ("'a'", "b'a'", False), ("[1, …]", "[1, 2]", None), ("'…'", "'…'", True), ("'…'", "'x'", False),
    ("P(x=1, y=2)", "P(y=2, x=1)", True), ("P(x=1)", "Q(x=1)", False), ("[<function f>]", "[<function f>]", True),
    ("<function f>", "<function g>", False), ("set()", "{}", False), ("-1", "- 1", True), ("1_000", "1000", True), ("1e3", "1000.0", True),
    ("(1+2j)", "(1+2j)", True), ("(1+2j)", "(1-2j)", False), ("{1: {2, 3}}", "{1: {3, 2}}", True), ("frozenset({1, 2})", "frozenset({2, 1})", True),
    ("Counter({'a': 2, 'b': 1})", "Counter({'b': 1, 'a': 2})", True), ("not python (", "not python (", True), ("not python (", "x", False)])
def test_same_text(a, b, same):
    assert same_text(a, b) is same and same_text(b, a) is same


@pytest.mark.parametrize("source, text", [
    ("[1,2]", "[1, 2]"), ('"it\'s"', '"it\'s"'), ("{2,1}", "{1, 2}"), ("-0.0", "-0.0"), ("nan", "nan"), ("f(1)", None), ("x", None), ("1 +", None),
    ("__import__('os')", None), ("", None), ("(1,)", "(1,)"), ("{'b':1,'a':2}", "{'b': 1, 'a': 2}"), ("0x10", "16"), ("1e3", "1000.0"), ("set()", "set()")])
def test_canonical(source, text):
    assert canonical(source) == text


class Liar:
    def __init__(self):
        self.n = 1

    def __repr__(self):
        raise RuntimeError("asked for a repr")

    __str__ = __eq__ = __hash__ = __bool__ = __len__ = __iter__ = __getattr__ = __format__ = __repr__

    @property
    def __dict__(self):
        return {"n": "a lie"}

    @property
    def __class__(self):
        raise RuntimeError("asked for a class")

    def __getattribute__(self, name):
        raise RuntimeError("asked for " + name)


class Endless(list):
    def __iter__(self):
        while True:
            yield 1

    def __len__(self):
        return 10**9

    def __repr__(self):
        while True:
            pass


class Slotted:
    __slots__ = ("a", "b", "__c")

    def __init__(self):
        self.a, self.__c = 1, [2]


class Meta(type):
    def __getattribute__(cls, name):
        raise RuntimeError("asked the class for " + name)


class Strange(metaclass=Meta):
    def __init__(self):
        object.__setattr__(self, "x", 1)


class Color(enum.IntEnum):
    RED = 3


@dataclasses.dataclass
class Point:
    x: int
    y: list


class Money(decimal.Decimal):
    pass


class Tally(collections.Counter):
    pass


class Named(str):
    pass


class Wrong(Exception):
    def __init__(self, code):
        super().__init__("code", code)
        self.code = code

    def __str__(self):
        raise RuntimeError("asked for a str")


Pair = collections.namedtuple("Pair", "a b")


def made(value, **attributes):
    for name, item in attributes.items():
        setattr(value, name, item)
    return value


def in_itself():
    xs, d, p = [1], {}, Point(1, [])
    xs.append(xs)
    d["d"] = (d, xs)
    p.y.append(p)
    return xs, d, p


def counting():
    yield 1


RENDERED = [
    (Liar, "<class 'Liar'>"), (Liar(), "Liar()"), (Endless([1, 2]), "Endless([1, 2])"), (Slotted(), "Slotted(_Slotted__c=[2], a=1)"),
    (Strange(), "Strange(x=1)"),
    (Color.RED, "Color.RED"), (Point(1, [2]), "Point(x=1, y=[2])"), (Pair(1, "b"), "Pair(a=1, b='b')"), (Money("1.50"), "Money(Decimal('1.50'))"),
    (made(Named("n"), tag=1), "Named('n', tag=1)"), (Wrong(3), "Wrong('code', 3, code=3)"), (Tally("aab"), "Tally({'a': 2, 'b': 1})"),
    (in_itself(), "([1, […]], {'d': ({…}, [1, […]])}, Point(x=1, y=[Point(…)]))"), (collections.Counter("abca"), "Counter({'a': 2, 'b': 1, 'c': 1})"),
    (collections.Counter(), "Counter()"), (collections.OrderedDict(a=1), "OrderedDict({'a': 1})"), (collections.OrderedDict(), "OrderedDict()"),
    (collections.defaultdict(list, {1: [2]}), "defaultdict(<class 'list'>, {1: [2]})"), (collections.deque([1, 2]), "deque([1, 2])"),
    (collections.deque([1], 3), "deque([1], maxlen=3)"), (decimal.Decimal("1.10"), "Decimal('1.10')"), (fractions.Fraction(2, 4), "Fraction(1, 2)"),
    (datetime.date(2020, 1, 2), "datetime.date(2020, 1, 2)"), (datetime.timedelta(1), "datetime.timedelta(days=1)"), (range(3), "range(0, 3)"),
    (b"a", "b'a'"), (bytearray(b"a"), "bytearray(b'a')"), (1 + 2j, "(1+2j)"), (frozenset(), "frozenset()"), (set(), "set()"),
    (frozenset({2, 1}), "frozenset({1, 2})"),
    ({"b", "a", "c"}, "{'a', 'b', 'c'}"), ({10, 9, 2.5}, "{2.5, 9, 10}"), ({(2, 1), (1, 2), None, "a"}, "{None, 'a', (1, 2), (2, 1)}"),
    ({1: 2}.keys(), "dict_keys([1])"), ({1: 2}.items(), "dict_items([(1, 2)])"), ({1: 2}.values(), "dict_values([2])"),
    (slice(1, None, 2), "slice(1, None, 2)"),
    (iter([1]), "<list_iterator>"), (iter("a"), "<str_iterator>"), (zip(), "<zip>"), (map(str, []), "<map>"), (counting(), "<generator>"),
    (counting, "<function counting>"), (len, "<built-in function len>"), ([].append, "<built-in method append>"),
    (Slotted().__init__, "<bound method Slotted.__init__>"),
    (math, "<module math>"), (int, "<class 'int'>"), (list[int], "<type>"), (object(), "<object>"), (ValueError("x", 1), "ValueError('x', 1)"),
    (..., "Ellipsis"),
    (NotImplemented, "NotImplemented"), (types.SimpleNamespace(a=1), "namespace(a=1)"), (math.nan, "nan"), (-0.0, "-0.0"), (10**50, "1" + "0" * 50),
    ([[1, [2, (3,)]], {4: {5}}], "[[1, [2, (3,)]], {4: {5}}]"), ("a'b\n…", '"a\'b\\n…"'), ("\ud800", "'\\ud800'")]


@pytest.mark.parametrize("place", range(len(RENDERED)))  # pytest must not look at the values: some of them bite
def test_render(place):
    value, text = RENDERED[place]
    rendered = render(value)
    del value
    assert rendered == text


def test_deep_and_shared_structures_stay_small_and_quick():
    deep, wide, pair = [], [], ()
    for _ in range(100_000):
        deep = [deep]
    for _ in range(60):
        pair = (pair, pair)
    node = Slotted()
    for _ in range(5000):
        node, last = Slotted(), node
        node.b = last
    for value in (deep, pair, node, wide, [list(range(10**5))] * 1000, {i: "x" * 10**4 for i in range(1000)}, "a" * 10**7, 10**100_000):
        assert len(render(value)) <= 8000


def test_a_set_that_holds_itself_through_an_object():
    node = type("Node", (), {})()
    node.around = {node, 1}
    assert render(node) == "Node(around={Node(…), 1})"


def test_the_digits_of_a_huge_number_are_not_asked_for():
    assert render(10**4000, 5000) == str(10**4000)
    assert render(10**5000, 10**6) == "<int of 16610 bits…>"
    assert render([10**5000], 10**6) == "[<int of 16610 bits…>]"


ERRORS = [
    (ValueError("bad"), "ValueError: bad"), (ValueError(), "ValueError"), (KeyError("k"), "KeyError: 'k'"), (ValueError("a", 2), "ValueError: ('a', 2)"),
    (Wrong(3), "Wrong: ('code', 3)"), (StopIteration(3), "StopIteration: 3"),
    (RecursionError("maximum recursion depth exceeded in comparison"), "RecursionError: maximum recursion depth exceeded"),
    (ValueError("x" * 9999), "ValueError: " + "x" * 500 + "…"), (ValueError("\ud800"), "ValueError: \\ud800"),
    (OSError(2, "no"), "FileNotFoundError: (2, 'no')"),
    (ValueError(Liar()), "ValueError: Liar()")]


@pytest.mark.parametrize("place", range(len(ERRORS)))
def test_error_text(place):
    error, text = ERRORS[place]
    said = error_text(error)
    del error
    assert said == text


def test_messages_of_all_versions_read_alike():
    old, new = "local variable 'x' referenced before assignment", "cannot access local variable 'x' where it is not associated with a value"
    assert normal_message(old) == normal_message(new)
    assert normal_message("max() arg is an empty sequence") == normal_message("max() iterable argument is empty")


def test_the_interpreter_s_stack_is_left_alone():
    limit = sys.getrecursionlimit()
    render(in_itself())
    assert sys.getrecursionlimit() == limit


def test_the_short_way_runs_nothing_of_the_program():
    class Key:
        def __hash__(self):
            raise RuntimeError("asked")

        def __eq__(self, other):
            raise RuntimeError("asked")

    class Quiet(Key):
        __hash__ = object.__hash__

    loud = Quiet()
    counted, grouped = collections.Counter(), collections.defaultdict(list)
    counted[loud], grouped[loud] = 2, [1]
    Quiet.__hash__ = Key.__hash__
    assert render(counted) == "Counter({Quiet(): 2})" and render(grouped) == "defaultdict(<class 'list'>, {Quiet(): [1]})"


@pytest.mark.parametrize("value", [
    collections.deque([[1, "a"], (2.5, None)], maxlen=9), collections.defaultdict(list, {"a": [1], 2: ["b", "c"]}),
    collections.defaultdict(int), collections.Counter("abracadabra"), collections.Counter(), {"b", "a"}, {3, 1.5, True}])
def test_the_short_way_is_what_the_long_way_writes(value):
    wanted = {set: lambda: "{" + ", ".join(map(repr, sorted(value))) + "}"}.get(type(value), lambda: repr(value))()
    assert render(value) == wanted
    assert len(render(value, 6)) <= len(wanted) + 1


NESTED = st.recursive(
    ATOMS | st.just(5000).map(lambda digits: 10**digits) | st.sampled_from([10**40, "x" * 90, math.nan, int, len, "__builtins__"]),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS | st.just("__builtins__"), inner, max_size=3)
    | st.sets(st.integers() | st.text(), max_size=4) | st.lists(inner, max_size=4).map(lambda items: collections.deque(items, 9))
    | st.dictionaries(KEYS, inner, max_size=3).map(lambda items: collections.defaultdict(list, items)),
    max_leaves=25)


@given(NESTED, st.sampled_from([10, 50, 200, 2000]))
@settings(max_examples=300)
def test_the_short_way_and_the_long_way_agree_on_nested_data(value, limit):
    box = [value, Away(value)]  # the long way for the second: nothing short knows its kind
    assert render(value, limit) == Writer(limit).text(value)
    assert render(box, 100_000) == f"[{render(value, 100_000)}, Away(value={render(value, 100_000)})]"


class Away:
    """Something of the program's own."""

    def __init__(self, value):
        self.value = value


def test_no_key_of_the_program_s_own_is_asked_whether_it_is_builtins():
    class Key:
        def __hash__(self):
            return hash("__builtins__")

        def __eq__(self, other):
            raise RuntimeError("asked")

    assert render({Key(): [1]}) == "{Key(): [1]}" and render([{Key(): [1]}]) == "[{Key(): [1]}]" and render({"a": {Key(): []}}) == "{'a': {Key(): []}}"
