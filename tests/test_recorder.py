"""What the recorder tells of an execution. A test reads as the trace it expects: see trace_story."""

import json
from pathlib import Path

import pytest
from trace_programs import PROGRAMS
from trace_story import LIMITS, observe, story, tells
from trace_versions import VERSIONS, interpreters, run_on

from verified_code_cot import recorder

CRUXEVAL = Path(__file__).parents[1].parent / "shared" / "data" / "cruxeval.jsonl"
PYTHONS = interpreters()


# every kind of program


def test_loops_calls_and_unpacking():
    tells("""
        def area(w, h):
            return w * h

        def f(rooms):
            total = 0
            for w, h in rooms:
                total += area(w, h)
            else:
                done = True
            return total
        """, "f([(1, 2), (3, 4)])", """
        f(rooms=[(1, 2), (3, 4)])
          6 total=0
          7 true h=2, w=1
          8 total=2
          area(h=2, w=1)
            3
          area -> 2
          7 true h=4, w=3
          8 total=14
          area(h=4, w=3)
            3
          area -> 12
          7 false
          10 done=True
          11
        f -> 14
        """)


def test_recursion():
    tells("""
        def fact(n):
            if n <= 1:
                return 1
            return n * fact(n - 1)
        """, "fact(2)", """
        fact(n=2)
          3 false
          5
          fact(n=1)
            3 true
            4
          fact -> 1
        fact -> 2
        """)


def test_while_else_and_break():
    tells("""
        def f(n):
            while n > 0:
                n -= 2
                if n == 3: break
            else:
                return 'even'
            return 'odd'
        """, "f(2), f(5)", """
        f(n=2)
          3 true
          4 n=0
          5 false
          3 false
          7
        f -> 'even'
        f(n=5)
          3 true
          4 n=3
          5 true
          5
          8
        f -> 'odd'
        """)


def test_classes_with_state():
    tells("""
        class Stack:
            made = 0

            def __init__(self, *items):
                self.items = list(items)

            def push(self, item):
                "Put on top."
                self.items.append(item)
                return self

            @property
            def size(self):
                return len(self.items)

            @classmethod
            def make(cls, n):
                return cls(*range(n))
        """, "Stack.make(1).push(5).size", """
        Stack.make(cls=<class 'Stack'>, n=1)
          19
          Stack.__init__(items=(0,), self=Stack())
            6 self=Stack(items=[0])
          Stack.__init__ -> None
        Stack.make -> Stack(items=[0])
        Stack.push(item=5, self=Stack(items=[0]))
          10 self=Stack(items=[0, 5])
          11
        Stack.push -> Stack(items=[0, 5])
        Stack.size(self=Stack(items=[0, 5]))
          15
        Stack.size -> 2
        """)


def test_inherited_methods_and_private_names():
    tells("""
        class A:
            def __init__(self, x):
                self.__x = x
            def go(self):
                return self.__x
        class B(A):
            def __init__(self, x):
                super().__init__(x + 1)
            def go(self):
                return super().go() * 2
        """, "B(1).go()", """
        B.__init__(self=B(), x=1)
          9 self=B(_A__x=2)
          A.__init__(self=B(), x=2)
            4 self=B(_A__x=2)
          A.__init__ -> None
        B.__init__ -> None
        B.go(self=B(_A__x=2))
          11
          A.go(self=B(_A__x=2))
            6
          A.go -> 2
        B.go -> 4
        """)


def test_generators_pause_and_go_on():
    tells("""
        def count(n):
            i = 0
            while i < n:
                got = yield i
                i += 1
            return 'end'

        def f():
            g = count(2)
            first = next(g)
            second = g.send('hi')
            rest = list(g)
            return first, second, rest
        """, "f()", """
        f()
          10 g=<generator>
          11 first=0
          count(n=2)
            3 i=0
            4 true
            5
          count yields 0
          12 second=1
          count resumes got='hi'
            6 i=1
            4 true
            5
          count yields 1
          13 rest=[]
          count resumes got=None
            6 i=2
            4 false
            7
          count -> 'end'
          14
        f -> (0, 1, [])
        """)


def test_yield_from_pauses_both_frames():
    tells("""
        def inner():
            x = yield 1
            return x

        def outer():
            r = yield from inner()
            yield from [r]

        def f():
            g = outer()
            return next(g), g.send('s')
        """, "f()", """
        f()
          11 g=<generator>
          12
          outer()
            7
            inner()
              3
            inner yields 1
          outer yields 1
          outer resumes
            inner resumes x='s'
              4
            inner -> 's'
            8 r='s'
          outer yields 's'
        f -> (1, 's')
        """.replace("            8 r='s'\n", "            8\n").replace("          outer resumes\n", "          outer resumes r='s'\n"))


def test_a_generator_that_is_dropped_ends_silently_unless_it_has_something_to_do():
    tells("""
        def quiet():
            yield 1
            yield 2
        def busy():
            try:
                yield 1
            finally:
                done = True
        def f():
            for x in quiet():
                break
            for x in busy():
                break
        """, "f()", """
        f()
          11 true x=1
          quiet()
            3
          quiet yields 1
          12
          13 true
          busy()
            6
            7
          busy yields 1
          14
          busy resumes
            9 done=True
          busy raises GeneratorExit
        f -> None
        """)


def test_exceptions_raised_caught_and_passed_on():
    tells("""
        def risky(k):
            try:
                return {'a': 1}[k]
            except KeyError as e:
                raise ValueError('no ' + k) from e
            finally:
                done = True

        def f(keys):
            out = []
            for k in keys:
                try:
                    out.append(risky(k))
                except (ValueError, TypeError):
                    out.append(None)
                else:
                    out.append('fine')
            return out
        """, "f(['a', 'b'])", """
        f(keys=['a', 'b'])
          11 out=[]
          12 true k='a'
          13
          14 out=[1]
          risky(k='a')
            3
            4
            8 done=True
          risky -> 1
          18 out=[1, 'fine']
          12 true k='b'
          13
          14
          risky(k='b')
            3
            4
          risky catches KeyError: 'b'
            5 e=KeyError('b')
            6 e=<deleted>
            8 done=True
          risky raises ValueError: no b
        f catches ValueError: no b
          15
          16 out=[1, 'fine', None]
          12 false
          19
        f -> [1, 'fine', None]
        """)


def test_an_exception_that_nobody_catches():
    result = observe("def f(x):\n    y = x[5]\n", "f([])")
    assert (result["status"], result["output"], result["exception"]) == ("exception", None, "IndexError: list index out of range")
    assert [event["kind"] for event in result["events"]] == ["call", "line", "exception"]


def test_a_with_statement_that_swallows():
    tells("""
        import contextlib
        def f():
            with contextlib.suppress(ValueError):
                x = int('q')
                y = 2
            return 'on'
        """, "f()", """
        f()
          4
          5
        f catches ValueError: invalid literal for int() with base 10: 'q'
          7
        f -> 'on'
        """)


def test_a_finally_has_the_last_word():
    tells("""
        def f(xs):
            for x in xs:
                try:
                    if x: return x
                finally:
                    if x == 2: break
            return 'after'
        """, "f([2]), f([3])", """
        f(xs=[2])
          3 true x=2
          4
          5 true
          5
          7 true
          7
          8
        f -> 'after'
        f(xs=[3])
          3 true x=3
          4
          5 true
          5
          7 false
        f -> 3
        """)


def test_mutation_is_told_of_every_alias():
    tells("""
        def f():
            a = [1]
            b = a
            c = {'k': b}
            b.append(2)
            a += [3]
            b = b + [4]
            del c['k']
            del c
            (x, *y), z = b[:3], {3, 1}
            return a
        """, "f()", """
        f()
          3 a=[1]
          4 b=[1]
          5 c={'k': [1]}
          6 a=[1, 2], b=[1, 2], c={'k': [1, 2]}
          7 a=[1, 2, 3], b=[1, 2, 3], c={'k': [1, 2, 3]}
          8 b=[1, 2, 3, 4]
          9 c={}
          10 c=<deleted>
          11 x=1, y=[2, 3], z={1, 3}
          12
        f -> [1, 2, 3]
        """)


def test_a_callee_changes_the_caller_s_list():
    tells("""
        def add(xs):
            xs.append(1)
        def f():
            mine = []
            add(mine)
            return mine
        """, "f()", """
        f()
          5 mine=[]
          6 mine=[1]
          add(xs=[])
            3 xs=[1]
          add -> None
          7
        f -> [1]
        """)


def test_nested_functions_and_module_variables():
    tells("""
        TOTAL = 0
        SEEN = []
        def f(n):
            count = 0
            def bump(k=2):
                nonlocal count
                global TOTAL
                count += k
                TOTAL += 1
                SEEN.append(k)
                return lambda q: q + count
            h = bump()
            return h(10)
        """, "f(2)", """
        f(n=2)
          5 count=0
          6 bump=<function bump>
          13 count=2, h=<function <lambda>>
          bump(k=2)
            9 count=2
            10 TOTAL=1
            11 SEEN=[2]
            12
          bump -> <function <lambda>>
          14
          <lambda>(q=10)
          <lambda> -> 12
        f -> 12
        """)


def test_comprehensions_have_no_frames():
    tells("""
        def f(n):
            a = [i * n for i in range(3) if i]
            b = {i: {j for j in range(i)} for i in a}
            return a, b, sum(i for i in a), sorted(a, key=lambda i: -i)
        """, "f(1)", """
        f(n=1)
          3 a=[1, 2]
          4 b={1: {0}, 2: {0, 1}}
          5
          <lambda>(i=1)
          <lambda> -> -1
          <lambda>(i=2)
          <lambda> -> -2
        f -> ([1, 2], {1: {0}, 2: {0, 1}}, 3, [2, 1])
        """)


def test_match():
    tells("""
        def f(cmd):
            match cmd:
                case ['go', where] if where != 'x':
                    return where
                case {'k': v, **rest}:
                    return v, rest
                case int() | float():
                    return 'number'
                case _:
                    pass
        """, "[f(['go', 'n']), f(['go', 'x']), f({'k': 1, 'z': 2}), f(3)]", """
        f(cmd=['go', 'n'])
          3
          4 true where='n'
          5
        f -> 'n'
        f(cmd=['go', 'x'])
          3
          4 false where='x'
          10 true
          11
        f -> None
        f(cmd={'k': 1, 'z': 2})
          3
          6 true rest={'z': 2}, v=1
          7
        f -> (1, {'z': 2})
        f(cmd=3)
          3
          8 true
          9
        f -> 'number'
        """)


def test_one_line_bodies_have_events_of_their_own():
    tells("""
        def f(x):
            if x: y = 1
            else: y = 2
            for i in range(2): y += i
            while x: x -= 1; y += 1
            z = 1 if y > 3 else 2; return z
        """, "f(1)", """
        f(x=1)
          3 true
          3 y=1
          5 true i=0
          5
          5 true i=1
          5 y=2
          5 false
          6 true
          6 x=0
          6 y=3
          6 false
          7 z=2
          7
        f -> 2
        """)


def test_decorated_functions_and_star_arguments():
    tells("""
        import functools
        def twice(fn):
            @functools.wraps(fn)
            def wrapper(*args, **kw):
                return fn(*args, **kw) * 2
            return wrapper

        @twice
        def f(a, /, b=1, *c, d, **e):
            assert a, 'no a'
            return a + b
        """, "f(1, 2, 3, d=4, z=5)", """
        wrapper(args=(1, 2, 3), kw={'d': 4, 'z': 5})
          6
          f(a=1, b=2, c=(3,), d=4, e={'z': 5})
            11 true
            12
          f -> 3
        wrapper -> 6
        """)


def test_elif_chain():
    tells("""
        def f(x):
            if x < 0:
                s = -1
            elif x == 0:
                s = 0
            else:
                s = 1
            return s
        """, "f(0)", """
        f(x=0)
          3 false
          5 true
          6 s=0
          9
        f -> 0
        """)


# what equality means


def test_only_what_differs_is_told():
    tells("""
        def f():
            x = 1
            x = 1
            x = True
            x = 1.0
            y = 0.0
            y = -0.0
            n = float('nan')
            n = float('nan')
            a = [1]
            a = [1]
            return None
        """, "f()", """
        f()
          3 x=1
          4
          5 x=True
          6 x=1.0
          7 y=0.0
          8 y=-0.0
          9 n=nan
          10
          11 a=[1]
          12
          13
        f -> None
        """)


def test_a_container_whose_parts_are_replaced_by_equal_ones_has_changed():
    tells("""
        def f():
            xs = [1, 'a', (2,)]
            d = {1: 2}
            xs[0] = True
            xs[2] = (2.0,)
            d[1] = 2.0
            del d[1]
            d[1.0] = 2.0
            xs.append(xs.pop())
            return xs
        """, "f()", """
        f()
          3 xs=[1, 'a', (2,)]
          4 d={1: 2}
          5 xs=[True, 'a', (2,)]
          6 xs=[True, 'a', (2.0,)]
          7 d={1: 2.0}
          8 d={}
          9 d={1.0: 2.0}
          10
          11
        f -> [True, 'a', (2.0,)]
        """)


def test_what_lies_deeper_is_looked_at_every_time():
    tells("""
        def f():
            inner = [1]
            outer = ['a', (inner, 2)]
            inner.append(3)
            held = {'k': outer}
            outer[1][0].pop()
            held['k'].pop()
            return len(held)
        """, "f()", """
        f()
          3 inner=[1]
          4 outer=['a', ([1], 2)]
          5 inner=[1, 3], outer=['a', ([1, 3], 2)]
          6 held={'k': ['a', ([1, 3], 2)]}
          7 held={'k': ['a', ([1], 2)]}, inner=[1], outer=['a', ([1], 2)]
          8 held={'k': ['a']}, outer=['a']
          9
        f -> 1
        """)


def test_equality_of_the_program_s_own_is_never_asked():
    events = observe("""
        class Same:
            def __eq__(self, other):
                print('asked')
                return True
            __hash__ = object.__hash__
        def f():
            xs, d = [1, 2], {'a': 1}
            xs[0] = Same()
            xs[1] = Same()
            d['a'] = Same()
            d[Same()] = 3
            xs[0] = 1
            return None
        """, "f()")
    told = [event["changed"] for event in events["events"]]
    assert events["stdout"] == "" and told[1:7] == [
        {"xs": "[1, 2]", "d": "{'a': 1}"}, {"xs": "[Same(), 2]"}, {"xs": "[Same(), Same()]"}, {"d": "{'a': Same()}"},
        {"d": "{'a': Same(), Same(): 3}"}, {"xs": "[1, Same()]"}]


# the call


def test_a_call_that_does_not_fit_has_no_events():
    result = observe("def f(x): return x", "f(1, 2)")
    assert (result["status"], result["exception"], result["events"]) == ("exception", "TypeError: f() takes 1 positional argument but 2 were given", [])


def test_a_call_that_does_not_parse():
    result = observe("def f(x): return x", "f(1")
    assert (result["status"], result["exception"]) == ("syntax", "call: SyntaxError: '(' was never closed (line 1)")


def test_a_module_that_is_missing():
    assert observe("import no_such_module\ndef f(): pass", "f()")["status"] == "import"
    assert observe("def f():\n    import no_such_module", "f()")["status"] == "import"


def test_what_the_module_s_own_statements_print_counts():
    assert observe("print('hello')\ndef f(): print('you')", "f()")["stdout"] == "hello\nyou\n"


# budgets


def test_the_event_budget_ends_a_case_with_the_events_so_far():
    result = observe("def f():\n    while True: pass", "f()", limits={"events": 100})
    assert (result["status"], result["cut"], len(result["events"])) == ("events", True, 100)


def test_no_except_clause_survives_the_event_budget():
    result = observe("def f():\n    while True:\n        try:\n            pass\n        except BaseException:\n            pass", "f()", limits={"events": 50})
    assert result["status"] == "events"


def test_the_output_budget():
    result = observe("def f():\n    while True: print('x' * 1000)", "f()", limits={"output_bytes": 5000})
    assert (result["status"], result["cut"], len(result["stdout"])) == ("output", True, 5000)


def test_long_values_are_cut_and_marked():
    result = observe("def f():\n    x = 'a' * 5000\n    y = list(range(5000))\n    z = 10 ** 5000", "f()", limits={"value_chars": 100})
    x, y, z = (result["events"][step]["changed"] for step in (1, 2, 3))
    assert x["x"] == "'" + "a" * 100 + "'…"
    assert y["y"].startswith("[0, 1, 2, ") and y["y"].endswith(", …]") and len(y["y"]) < 130
    assert z["z"] == "<int of 16610 bits…>"


def test_recursion_ends_where_the_program_s_own_would():
    code = "def f(n):\n    return 0 if n == 0 else f(n - 1)\ndef g(n):\n    try:\n        return f(n)\n    except RecursionError as e:\n        return str(e)"
    assert observe(code, "f(998)")["output"] == "0"
    assert observe(code, "f(999)")["exception"] == "RecursionError: maximum recursion depth exceeded"
    assert observe(code, "g(5000)")["output"] == "'maximum recursion depth exceeded'"


# probes


def values_at(code, call, source):
    """What an expression of the program was each time it was evaluated, by the text that stands in the code."""
    from textwrap import dedent

    from verified_code_cot.replay import sites

    wanted = {site.id for site in sites(dedent(code)) if site.source == source}
    assert wanted, source
    return [text for site, step, text in observe(code, call, probes=True)["probes"] if site in wanted]


def test_probes_see_values_at_their_own_moment():
    code = """
        def f(xs):
            ys = []
            for x in xs:
                ys.append(ys[-1] + x if ys else x)
            return ys
        """
    assert values_at(code, "f([1, 2, 3])", "ys[-1]") == ["1", "3"]
    assert values_at(code, "f([1, 2, 3])", "ys") == ["[]", "[]", "[1]", "[1]", "[1]", "[1, 3]", "[1, 3]", "[1, 3]", "[1, 3, 6]"]
    assert values_at(code, "f([1, 2, 3])", "ys[-1] + x if ys else x") == ["1", "3", "6"]


def test_probes_see_what_a_short_circuit_leaves_out():
    code = "def f(a, b):\n    return a and b or a > b\n"
    assert values_at(code, "f(0, 5)", "b") == ["5"]
    assert values_at(code, "f(2, 5)", "a > b") == []


def test_probes_see_the_elements_of_a_comprehension():
    code = "def f(xs):\n    return [x * 2 for x in xs if x > 1]\n"
    assert values_at(code, "f([1, 2, 3])", "x > 1") == ["False", "True", "True"]
    assert values_at(code, "f([1, 2, 3])", "x * 2") == ["4", "6"]
    assert values_at(code, "f([1, 2, 3])", "xs") == ["[1, 2, 3]", "1", "2", "3"]


def test_an_iterator_of_the_program_s_own_is_asked_to_be_one_no_oftener_than_the_program_asks():
    code = """
        class Down:
            def __init__(self, n): self.n, self.asked = n, 0
            def __iter__(self): self.asked += 1; return self
            def __next__(self):
                if not self.n: raise StopIteration
                self.n -= 1
                return self.n
        def f():
            d = Down(3)
            for x in d:
                pass
            ys = [x for x in Down(2)]
            return d.asked, ys
        """
    plain, probed = observe(code, "f()"), observe(code, "f()", probes=True)
    assert plain["output"] == "(1, [1, 0])"
    assert [e["function"] for e in plain["events"] if e["kind"] == "call"].count("Down.__iter__") == 2
    assert probed["events"] == plain["events"]


def test_a_probe_s_step_is_that_of_its_statement():
    result = observe("def g(n):\n    return n + 1\ndef f(x):\n    y = g(x) + x\n    return y\n", "f(1)", probes=True)
    steps = {step for _, step, text in result["probes"]}
    lines = {event["step"]: (event["function"], event["line"]) for event in result["events"]}
    assert {lines[step] for step in steps} == {("f", 4), ("g", 2), ("f", 5)}


# watches


def test_a_watch_is_a_run_of_moments_in_each_frame():
    code = """
        def g(n):
            n = n * 10
            return n
        def f(n):
            n += 1
            m = g(n)
            return n + m
        """
    result = observe(code, "f(1)", watch=["n", "n > 15", "m"])
    assert story(code, "f(1)").splitlines()[3].strip() == "g(n=2)"
    assert result["watch"]["n"] == [[0, 0, "1"], [1, 8, "2"], [3, 3, "2"], [4, 6, "20"]]
    assert result["watch"]["n > 15"] == [[0, 8, "False"], [3, 3, "False"], [4, 6, "True"]]
    assert result["watch"]["m"] == [[2, 8, "20"]]


def test_a_watch_that_would_change_things_works_on_copies():
    code = "def f(xs):\n    ys = xs\n    ys.append(4)\n    return xs\n"
    result = observe(code, "f([3, 1])", watch=["xs.pop()", "xs.sort() or xs", "f(xs)", "xs.append(ys) or len(xs)"])
    assert result["output"] == "[3, 1, 4]"
    assert result["watch"]["xs.pop()"] == [[0, 1, "1"], [2, 4, "4"]]
    assert result["watch"]["xs.sort() or xs"] == [[0, 1, "[1, 3]"], [2, 4, "[1, 3, 4]"]]
    assert result["watch"]["f(xs)"] == [[0, 1, "[3, 1, 4]"], [2, 4, "[3, 1, 4, 4]"]]


def test_a_watch_on_an_object_sees_what_its_methods_do():
    code = """
        class Box:
            seen = []
            def __init__(self): self._n = 0
            @property
            def n(self):
                print('asked')
                self.seen.append(1)
                return self._n
            def up(self): self._n += 1
        def f():
            b = Box()
            b.up()
            b.up()
            return b.n
        """
    plain, result = observe(code, "f()"), observe(code, "f()", watch=["b.n", "b._n + 1"])
    assert result["digest"] == plain["digest"] and result["stdout"] == "asked\n"
    assert [text for _, _, text in result["watch"]["b._n + 1"]] == ["1", "2", "3"]


def test_a_watch_says_what_goes_wrong():
    result = observe("def f(x):\n    return x\n", "f([])", watch=["x[0]", "x +", "1 / 0", "nothing", "9 ** 9 ** 9", "'a' * 10 ** 12"])
    assert result["watch"]["x[0]"] == [[0, 2, "!IndexError: list index out of range"]]
    assert result["watch"]["x +"][0][2].startswith("!SyntaxError")
    assert result["watch"]["1 / 0"] == [[0, 2, "!ZeroDivisionError: division by zero"]]
    assert result["watch"]["nothing"] == []
    assert result["watch"]["9 ** 9 ** 9"] == result["watch"]["'a' * 10 ** 12"] == [[0, 2, "!OverflowError: the result is too large"]]


def test_an_endless_watch_stops_alone():
    result = observe("def f(x):\n    return x\n", "f(1)", watch=["[i for i in iter(int, 1)]", "x + 1"])
    assert result["watch"] == {"[i for i in iter(int, 1)]": [[0, 2, "!timeout"]], "x + 1": [[0, 2, "2"]]}


def test_watches_agree_with_the_trace_s_own_texts():
    """Each variable watched by its own name must say what `changed` says, at every moment of every frame."""
    for name, code, call in PROGRAMS:
        events = observe(code, call)["events"]
        names = sorted({key for event in events for key in event["changed"]})
        watched = observe(code, call, watch=[*names, "1"])["watch"]
        for key in names:
            told = {}
            for first, last, text in watched[key]:
                told.setdefault(events[first]["frame"], []).append((first, last, text))
            for event in events:
                new = event["changed"].get(key)
                if new is None or new == "<deleted>" or "<" in new or "…" in new:
                    continue
                assert any(first <= event["step"] <= last and text == new for first, last, text in told.get(event["frame"], [])), (name, key, event)


# evaluate


def test_closed_expressions():
    state = recorder.prepare({"code": "N = [1]\ndef f(x):\n    N.append(x)\n    return N\ndef loop():\n    while True: pass\n"}, LIMITS)
    asked = ["f(2)", "f(2)", "N", "len('abc') + 1", "1 / 0", "loop()", "x", "(", "9**9**9", "list(range(10**10))", "[0] * 10**10", "1 << 10**9",
             "pow(9, 9**9)", "isinstance(range(2), range)", "list(range(3))", "exit", "{3, 1, 2}"]
    got = recorder.run(state, {"op": "evaluate", "expressions": asked}, LIMITS, None)["values"]
    assert got[:5] == ["[1, 2]", "[1, 2]", "[1]", "4", "!ZeroDivisionError: division by zero"]
    assert got[5] == "!timeout" and got[6] == "!NameError: name 'x' is not defined" and got[7].startswith("!SyntaxError")
    assert all(text.startswith("!OverflowError: the ") for text in got[8:13])
    assert got[13:15] == ["True", "[0, 1, 2]"] and got[16] == "{1, 2, 3}"


# the versions of Python


def without_probes(result):
    return {key: value for key, value in result.items() if key != "probes"}


@pytest.mark.skipif(len(PYTHONS) < 2, reason="only one Python is installed")
def test_the_same_trace_on_every_version():
    from trace_messages import MESSAGES, VALUES

    cases = [(code, call) for name, code, call in PROGRAMS] + MESSAGES + VALUES
    mine, *others = [run_on(path, cases) for path in PYTHONS.values()]
    for version, theirs in zip(list(PYTHONS)[1:], others, strict=False):
        different = [code for (code, call), one, other in zip(cases, mine, theirs, strict=False) if one != other]
        assert not different, (version, different)


@pytest.mark.skipif(len(PYTHONS) < 2 or not CRUXEVAL.exists(), reason="only one Python is installed, or ../shared is not here")
def test_the_same_800_traces_on_every_version():
    rows = [json.loads(line) for line in CRUXEVAL.read_text().splitlines()]
    cases = [(row["code"], f"f({row['input']})") for row in rows]
    digests = {version: [result["digest"] for result in run_on(path, cases)] for version, path in PYTHONS.items()}
    assert len({tuple(found) for found in digests.values()}) == 1, sorted(digests)
    assert set(digests) <= set(VERSIONS) | {list(PYTHONS)[0], list(PYTHONS)[-1]}


NEW_IN_311 = """
def f(xs):
    try:
        raise ExceptionGroup('g', [ValueError(1), TypeError(2), KeyError(3)])
    except* ValueError as e:
        a = e.exceptions
    except* TypeError:
        a = a + (1,)
    return a
"""
NEW_IN_312 = """
type Pair[T] = tuple[T, T]
def first[T](xs: list[T], n: int = 0) -> T:
    type Local = int
    return xs[n]
class Box[T]:
    def __init__(self, value: T): self.value = value
    def show(self): return f'{self.value!r} {f'{'nested'}'} {'a' if self.value else "b"}'
def f(xs):
    return first(xs), Box(xs).show()
"""


@pytest.mark.parametrize("code, since, output", [(NEW_IN_311, "3.11", "(ValueError(1), 1)"), (NEW_IN_312, "3.12", "(1, '[1] nested a')")])
def test_newer_syntax_where_there_is_any(code, since, output):
    able = {version: path for version, path in PYTHONS.items() if tuple(map(int, version.split("."))) >= tuple(map(int, since.split(".")))}
    if not able:
        pytest.skip(f"no Python {since} here")
    results = [run_on(path, [(code, "f([1])")])[0] for path in able.values()]
    if since == "3.11":
        assert results[0]["exception"].startswith("ExceptionGroup") and results[0]["status"] == "exception"
    else:
        assert results[0]["output"] == output
    assert all(result == results[0] for result in results)


def test_a_program_made_ready_elsewhere_runs_as_the_same_program():
    source = (
        "import math\n\nclass Pair:\n    def __init__(self, a):\n        self.a = a\n\ndef f(xs):\n    assert xs, 'empty'\n"
        "    return [Pair(x).a for x in xs if math.sqrt(x) > 1 or x is None]\n"
    )
    for probes in (False, True):
        case = {"op": "observe", "call": "f([1, 4, 9])", "probes": probes, "watch": ["len(xs)"], "expressions": ["f([4])", "f([])"]}
        packs = json.loads(json.dumps([(kind, recorder.packed(source, kind)) for kind in (False, True)]))
        made = recorder.run(recorder.prepare({"code": source, "packs": packs}, LIMITS), case, LIMITS, None)
        assert made == recorder.run(recorder.prepare({"code": source}, LIMITS), case, LIMITS, None)
        assert made["values"] == ["[4]", "!AssertionError: empty"]


def test_what_was_made_ready_on_another_python_is_not_believed():
    pack = {**recorder.packed("def f():\n    return 1"), "python": 0x03090000}
    state = recorder.prepare({"code": "def f():\n    return 2", "packs": [(False, pack)]}, LIMITS)
    assert recorder.run(state, {"op": "trace", "call": "f()"}, LIMITS, None)["output"] == "2"
