"""Every notebook runs by itself, top to bottom, as nbdev's test runner runs it; the stages' also under plain papermill (test_study)."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_by_itself(path):
    code = f"from pathlib import Path; from nbdev.test import test_nb; print(test_nb(Path({str(path)!r}))[0])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "nbs", capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert run.stdout.split()[-1:] == ["True"], run.stderr[-3000:]
