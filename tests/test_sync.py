"""The package is what the notebooks export, and the guard notices when it is not."""
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import papermill
import pytest

import verified_code_cot
from verified_code_cot import guard
from verified_code_cot.guard import OutOfStep, cells_of_module, exported_code, file_mismatch, meaning, require_in_step, stale_function

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
EXPORT = "from nbdev.export import nb_export\nimport sys\nfor name in sys.argv[1:]: nb_export(name)"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A fresh export of all notebooks, by nbdev, in a folder of its own."""
    folder = tmp_path_factory.mktemp("export")
    shutil.copy(ROOT / "settings.ini", folder)
    shutil.copytree(ROOT / "nbs", folder / "nbs", ignore=shutil.ignore_patterns(".*"))
    (folder / "verified_code_cot").mkdir()
    names = [str(folder / "nbs" / path.name) for path in NOTEBOOKS]
    environment = {name: value for name, value in os.environ.items() if name != "IN_TEST"}
    subprocess.run([sys.executable, "-c", EXPORT, *names], cwd=folder, check=True, env=environment)
    return folder / "verified_code_cot"


def test_exporting_the_notebooks_gives_the_package(exported):
    fresh = {path.name: path.read_text(encoding="utf-8") for path in exported.glob("*.py")}
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "verified_code_cot").glob("*.py")}
    for files in (fresh, there):
        files.pop("_modidx.py", None)
    assert "__init__.py" in fresh and len(fresh) > 20
    assert sorted(fresh) == sorted(there)
    assert [name for name in fresh if fresh[name] != there[name]] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_study_finds_every_notebook_in_step(path):
    assert file_mismatch(path, ROOT / "verified_code_cot") is None


def test_the_version_is_the_same_everywhere():
    settings = dict(line.split(" = ", 1) for line in (ROOT / "settings.ini").read_text().splitlines() if " = " in line)
    assert verified_code_cot.__version__ == settings["version"]
    assert f"version: {settings['version']}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_verbs_are_there():
    for verb in verified_code_cot.VERBS:
        assert callable(getattr(verified_code_cot, verb))
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = verified_code_cot.nothing_such


def changed(name, old, new, folder):
    """A copy of a notebook in which one exported cell was edited."""
    notebook = nbformat.read(ROOT / "nbs" / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and exported_code(cell.source) and old in cell.source]
    assert len(cells) == 1
    cells[0].source = cells[0].source.replace(old, new)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


EDIT = ("00d_guard", "return ast.dump(tree)", "return ast.dump(tree) + ''")


def test_a_changed_file_is_found_before_it_runs(tmp_path):
    message = file_mismatch(changed(*EDIT, tmp_path), ROOT / "verified_code_cot")
    assert message.startswith("00d_guard.ipynb: the cell that defines meaning (id ") and "nbdev_export" in message and "\n" not in message


@pytest.mark.parametrize("what", ["unchanged", "changed"])
def test_a_changed_cell_stops_the_notebook_under_papermill(tmp_path, what):
    path = changed(*EDIT, tmp_path) if what == "changed" else ROOT / "nbs" / f"{EDIT[0]}.ipynb"
    run = [str(path), str(tmp_path / "out.ipynb")]
    if what == "unchanged":
        papermill.execute_notebook(*run, cwd=str(ROOT / "nbs"), progress_bar=False)
        return
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(*run, cwd=str(ROOT / "nbs"), progress_bar=False)
    assert error.value.ename == "OutOfStep"
    assert "the cell that defines meaning (cell " in error.value.evalue and "nbdev_export" in error.value.evalue
    assert len(error.value.traceback) == 1, "one line, no frames"


@pytest.mark.parametrize("what", ["unchanged", "changed"])
def test_a_changed_cell_stops_the_notebook_under_nbdev_test(tmp_path, what):
    path = changed(*EDIT, tmp_path) if what == "changed" else ROOT / "nbs" / f"{EDIT[0]}.ipynb"
    code = f"from pathlib import Path; from nbdev.test import test_nb; print(test_nb(Path({str(path)!r}))[0])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "nbs", capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == str(what == "unchanged"), run.stderr
    assert ("the cell that defines meaning" in run.stderr) == (what == "changed")


def history(*cells):
    return types.SimpleNamespace(user_ns={"In": ["", *cells]})


MODULE = cells_of_module("# %% auto #0\n__all__ = []\n\n# %% ../nbs/1_a.ipynb #aa\nfrom .records import Case\n\n# %% ../nbs/1_a.ipynb #bb\nLIMIT = 3\n\n"
                         "# %% ../nbs/1_a.ipynb #cc\ndef f(x):\n    return x\n")


@pytest.mark.parametrize(("cells", "complaint"), [
    (["#| export\nfrom verified_code_cot.records import Case", "#| export\nLIMIT = 3", "#| export\ndef f(x):\n    return x"], None),
    (["LIMIT = 4", "def f(x): return 9"], None),
    (["#| export\nLIMIT = 4"], "defines LIMIT (cell bb of 1_a.ipynb)"),
    (["#| exporti\nLIMIT = 4", "#| export\nLIMIT = 3"], None),
    (["#| export\nLIMIT = 3", "#|export\nLIMIT = 4"], "defines LIMIT"),
    (["#| export\ndef g(x):\n    return x"], "defines g "),
    (["#| export\nfrom verified_code_cot.records import Case, Program"], "begins 'from verified_code_cot.records import Case, Program'"),
    (["#| export\nf.limit = 3"], "begins 'f.limit = 3'"),
    (["#| export\ndef f(x):  # a comment\n    return (x)"], None),
    (["#| hide\n#| export\ndef f(x):\n    return -x"], "defines f "),
])
def test_what_was_executed_against_what_the_module_has(cells, complaint):
    found = guard.executed_mismatch(history(*cells), MODULE, "a.py")
    assert (found is None) == (complaint is None), found
    assert complaint is None or (complaint in found and "a.py" in found and "\n" not in found)


def test_a_module_that_changed_after_it_was_imported(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "vcc_sample.py").write_text("def f(x):\n    return x\n\nclass C:\n    def m(self): return 1\n")
    import vcc_sample

    assert stale_function(vcc_sample, (tmp_path / "vcc_sample.py").read_text()) is None
    assert stale_function(vcc_sample, "def f(x):\n    return x + 1\n\nclass C:\n    def m(self): return 1\n") == "f"
    assert stale_function(vcc_sample, "def f(x):\n    return x\n\nclass C:\n    def m(self): return 2\n") == "C.m"


def test_a_module_that_was_never_imported():
    with pytest.raises(OutOfStep, match="has not been imported"):
        require_in_step("no_such_room")


def test_relative_imports_mean_the_same():
    assert meaning("from . import engine") == meaning("from verified_code_cot import engine")
    assert meaning("from .records import *") == meaning("from verified_code_cot.records import *")


def test_the_locks_pin_everything_by_hash_and_name_no_host():
    for name in ("study", "test", "bench", "lab"):
        lines = (ROOT / ".locks" / f"{name}.txt").read_text().splitlines()
        assert not [line for line in lines if "://" in line or "index" in line.split("==")[0].split() or line.startswith("--")]
        pins = [i for i, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
        assert len(pins) > 50
        assert all("==" in lines[i] and lines[i + 1].strip().startswith("--hash=sha256:") for i in pins)
    study = {line.split("==")[0] for line in (ROOT / ".locks" / "study.txt").read_text().splitlines() if "==" in line}
    assert not study & {"jupyterlab", "nbdev", "playwright", "pytest", "notebook"}, "the study needs none of these"
    assert {"papermill", "ipykernel", "distributed", "pydantic"} <= study


def test_notebooks_are_json_that_nbformat_accepts():
    for path in NOTEBOOKS:
        nbformat.validate(nbformat.reads(path.read_text(encoding="utf-8"), as_version=4))
        assert json.loads(path.read_text(encoding="utf-8"))["nbformat_minor"] >= 5, "cells need ids"


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_what_the_readme_points_to_is_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_python_of_the_readme_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 12
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert (names["verdict"].verdict, names["wrong"].verdict) == ("verified", "contradicted")
    assert "4" in capsys.readouterr().out and 0 < names["scores"][0] <= 1


def make_with(folder, *stubs):
    """Run `make study` where only these Pythons are to be found: (name, shell script)."""
    (folder / "bin").mkdir()
    for tool in ("sh", "make", "touch", "sed"):
        os.symlink(shutil.which(tool), folder / "bin" / tool)
    for name, script in stubs:
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / ".locks", folder / ".locks")
    (folder / "pyproject.toml").touch()
    return subprocess.run(["make", "study"], cwd=folder, env={"PATH": str(folder / "bin")}, capture_output=True, text=True)


OLD = 'case "$1" in --version) echo "Python 3.8.18";; *) exit 1;; esac'
BARE = 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac'


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize(("stubs", "said"), [
    ([("python3", OLD)], "Python 3.10 or newer is needed, and none was found (python3 is Python 3.8.18): install one"),
    ([], "Python 3.10 or newer is needed, and none was found (python3 is not there): install one"),
    ([("python3", OLD), ("python3.11", BARE)], "python3.11 cannot make a virtual environment: install the package that brings Python's venv module"),
])
def test_what_is_missing_is_said_in_one_line(tmp_path, stubs, said):
    run = make_with(tmp_path, *stubs)
    lines = [line for line in run.stderr.splitlines() if not line.startswith("make: ***")]
    assert run.returncode != 0 and len(lines) == 1 and lines[0].startswith(said), run
    assert not (tmp_path / ".venv" / ".made").exists()


def test_the_readme_says_of_the_study_of_the_papers_size_what_was_measured():
    kept = ROOT / "outputs" / "paper"
    counts, measured = (json.loads((kept / name).read_text(encoding="utf-8")) for name in ("manifest.json", "measured.json"))
    counts, data = counts["counts"], counts["counts"]["dataset"]
    said = (f"from {counts['curriculum']['programs']:,} programs {counts['narration']['accepted']:,} rationales, "
            f"{counts['verification']['verified']:,} of them verified, {data['train'] + data['validation']:,} in the dataset")
    assert said in README
    minutes, peak = [round(run["wall_s"] / 60) for run in measured["runs"]], max(run["peak_pss_mb"] for run in measured["runs"])
    assert f"{len(minutes)} runs took {min(minutes)} to {max(minutes)} minutes and up to {peak} MB in all processes together" in README
    assert measured["runs"][-1]["verified"] == counts["verification"]["verified"] and measured["runs"][-1]["rows"] == data["train"] + data["validation"]
    rows = [json.loads(line) for line in (kept / "dataset" / "sample_200.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == 200 and {row["direction"] for row in rows} == {"forward", "backward"}
