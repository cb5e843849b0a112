"""Small programs that between them use every kind of statement and expression: `(name, code, call)`.

What they do must not depend on whether they are watched (test_instrumentation), nor what is told of them on the
version of Python (test_recorder).
"""

from textwrap import dedent

PROGRAMS = []


def program(name, code, call):
    PROGRAMS.append((name, dedent(code).strip("\n") + "\n", call))


program("truth is asked once", """
    class Box:
        def __init__(self, name, full):
            self.name, self.full = name, full
        def __bool__(self):
            print('bool', self.name)
            return self.full
        def __repr__(self):
            return self.name
    def f():
        a, b = Box('a', True), Box('b', False)
        if a and b or not a: print(1)
        elif not (b or a): print(2)
        elif (a if b else b): print(3)
        x = a and b
        while not a and b: pass
        assert a or b
        print([i for i in (a, b) if i and not b], not x, bool(a) and 5)
        match 1:
            case 1 if b and a: print(4)
            case _ if a or b: print(5)
        return 'a' if a and b else 'b' if not b else 'c'
    """, "f()")

program("finally wins", """
    def f(k):
        for i in range(3):
            try:
                if k == 0: return 'returned'
                if k == 1: raise ValueError(i)
                if k == 2: break
                if k == 3: continue
            except ValueError as e:
                k = 5
                raise KeyError(e.args) from e
            else:
                k += 1
            finally:
                if k in (0, 5): return 'finally', i, k
                print('f', i, k)
        else:
            return 'else'
        return 'end'
    """, "[f(k) for k in range(7)]")

program("return swallowed by a loop", """
    def f():
        while True:
            try:
                return 1
            finally:
                break
    """, "f()")

program("context managers", """
    import contextlib
    @contextlib.contextmanager
    def tag(name):
        print('<', name)
        try:
            yield name.upper()
        except ZeroDivisionError:
            print('zero in', name)
        finally:
            print('>', name)
    def f():
        with tag('a') as a, tag('b'):
            x = 1 / 0
        with contextlib.suppress(KeyError, ValueError):
            {}[a]
        with tag('c'):
            with contextlib.suppress(ValueError):
                raise ZeroDivisionError('q')
        with tag('d') as d: return a + d
    """, "f()")

program("generators", """
    def tree(n):
        if n:
            yield from tree(n - 1)
            got = yield n
            if got: print('got', got)
            yield from [(n, i) for i in range(n)]
            return n
        return 0
    def wrap(g):
        r = yield from g
        yield 'r', r
    def lazy(*xs):
        try:
            for x in xs: yield x
        except ValueError as e:
            yield str(e)
        finally:
            print('done', xs)
    def f():
        g = wrap(tree(2))
        out = [next(g), g.send('hello')]
        out += g
        l = lazy(1, 2, 3)
        out.append(next(l)); out.append(l.throw(ValueError('thrown')))
        l.close()
        out.append(next(lazy(9)))
        for a in lazy(4, 5):
            if a == 5: break
        del a
        out.append(sum(x * 2 for x in lazy(1, 2)))
        first, *rest = lazy(7, 8)
        out.append((first, rest, max(lazy(3, 1)), dict(zip(lazy('k'), lazy('v')))))
        m = map(lambda q: q + 1, lazy(1))
        out.append(list(m))
        return out
    """, "f()")

program("generator raising", """
    def g(n):
        yield n
        raise ValueError('g', n)
    def f():
        out = []
        try:
            for x in g(1): out.append(x)
        except ValueError as e:
            out.append(e.args)
        try:
            next(g.__call__(2).__iter__().__next__)
        except TypeError:
            out.append('type')
        h = g(3)
        next(h)
        try:
            list(h)
        except ValueError:
            pass
        out.append(next(h, 'over'))
        return out
    """, "f()")

program("closures and scopes", """
    total = 0
    seen = []
    def outer(n, /, *args, key=None, **rest):
        count = n
        def inner(k=count):
            nonlocal count
            global total
            count += k
            total += count
            seen.append(count)
            return (lambda: count * 2)()
        class Local:
            size = n
            def get(self): return self.size + count
        return inner() + inner(1), Local().get(), [count + i for i in range(2) if i < count], args, key, rest
    def f():
        a = outer(1, 2, 3, key='k', z=4)
        global late
        late = [a[0]]
        late.append(total)
        return a, late, seen, total
    """, "f()")

program("walrus and comprehensions", """
    def f(xs):
        if (n := len(xs)) > 2: print(n)
        ys = [y := x * 2 for x in xs if (z := x) % 2]
        while (k := n - 1) > 2: n -= 1
        d = {a: [b for b in range(a) if b != y] for a in xs}
        s = {(a, b) for a in xs for b in ys if a != b}
        g = (a for a in ys if a > k)
        return ys, y, z, k, d, sorted(s), list(g), [*xs, *ys], {**d, 'e': 1}, [[i * j for j in range(i)] for i in xs]
    """, "f([1, 2, 3])")

program("methods and mangling", """
    class Base:
        registry = {}
        def __init_subclass__(cls, **kw):
            Base.registry[cls.__name__] = kw
        def __init__(self, x=0): self.__x = x
        @property
        def x(self): return self.__x
        @x.setter
        def x(self, value): self.__x = value
        @classmethod
        def make(cls, *a): return cls(*a)
        @staticmethod
        def twice(v): return v * 2
        def __add__(self, other): return type(self)(self.x + other.x)
        def __eq__(self, other): return isinstance(other, Base) and self.x == other.x
        def __lt__(self, other): return self.x < other.x
        def __getitem__(self, i): return [self.x][i]
        def __len__(self): return 1
        def __iter__(self): return iter([self.x])
        def __contains__(self, v): return v == self.x
        def __call__(self, y): return self.x + y
        def __hash__(self): return 1
    class Child(Base, tag=1):
        "Its docstring."
        def __init__(self, x=5):
            super().__init__(x)
            self.seen = [__class__.__name__]
        def make_more(self):
            return [super(Child, self).twice(i) for i in self] + [(lambda s: super(Child, s).twice(1))(self)]
        def __repr__(self): return f'Child<{self.x!r:>4}>'
    def f():
        a, b = Child(), Child.make(2)
        a.x += 1
        c = a + b
        return (c.x, a == b, sorted([a, b])[0].x, a[0], 6 in a, a(1), Base.registry, c.make_more(), Child.__doc__, f"{c} {c!s:*^12}",
                len({a, b}), c.seen, max([a, b]).x)
    """, "f()")

program("library classes", """
    import collections, dataclasses, enum, functools, itertools, typing
    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        y: 'int' = 0
        tags: list = dataclasses.field(default_factory=list, compare=False)
        def norm(self) -> int: return abs(self.x) + abs(self.y)
    class Color(enum.Enum):
        RED = 1
        BLUE = enum.auto()
        def next(self): return Color(self.value % 2 + 1)
    class Pair(typing.NamedTuple):
        a: int
        b: str = 'b'
        def both(self): return (self.a, self.b)
    Old = collections.namedtuple('Old', 'p q')
    @functools.lru_cache(maxsize=None)
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)
    @functools.total_ordering
    class Version:
        def __init__(self, *parts): self.parts = parts
        def __eq__(self, o): return self.parts == o.parts
        def __lt__(self, o): return self.parts < o.parts
    def f():
        p = Point(1, -2)
        p.tags.append('t')
        c = Color.RED.next()
        d = collections.defaultdict(list)
        for k, v in itertools.product('ab', range(2)): d[k].append(v)
        q = collections.deque(range(5), maxlen=3)
        q.rotate(1)
        n = collections.Counter('abca')
        n.update('c')
        groups = [(k, len(list(g))) for k, g in itertools.groupby(sorted('aab'))]
        r = functools.reduce(lambda a, b: a * 10 + b, [1, 2, 3])
        return (p, p < Point(1, 3), p.norm(), c.name, Pair(3).both(), Old(1, 2)._replace(q=5), fib(12), dict(d), list(q), n.most_common(1),
                groups, r, Version(1, 2) >= Version(1), dataclasses.replace(p, x=9), dataclasses.asdict(p))
    """, "f()")

program("decorators", """
    import functools
    def logged(tag):
        def decorate(fn):
            @functools.wraps(fn)
            def wrapper(*args, **kw):
                print(tag, fn.__name__, args)
                return fn(*args, **kw)
            wrapper.calls = 0
            return wrapper
        return decorate
    @logged('one')
    @logged('two')
    def f(a, b=[1], *c, d=2, **e):
        '''Doc of f.'''
        b.append(a)
        return a, b, c, d, e, f.__doc__, f.__name__, f.__defaults__, f.__wrapped__.__kwdefaults__
    """, "(f(1), f(2, d=3, z=4), f(1, [], 5))")

program("introspection", """
    'Module doc.'
    from __future__ import annotations
    import inspect
    def f(a: Undefined, b: int = 2) -> Nowhere:
        'Doc.'
        x: int = 3
        y: str
        names = sorted(locals())
        before = locals()
        z = 1
        return names, 'z' in before, sorted(vars()), f.__doc__, f.__annotations__, sorted(k for k in globals() if k[0] != '_'), \\
            __name__, __doc__, eval('a + b'), f.__code__.co_varnames[:2], str(inspect.signature(f))
    """, "f(1)")

program("exceptions", """
    class Odd(Exception):
        def __init__(self, n):
            super().__init__(f'odd {n}')
            self.n = n
        def __str__(self): return 'Odd!' + str(self.n)
    def check(n):
        if n % 2: raise Odd(n)
        return n
    def f():
        out = []
        for n in (1, 2, 'x', None):
            try:
                try:
                    out.append(check(n))
                except Odd as e:
                    out.append((str(e), e.n, e.__context__))
                    raise
                except TypeError:
                    out.append('type')
                    raise ValueError('bad') from None
            except (Odd, ValueError) as e:
                out.append((type(e).__name__, e.__cause__, repr(e)))
            else:
                out.append('fine')
        try:
            e
        except NameError as err:
            out.append(type(err).__name__)
        try:
            try:
                1 / 0
            finally:
                [][1]
        except IndexError as err:
            out.append(type(err.__context__).__name__)
        return out
    """, "f()")

program("patterns", """
    import dataclasses
    @dataclasses.dataclass
    class P:
        x: int
        y: int = 0
    def f(v):
        match v:
            case None | True: return 'const'
            case 0 | 1 as small: return 'small', small
            case str(s) if len(s) > 2: return s
            case [a, [b, *c], *_] if a: return a, b, c
            case {'k': [x, y], **rest}: return x, y, rest
            case P(x=0) | P(y=0): return 'axis'
            case P(a, b):
                a += b
                return a
            case (1.5, _): return 'float'
        return 'none'
    """, "[f(v) for v in (None, 0, 1, 'ab', 'abc', [1, [2, 3, 4], 5], [0, [1]], {'k': [1, 2], 'z': 0}, P(0, 3), P(2, 3), (1.5, 2), [])]")

program("assignment forms", """
    def f():
        a = b = [0, 0]
        i = 0
        i, a[i] = 1, 9
        (c, [d, *e]), g = (1, [2, 3, 4]), 5
        m = [[0] * 2 for _ in range(2)]
        m[0][1] = m[1][0] = 7
        a[i] += 5; a[-1:] = [6, 7]
        b += [8]
        x = y = 3
        x **= 2; y //= 2; x -= y; x @= 1 if False else Mat()
        d2 = {'k': {'n': []}}
        d2['k']['n'].append(d2['k'])
        del d2['k']['n'][0], g, e[0]
        s = 'ab'; s *= 2
        obj = Mat(); obj.v = [1]; obj.v += [2]; obj.v[0] = obj
        for obj.w in range(2): pass
        for a[0], (p, q) in [(1, 'xy'), (2, 'zw')]: pass
        return a, b is a, c, d, e, m, x, y, d2, s, obj.v[1], obj.w, p, q
    class Mat:
        def __rmatmul__(self, o): return ('mat', o)
    """, "f()")

program("iteration protocols", """
    class Old:
        def __getitem__(self, i):
            if i > 2: raise IndexError
            return i * 10
    class Down:
        def __init__(self, n): self.n = n
        def __iter__(self): return self
        def __next__(self):
            if not self.n: raise StopIteration
            self.n -= 1
            return self.n
    def f():
        out = []
        for x in Old(): out.append(x)
        d = Down(3)
        for x in d:
            out.append((x, d.n))
            for y in d: out.append(y); break
        xs = [1, 2, 3, 4]
        for x in xs:
            if x % 2: xs.remove(x)
        dd = {1: 2}
        try:
            for k in dd: dd[k + 1] = 0
        except RuntimeError as e: out.append(str(e))
        for i, (a, b) in enumerate(zip('ab', [1, 2])): out.append((i, a, b))
        try:
            for z in 5: pass
        except TypeError as e: out.append(str(e))
        return out, xs
    """, "f()")

program("operators and calls", """
    def g(*a, **k): return a, k
    def f(x, y):
        t = 1 < x <= y != 5 and not (x > y or x is y)
        v = x if t else y
        w = (x + y) * 2 - y ** 2 // 3 % 5 | 6 & 3 ^ 1 << 2 >> 1
        z = -x, +y, ~x, not x
        k = g(*[x], y, *(1, 2), a=1, **{'b': 2}, **dict(c=3))
        s = 'abcdef'[x:y], 'abcdef'[::-1][1], [1, 2, 3][-1], {'a': {'b': 5}}['a']['b'], 'abcdef'[1:][::2]
        q = f'{x:>{y}} {w!r} {{}} {"n" + "m"} {x=}', 'a' 'b', b'x' + b'y', r'\\d'
        h = (lambda a, *b, c=3, **d: (a, b, c, d))(1, 2, c=4, e=5), (lambda: (yield))
        return t, v, w, z, k, s, q, h[0], [].__len__(), (5).bit_length(), print('a', end='') or 'p', ..., x.__class__.__name__
    """, "f(2, 4)")

program("one-line bodies", """
    def f(n):
        if n > 1: m = 1
        elif n: m = 2
        else: m = 3
        for i in range(2): m += i
        while n: n -= 1; m *= 2
        try: m / n
        except ZeroDivisionError: m = -m
        finally: m += 1
        def g(a): return a + m
        class C: z = 4
        with open_nothing() as o: pass
        return g(C.z) if m else 0
    class open_nothing:
        def __enter__(self): return self
        def __exit__(self, *a): return None
    """, "(f(0), f(1), f(2))")

program("async is left alone", """
    import asyncio
    async def wait(n):
        await asyncio.sleep(0)
        return n + 1
    async def main():
        out = []
        async def agen():
            for i in range(2): yield await wait(i)
        async for x in agen(): out.append(x)
        return out, [y async for y in agen()]
    def drive(coro):
        try:
            while True: coro.send(None)
        except StopIteration as s:
            return s.value
    def f():
        return drive(main())
    """, "f()")

program("objects that end", """
    class Noisy:
        def __init__(self, n): self.n = n
        def __del__(self): print('del', self.n)
    def make(n):
        x = Noisy(n)
        y = [x]
        return y
    def f():
        a = make(1)
        a = 2
        b = make(3)
        b.pop()
        print('middle')
        for c in make(4): c = None
        make(5)
        d = {'k': make(6)}
        del d['k'], d
        return 'end'
    """, "f()")

program("print and input", """
    import sys
    def f(n):
        for i in range(n): print(i, end=' ' if i < n - 1 else '\\n')
        print('err', file=sys.stderr)
        sys.stdout.write('w\\n')
        print(*'ab', sep='-', flush=True)
        try:
            return input('? ')
        except EOFError as e:
            return 'eof'
    """, "f(3)")

program("recursion", """
    def hanoi(n, a='A', b='B', c='C'):
        return [] if n == 0 else hanoi(n - 1, a, c, b) + [(a, c)] + hanoi(n - 1, b, a, c)
    def depth(t):
        if not isinstance(t, list): return 0
        return 1 + max(map(depth, t), default=0)
    def perms(xs):
        if len(xs) < 2: yield xs; return
        for i, x in enumerate(xs):
            for p in perms(xs[:i] + xs[i + 1:]): yield [x] + p
    is_even = lambda n: n == 0 or is_odd(n - 1)
    is_odd = lambda n: n != 0 and is_even(n - 1)
    """, "hanoi(2), depth([1, [2, [3], []]]), list(perms([1, 2, 3])), is_even(5)")

program("recursion limit", """
    import sys
    def down(n): return 0 if n == 0 else 1 + down(n - 1)
    def f():
        out = []
        try: down(5000)
        except RecursionError as e: out.append(str(e)[:32])
        out.append(down(500))
        out.append(sys.getrecursionlimit())
        sys.setrecursionlimit(3000)
        out.append(down(1500))
        return out
    """, "f()")

program("module level", """
    import math
    LIMIT = 3
    cache = {}
    def fill(n):
        for i in range(n): cache[i] = math.factorial(i)
        return n
    SIZE = fill(LIMIT)
    square = lambda x: x * x
    numbers = iter([1, 2, 3])
    def counter():
        n = 10
        while True:
            yield n
            n += 1
    ticker = counter()
    first = next(ticker)
    def f():
        global LIMIT
        LIMIT += 1
        cache['x'] = square(LIMIT)
        return fill(SIZE), next(numbers), next(ticker), next(ticker), cache
    if __name__ == '__main__': f()
    """, "f()")
