"""The other Pythons on this machine, and one way to run cases on each of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import verified_code_cot

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
PACKAGE = Path(verified_code_cot.__file__).parent
GUEST = Path(__file__).with_name("trace_guest.py")


def interpreters():
    """`{version: path}` of those that are installed under pyenv or on the path, this one among them."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        places = sorted(root.glob(f"{version}.*/bin/python"))
        path = str(places[-1]) if places else shutil.which(f"python{version}")
        if path and version not in found:
            found[version] = path
    return dict(sorted(found.items()))


def run_on(python, cases):
    """What the recorder says of `[(code, call), …]` on that Python."""
    done = subprocess.run([python, "-I", "-S", str(GUEST), str(PACKAGE)], input=json.dumps(cases), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
