"""Programs that mean harm, in four kinds: escape, exhaustion, evasion, forgery.

Each is the body of a function `f`, with what may be reported of it. In a body, CANARY stands for a file of the host that anybody
may read and write, FOLDER for its directory, TCP and UDP for ports that the host listens on, VICTIM for another process of
the host, HOST for the host itself. What really happened is for the tests to find out, from outside.
"""

ESCAPE = {
    "read a file": ("return open('CANARY').read()", {"denied"}),
    "read through pathlib": ("import pathlib\n return pathlib.Path('CANARY').read_text()", {"denied"}),
    "read through a descriptor of the folder": ("import os\n return os.open('canary', 0, dir_fd=os.open('FOLDER', 0))", {"denied"}),
    "read through fileinput": ("import fileinput\n return list(fileinput.input('CANARY'))", {"denied"}),
    "read through linecache": ("import linecache\n return 1 / (not linecache.getlines('CANARY'))", {"denied", "ok"}),
    "write a file": ("open('CANARY', 'w').write('x')", {"denied"}),
    "write beside it": ("open('FOLDER/new', 'x')", {"denied"}),
    "list a directory": ("import os\n return os.listdir('FOLDER')", {"denied"}),
    "walk the tree": ("import os\n return [1 / (not files) for _, _, files in os.walk('FOLDER')]", {"denied", "ok"}),
    "remove a file": ("import os\n os.remove('CANARY')", {"denied"}),
    "rename a file": ("import os\n os.rename('CANARY', 'FOLDER/b')", {"denied"}),
    "change its mode": ("import os\n os.chmod('CANARY', 0)", {"denied"}),
    "shorten a file": ("import os\n os.truncate('CANARY', 0)", {"denied"}),
    "link to a file": ("import os\n os.symlink('CANARY', '/tmp/link')", {"denied"}),
    "map a file": ("import mmap, os\n return mmap.mmap(os.open('CANARY', 2), 0)", {"denied"}),
    "a database in a file": ("import sqlite3\n sqlite3.connect('FOLDER/new.db').execute('create table t (x)')", {"denied", "import"}),
    "a temporary file": ("import tempfile\n return tempfile.mkstemp()", {"denied"}),
    "the environment": ("import os\n return 1 / (not os.environ.get('CANARY_SECRET'))", {"ok"}),
    "the environment of the host": ("return open('/proc/HOST/environ').read()", {"denied"}),
    "its own memory map": ("return open('/proc/self/maps').read()", {"denied"}),
    "the root through proc": ("return open('/proc/1/rootCANARY').read()", {"denied"}),
    "connect": ("import socket\n socket.create_connection(('127.0.0.1', TCP)).send(b'x')", {"denied"}),
    "send a datagram": ("import socket\n socket.socket(2, 2).sendto(b'x', ('127.0.0.1', UDP))", {"denied"}),
    "listen": ("import socket\n socket.create_server(('127.0.0.1', 0)).accept()", {"denied"}),
    "a pair of sockets": ("import socket\n return socket.socketpair()", {"denied"}),
    "fetch a page": ("import urllib.request\n return urllib.request.urlopen('http://127.0.0.1:TCP').read()", {"denied"}),
    "run a command": ("import subprocess\n return subprocess.run(['touch', 'CANARY'])", {"denied"}),
    "os.system": ("import os\n return os.system('touch CANARY')", {"denied"}),
    "exec": ("import os\n os.execv('/bin/sh', ['sh', '-c', 'touch CANARY'])", {"denied"}),
    "spawn": ("import os\n os.posix_spawn('/bin/sh', ['sh', '-c', 'touch CANARY'], {})", {"denied"}),
    "a pool of processes": ("import multiprocessing\n return multiprocessing.Pool(2).map(abs, [1])", {"denied", "exception", "import"}),
    "ctypes": ("import ctypes\n return ctypes.CDLL(None)", {"denied"}),
    "load a library": ("import _imp, importlib.machinery as m\n return _imp.create_dynamic(m.ModuleSpec('x', None, origin='CANARY'))",
                       {"denied", "import"}),
    "kill the helper": ("import os\n os.kill(os.getppid(), 9)", {"denied"}),
    "kill a process": ("import os\n os.kill(VICTIM, 9)", {"denied"}),
    "kill everything": ("import os\n os.kill(-1, 9)", {"denied"}),
    "kill its group": ("import os\n os.killpg(0, 9)", {"denied"}),
    "signal through a thread": ("import signal\n signal.pthread_kill(VICTIM, 9)", {"denied", "killed"}),
    "raise the limits": ("import resource\n resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", {"denied"}),
    "the limits of another": ("import resource\n resource.prlimit(VICTIM, resource.RLIMIT_CPU, (1, 1))", {"denied"}),
}

EXHAUSTION = {
    "processor": ("while True: pass", {"timeout"}),
    "processor, in C": ("return sum(iter(int, 1))", {"timeout"}),
    "clock": ("import time\n time.sleep(99)", {"timeout"}),
    "memory, bit by bit": ("x = []\n while True: x.append(bytearray(10**7))", {"memory"}),
    "memory, at once": ("return len(bytearray(10**12))", {"memory"}),
    "memory, by doubling": ("x = 'x'\n while True: x += x", {"memory"}),
    "memory, errors swallowed": ("x = []\n while True:\n  try: x.append(bytearray(10**7))\n  except MemoryError: pass", {"memory", "timeout", "killed"}),
    "disk": ("import os\n for i in range(10**6): open(f'/tmp/{i}', 'w').write('x' * 10**6)", {"denied"}),
    "processes": ("import os\n while True: os.fork()", {"denied"}),
    "processes, by vfork": ("import _posixsubprocess as p\n p.fork_exec", {"denied", "exception", "ok"}),
    "threads": ("import _thread, time\n for i in range(10**5): _thread.start_new_thread(time.sleep, (9,))", {"exception", "memory", "timeout", "killed"}),
    "descriptors": ("import os\n x = []\n while True: x.append(os.pipe())", {"exception", "denied"}),
    "output": ("for i in range(10**6): print('x' * 100)", {"output"}),
    "output at once": ("print('x' * 10**8)", {"output"}),
    "output on the other stream": ("import sys\n for i in range(10**6): sys.stderr.write('x' * 100)", {"output"}),
    "a large result": ("return 'x' * 10**8", {"output", "memory"}),
    "recursion": ("return f()", {"exception"}),
    "recursion without a limit": ("import sys\n sys.setrecursionlimit(10**9)\n return f()", {"exception", "memory", "killed", "timeout"}),
    "recursion in C": ("x = []\n for i in range(10**6): x = [x]\n return x == eval(repr(1)) or repr(x)", {"exception", "killed", "memory"}),
    "recursion in the compiler": ("return eval('(' * 10**5 + ')' * 10**5)", {"exception", "memory", "killed", "syntax"}),
    "a deep pattern": ("import ast\n return ast.parse('-' * 10**5 + '1')", {"exception", "memory", "killed"}),
    "regular expression": ("import re\n return re.match('(a+)+$', 'a' * 60 + 'b')", {"timeout"}),
    "huge integer": ("return len(str(9 ** 9 ** 9))", {"timeout", "memory"}),
    "huge power": ("return 10 ** 10 ** 9 % 7", {"timeout", "memory"}),
    "huge range": ("return list(range(10**12))", {"memory", "timeout"}),
    "huge format": ("return f'{1:{10**9}}'", {"memory", "output"}),
}

EVASION = {
    "swallow everything": ("while True:\n  try: 1 / 0\n  except BaseException: pass", {"timeout"}),
    "swallow the denial": ("while True:\n  try: open('CANARY')\n  except BaseException: pass", {"denied"}),
    "an alarm of its own": ("import signal\n signal.setitimer(signal.ITIMER_REAL, 0.01)\n while True: pass", {"timeout"}),
    "ignore signals": ("import signal\n signal.signal(signal.SIGTERM, signal.SIG_IGN)\n while True: pass", {"timeout"}),
    "block signals": ("import signal\n signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n while True: pass", {"timeout"}),
    "atexit": ("import atexit\n atexit.register(open, 'CANARY', 'w')\n return 1", {"ok"}),
    "__del__": ("class D:\n  def __del__(self): open('CANARY', 'w')\n D()\n return 1", {"denied"}),
    "__del__ at the end": ("global d\n class D:\n  def __del__(self): open('CANARY', 'w')\n d = D()\n return 1", {"ok", "denied"}),
    "weakref callback": ("import weakref\n class D: pass\n d = D()\n w = weakref.ref(d, lambda r: open('CANARY', 'w'))\n del d\n return 1", {"denied"}),
    "settrace": ("import sys\n sys.settrace(None)", {"denied"}),
    "setprofile": ("import sys\n sys.setprofile(print)", {"denied"}),
    "settrace for threads": ("import threading\n threading.settrace(print)\n t = threading.Thread(target=int)\n t.start()\n t.join()", {"denied", "ok"}),
    "another audit hook": ("import sys\n sys.addaudithook(print)", {"denied"}),
    "frames of those around it": ("import sys\n frame = sys._getframe()\n while frame.f_back: frame = frame.f_back\n"
                                  " frame.f_globals.clear()\n return 1", {"ok", "killed", "exception", "import"}),
    "find the helper": ("import gc\n for o in gc.get_objects():\n  if type(o).__name__ in ('Child', 'Helper', 'Reporting'): o.armed = False\n"
                        " return open('CANARY').read()", {"denied", "exception"}),
    "find the helper and its descriptor": ("import gc, os\n for o in gc.get_objects():\n  if type(o).__name__ == 'Child': os.close(o.result)\n return 1",
                                           {"ok", "killed", "exception"}),
    "disarm the hook by name": ("import sys\n for m in list(sys.modules.values()):\n  if m.__name__.startswith('verified_code_cot'): vars(m).clear()\n"
                                " return open('CANARY').read()", {"denied", "killed", "exception"}),
    "forget the modules": ("import sys\n sys.modules.clear()\n return 1", {"ok", "killed", "import", "exception"}),
    "a thread that outlives the call": ("import _thread, time\n"
                                       " def w():\n  time.sleep(0.2)\n  open('CANARY', 'w')\n _thread.start_new_thread(w, ())\n return 1",
                                        {"ok", "denied"}),
    "threads that never end": ("import _thread\n def w():\n  while True: pass\n for i in range(4): _thread.start_new_thread(w, ())\n return 1", {"ok"}),
    "os._exit": ("import os\n os._exit(0)", {"killed"}),
    "exit": ("import sys\n sys.exit(3)", {"exception"}),
    "abort": ("import os\n os.abort()", {"killed"}),
    "fault in C": ("import faulthandler\n faulthandler._sigsegv()", {"killed"}),
    "fault by a forged code object": ("g = lambda: 1\n g.__code__ = g.__code__.replace(co_code=b'\\x64\\xff' * 8)\n return g()", {"killed", "exception"}),
    "close every descriptor": ("import os\n os.closerange(0, 99)\n while True: pass", {"killed"}),
    "stop itself": ("import os\n os.kill(os.getpid(), 19)", {"denied"}),
}

FORGERY = {
    "write a result": ("send(b'{\"status\": \"ok\", \"output\": \"forged\"}')\n return 1", {"ok"}),
    "write many results": ("for i in range(20): send(b'{\"status\": \"ok\", \"output\": \"forged\"}')\n return 1", {"ok"}),
    "write the last result": ("send(b'{\"status\": \"ok\", \"output\": \"forged\"}', 1)\n return 1", {"ok"}),
    "write a status that there is not": ("send(b'{\"status\": \"splendid\"}')\n return 1", {"killed"}),
    "write no JSON": ("send(b'not json')\n return 1", {"killed"}),
    "write deep JSON": ("send(b'[' * 60000)\n return 1", {"killed"}),
    "write noise": ("raw(b'\\xff' * 4000)\n return 1", {"output", "killed"}),
    "write half a header": ("raw(b'\\x00\\x00')\n return 1", {"output", "killed", "ok"}),
    "write zeros": ("raw(b'\\x00' * 1000)\n return 1", {"killed"}),
    "write another job's envelope": ("raw(struct.pack('>IIBI', 99, 0, 2, 2) + b'{}')\n return 1", {"killed", "output", "ok"}),
    "announce too much": ("raw(struct.pack('>BI', 0, 2**32 - 1))\n return 1", {"output"}),
    "print protocol lines": ("print('{\"status\": \"ok\", \"output\": \"forged\"}')\n os.write(1, b'{\"id\": \"next\"}')\n return 1", {"ok"}),
    "another json": ("import json\n json.dumps = json.loads = json.JSONEncoder = None\n return 1", {"ok"}),
    "other builtins": ("import builtins\n builtins.len = builtins.repr = builtins.str = builtins.type = builtins.dict = lambda *a, **k: 'forged'\n return 1",
                       {"ok", "killed", "exception"}),
    "no builtins": ("import builtins\n vars(builtins).clear()\n return 1", {"ok", "killed", "exception"}),
    "another os.write": ("os.write = lambda fd, data: len(data)\n return 1", {"ok", "killed"}),
    "another struct": ("struct.Struct.pack = None\n return 1", {"exception"}),
    "a lying repr": ("class L:\n  def __repr__(self): return '42'\n return L()", {"ok"}),
    "a repr that loops": ("class L:\n  def __repr__(self):\n   while True: pass\n return L()", {"timeout"}),
    "a repr that raises": ("class L:\n  def __repr__(self): raise SystemExit\n return L()", {"exception"}),
    "a repr that is no text": ("class L:\n  def __repr__(self): return 7\n return L()", {"exception"}),
    "a lying comparison": ("import math\n class L:\n  __hash__ = None\n  def __eq__(self, other): return True\n math.pi = L()\n return 1", {"ok"}),
    "a hash that raises": ("class L:\n  def __hash__(self): raise MemoryError\n return {L(): 1}", {"exception", "memory"}),
    "a class that lies about itself": ("class L:\n  __class__ = property(lambda self: int)\n return L()", {"ok"}),
    "an exception that lies": ("class E(BaseException):\n  def __str__(self): return 'x' * 10**8\n raise E", {"exception", "output", "memory"}),
    "a subclass of str": ("class S(str):\n  def encode(self, *a): raise SystemExit\n  def __len__(self): return -1\n return S('x')", {"ok", "exception"}),
}

WRITE = """
import os, struct
def send(body, last=0):
    for fd in range(3, 32):
        try: os.write(fd, struct.pack('>BI', last, len(body)) + body)
        except OSError: pass
def raw(data):
    for fd in range(3, 32):
        try: os.write(fd, data)
        except OSError: pass
"""

BATTERY = {"escape": ESCAPE, "exhaustion": EXHAUSTION, "evasion": EVASION, "forgery": FORGERY}
