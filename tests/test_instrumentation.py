"""The rewriting changes nothing that a program can notice, and misses nothing that it executes."""

import ast
import contextlib
import io
import json
import sys
import types
from pathlib import Path

import pytest
from trace_programs import PROGRAMS
from trace_story import observe

from verified_code_cot.instrumentation import instrument, nodes_of
from verified_code_cot.rendering import error_text, render

CRUXEVAL = Path(__file__).parents[1].parent / "shared" / "data" / "cruxeval.jsonl"


def run_plainly(code, call):
    """Output, exception and standard output of a case that nobody watches."""
    printed, stdin = io.StringIO(), sys.stdin
    module = sys.modules["program"] = types.ModuleType("program")
    limit = sys.getrecursionlimit()
    try:
        sys.stdin = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            try:
                exec(compile(code, "<program>", "exec", dont_inherit=True), vars(module))
                said = render(eval(call, vars(module)), 20000), None
            except Exception as error:  # noqa: BLE001 - whatever the program raises is compared
                said = None, error_text(error)
    finally:
        sys.stdin = stdin
        sys.setrecursionlimit(limit)
        del sys.modules["program"]
    return (*said, printed.getvalue())


@pytest.mark.parametrize("name, code, call", PROGRAMS, ids=[row[0] for row in PROGRAMS])
@pytest.mark.parametrize("wanted", [{}, {"probes": True}, {"watch": ["len(x)", "x", "a", "f", "out", "n + 1"]}], ids=["trace", "probes", "watch"])
def test_a_watched_program_does_what_it_did(name, code, call, wanted):
    if name == "recursion limit" and sys.gettrace() is not None:
        pytest.skip("a tracing tool is using up the stack")
    result = observe(code, call, **wanted)
    assert (result["output"], result["exception"], result["stdout"]) == run_plainly(code, call)


@pytest.mark.parametrize("name, code, call", PROGRAMS, ids=[row[0] for row in PROGRAMS])
def test_probes_and_watches_leave_the_trace_as_it_is(name, code, call):
    digest = observe(code, call)["digest"]
    assert observe(code, call, probes=True)["digest"] == digest
    assert observe(code, call, watch=["len(x)", "x", "n + 1", "out", "f"])["digest"] == digest


@pytest.mark.parametrize("name, code, call", PROGRAMS, ids=[row[0] for row in PROGRAMS])
def test_looking_at_fewer_names_finds_the_same_changes(name, code, call, monkeypatch):
    """`Effects` says which names a statement can change; a recorder that looks at all of them must agree."""
    digest = observe(code, call)["digest"]
    monkeypatch.setattr("verified_code_cot.instrumentation.is_plain", lambda nodes: False)
    assert observe(code, call)["digest"] == digest


def statement_lines(code):
    """For each line, the line on which the innermost statement that covers it begins."""
    owner = {}

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.stmt, ast.excepthandler)):
                owner.update(dict.fromkeys(range(child.lineno, child.end_lineno + 1), child.lineno))
            elif isinstance(child, ast.match_case):
                owner[child.pattern.lineno] = child.pattern.lineno
            visit(child)

    visit(ast.parse(code))
    return owner


def lines_by_settrace(code, call):
    """The oracle: the statements that the interpreter's own tracing sees, in order."""
    owner, seen, space = statement_lines(code), [], {"__name__": "program"}
    exec(compile(code, "<program>", "exec", dont_inherit=True), space)

    def in_frame(frame, event, argument):
        if event == "line":
            seen.append(owner[frame.f_lineno])
        return in_frame

    def on_call(frame, event, argument):
        mine = frame.f_code.co_filename == "<program>" and not frame.f_code.co_name.startswith("<")
        return in_frame if mine else None

    compiled, before = compile(call, "<call>", "eval"), sys.gettrace()
    sys.settrace(on_call)
    try:
        with contextlib.suppress(Exception):
            eval(compiled, space)
    finally:
        sys.settrace(before)
    return seen


def without_repeats(lines):
    """A statement on several lines is several events for the interpreter, a one-line loop several for us."""
    return [line for place, line in enumerate(lines) if place == 0 or lines[place - 1] != line]


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="../shared is not here")
def test_the_executed_statements_are_those_that_settrace_sees():
    for row in map(json.loads, CRUXEVAL.read_text().splitlines()):
        call = f"f({row['input']})"
        events = observe(row["code"], call)["events"]
        ours = [event["line"] for event in events if event["kind"] == "line" and event["function"] != "<lambda>"]
        assert without_repeats(ours) == without_repeats(lines_by_settrace(row["code"], call)), row["id"]


@pytest.mark.skipif(not CRUXEVAL.exists(), reason="../shared is not here")
def test_looking_at_fewer_names_finds_the_same_changes_in_800_programs(monkeypatch):
    rows = [json.loads(line) for line in CRUXEVAL.read_text().splitlines()]
    digests = [observe(row["code"], f"f({row['input']})")["digest"] for row in rows]
    monkeypatch.setattr("verified_code_cot.instrumentation.is_plain", lambda nodes: False)
    assert digests == [observe(row["code"], f"f({row['input']})")["digest"] for row in rows]


def test_sites_are_numbered_in_the_order_of_the_source():
    line = "    return g(x + 1)[0] if x > 2 else [y for y in x if y]"
    places = instrument(f"def f(x):\n{line}\n", probes=True).places
    assert [place.id for place in places] == list(range(len(places)))
    texts = [(place.kind, line[place.col:place.end_col]) for place in places]
    assert texts == [
        ("expr", "g(x + 1)[0] if x > 2 else [y for y in x if y]"), ("test", "x > 2"), ("expr", "x"), ("expr", "g(x + 1)[0]"),
        ("call", "g(x + 1)"), ("expr", "x + 1"), ("expr", "x"), ("expr", "[y for y in x if y]"), ("expr", "y"), ("iter", "x"),
        ("expr", "x"), ("test", "y")]


def test_what_is_not_a_function_has_no_hooks():
    tree = instrument("x = 1\nclass A:\n    y = [i for i in range(3)]\nasync def g():\n    return x\n").tree
    assert "__vcc_" not in ast.unparse(tree)


def test_a_program_that_does_not_parse_says_so():
    with pytest.raises(SyntaxError):
        instrument("def f(:\n")


def test_all_nodes_are_met_and_every_new_one_has_a_place():
    quiet = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
    for _, code, _ in PROGRAMS:
        tree = ast.parse(code)
        assert nodes_of(tree) == [node for node in ast.walk(tree) if not isinstance(node, quiet)]
        for probes in (False, True):
            new = ast.walk(instrument(code, probes).tree)
            assert all(node.lineno > 0 and node.end_lineno for node in new if isinstance(node, (ast.expr, ast.stmt, ast.excepthandler)))
