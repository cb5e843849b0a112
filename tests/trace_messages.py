"""Statements that go wrong and values of the library: what is said of them must not depend on the version of Python."""

WRONG = r"""
[][1]
{}['a']
int('x')
None.foo
'a' + 1
1 + 'a'
len(3)
[].pop()
[1].remove(2)
[1].index(2)
'a'.index('b')
a, b = 1, 2, 3
a, b = [1]
a, b = 5
(1)(2)
'x' * 'y'
float('z')
1 / 0
1 // 0
1 % 0
1.0 / 0
1.0 // 0
1.5 % 0
0 ** -1
divmod(1, 0)
[1, 'a'].sort()
max([])
min(())
next(iter([]))
x = y
del q
'abc'[10]
(1,)[3]
{1: 2}.pop(5)
{}.popitem()
set().pop()
{1}.remove(2)
{[]: 1}
{{}}
hash([])
chr(-1)
ord('ab')
range(1, 2, 0)
'%d' % 'x'
'%s %s' % 1
'{} {}'.format(1)
'{a}'.format()
int('10', 99)
sum(['a'])
''.join([1])
'a'.foo()
[].foo
(3).x = 1
'a'[0] = 'b'
(1, 2)[0] = 3
for i in 5: pass
[*3]
f(**3)
len()
f(1, 2, 3, 4)
g()
g(1, z=2)
g(1, 2, 3)
lambda_ = (lambda a: a)()
assert False
assert 0, 'msg'
raise ValueError
raise ValueError('a', 2)
raise KeyError('k')
raise Exception from None
raise 5
import nosuchmodule
from math import nosuch
import math; math.sqrt(-1)
import math; math.factorial(-1)
import math; math.log(0)
bytes([300])
b'a' + 'a'
'\udc80'.encode()
b'\xff'.decode()
abs('a')
sorted([1, None])
1 < 'a'
[] < 3
round('a')
int(None)
float(None)
isinstance(1, 2)
super().foo()
object().x
object().x = 1
import collections; collections.namedtuple('P', 'a b')(1)
import decimal; decimal.Decimal('x')
import fractions; fractions.Fraction(1, 0)
import datetime; datetime.date(2020, 13, 1)
import re; re.compile('(')
import json; json.loads('{')
import enum; enum.Enum('C', 'a b')['z']
import enum; enum.Enum('C', 'a b')(9)
10 ** 5000; str(10 ** 5000)
int('9' * 5000)
[0] * -1; [0][5]
x = [1, 2][1:3]['a']
'abc'['a']
[1]['a']
{}.get()
'a'.split(3)
print(1, foo=2)
open
'a' in 5
5 in 'a'
not_defined()
[].append()
[].append(1, 2)
dict([1])
dict([(1, 2, 3)])
list(5)
tuple(5)
set(5)
zip(1)
enumerate(5)
reversed(5)
map(1)
iter(5)
next(5)
raise StopIteration(3)
raise RuntimeError
'abc'.replace('a')
x = {}; x.a = 1
def q(a): return a;  q()
(lambda: unbound)()
[i for i in range(3) if i.x]
''.join(5)
1 @ 2
~'a'
-'a'
+[]
1 << -1
1 << 'a'
'x'.center('a')
bool.foo
type('a', 'b')
__import__('nosuch')
class K: __slots__ = ('a',);  K().b = 1
""".strip().splitlines()

MADE = r"""
iter('ab')
iter([1])
zip([1],[2])
map(str,[1])
{}.keys()
{1:2}.items()
iter({1:2})
iter({1})
reversed([1])
iter(range(3))
(i for i in [1])
enumerate('a')
open
print
[].append
str.upper
'a'.upper
int
list[int]
type(None)
...
NotImplemented
slice(1,2)
memoryview(b'a')
bytearray(b'x')
object()
__import__('collections').OrderedDict(a=1)
__import__('collections').ChainMap({})
__import__('collections').UserDict(a=1)
__import__('itertools').count(3)
__import__('itertools').chain([1])
__import__('functools').partial(int, base=2)
__import__('re').match('a','abc')
__import__('re').compile('a')
__import__('decimal').Decimal('1.50')
__import__('fractions').Fraction(3,6)
__import__('datetime').date(2020,1,2)
__import__('datetime').timedelta(days=1)
__import__('datetime').datetime(2020,1,2,3)
__import__('math')
__import__('string').Template('$a')
__import__('random').Random(3)
__import__('random').Random(3).random()
__import__('io').StringIO('x')
__import__('array').array('i',[1,2])
__import__('heapq').heappush
__import__('operator').itemgetter(1)
__import__('uuid').UUID(int=3)
__import__('types').SimpleNamespace(a=1)
__import__('pathlib').PurePath('a/b')
__import__('statistics').mean([1,2])
__import__('threading').Lock()
__import__('contextlib').suppress(ValueError)
__import__('abc').ABC
__import__('typing').List[int]
__import__('typing').Optional[int]
int | str
property(len)
staticmethod(len)
classmethod(len)
weird
float('nan')
-0.0
1e300*10
1j
complex('nan')
frozenset([3,1])
{(1,2),(1,1),'a',None,2}
range(5)
b'a'
'\u2026 \x00 \ud800'
10**40
__import__('collections').deque([1],3)
__import__('collections').Counter('aab')
__import__('collections').defaultdict(int,{1:2})
""".strip().splitlines()

RAISES = """
def g(a, *, k=1):
    return a
def f(x=1):
    try:
        {}
    except KeyError as err:
        print(err)
        raise
"""
CATCHES = """
def g(a, *, k=1):
    return a
def f(x=1):
    try:
        {}
    except Exception as err:
        return err
"""
HOLDS = """
class weird:
    def __repr__(self): raise ValueError
    def __eq__(self, other): raise ValueError
    __hash__ = None
    def __getattribute__(self, name): raise ValueError
def f():
    x = {}
    return x
"""
MESSAGES = [(form.replace("{}", statement, 1), "f()") for form in (RAISES, CATCHES) for statement in WRONG]
VALUES = [(HOLDS.replace("x = {}", "x = " + value), "f()") for value in MADE]
