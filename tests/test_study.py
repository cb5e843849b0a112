"""The study: order, parameters, resumption after SIGKILL, refusals; on small notebooks of its own, and last on the demo."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from verified_code_cot import study
from verified_code_cot.engine import read_manifest, run_files
from verified_code_cot.records import InputError, Program, load, write_jsonl
from verified_code_cot.study import Plan, StageFailed, knobs, open_run, parameters_of, run_study

TESTS, ROOT = Path(__file__).parent, Path(__file__).parents[1]

FIRST = """
import engine_work
from verified_code_cot.engine import map_partitions, stage
from verified_code_cot.records import write_jsonl

@stage("first")
def run(run_dir, many, seed, seconds, log):
    numbers = ({"n": seed + n} for n in range(many))
    made = map_partitions(engine_work.slow_square, numbers, run_dir=run_dir, name="first", size=2, workers=0,
                          arguments={"seconds": seconds, "log": log}, total=many)
    return {"written": write_jsonl(run_dir / "data" / "first.jsonl", made)}

run(run_dir, many=many, seed=seed, seconds=seconds, log=log)
"""
SECOND = """
import json
from verified_code_cot.engine import stage
from verified_code_cot.records import InputError, read_lines, write_jsonl

@stage("second")
def run(run_dir, scale):
    if scale == 13:
        raise ValueError("thirteen\\nis not a scale")
    if scale == 14:
        raise InputError("fourteen is no scale either")
    squares = [json.loads(line)["square"] for _, line in read_lines(run_dir / "data" / "first.jsonl")]
    write_jsonl(run_dir / "data" / "second.jsonl", [{"sum": scale * sum(squares)}])
    (run_dir / "report.html").write_text("<p>done</p>")
    return {"sum": scale * sum(squares), "isolation": "bwrap"}

run(run_dir, scale=scale)
"""


def write_notebook(path, parameters, code):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(parameters, id="one"), nbformat.v4.new_code_cell(code, id="two")])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(ROOT)]))
    folder = tmp_path / "nbs"
    folder.mkdir()
    log = tmp_path / "log"
    parameters = f"run_dir = 'x'  # where\nmany = 6  # numbers\nseed = 0  # the first\nseconds = 0.0  # each\nlog = {str(log)!r}"
    write_notebook(folder / "01_first.ipynb", parameters, FIRST)
    write_notebook(folder / "02_second.ipynb", "run_dir = 'x'  # where\nscale = 1  # a factor", SECOND)
    profiles = {"demo": {}, "big": {"first": {"many": 10}}, "broken": {"first": {"mnay": 10}}}
    return Plan(notebooks=folder, stages={"first": "01_first.ipynb", "second": "02_second.ipynb"}, profiles=profiles)


def ran(tmp_path):
    """How often the first stage's function was called."""
    return len((tmp_path / "log").read_text().split()) if (tmp_path / "log").exists() else 0


def run(out, plan, **options):
    lines = []
    return run_study(out, plan=plan, workers=1, tell=lines.append, **options), lines


def test_a_run_its_manifest_and_its_notebooks(tmp_path, plan):
    done, lines = run(tmp_path / "run", plan, profile="big", seed=2, settings=["second.scale=3"])
    manifest = done["manifest"]
    assert manifest["parameters"]["first"] | {"log": ""} == {"many": 10, "seed": 2, "seconds": 0.0, "log": ""}
    assert manifest["parameters"]["second"] == {"scale": 3}
    assert manifest["counts"] == {"first": {"written": 10}, "second": {"sum": 3 * sum(n * n for n in range(2, 12))}}
    assert (manifest["profile"], manifest["isolation"], manifest["seed"]) == ("big", "bwrap", 2)
    assert set(manifest["files"]) == {"data/first.jsonl", "data/second.jsonl"}
    assert (tmp_path / "run" / "report.html").exists() and done["report"] == str(tmp_path / "run" / "report.html")
    executed = json.loads((tmp_path / "run" / "notebooks" / "02_second.ipynb").read_text())
    assert "scale = 3" in "".join("".join(cell["source"]) for cell in executed["cells"])
    assert [line.split(":")[0] for line in lines] == ["[1/2] first …", "Dask's dashboard", "[1/2] first", "[2/2] second …", "[2/2] second"]
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [".state", "data", "manifest.json", "notebooks", "report.html"]


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")}


def test_two_runs_are_the_same_byte_for_byte(tmp_path, plan):
    run(tmp_path / "run", plan)
    before = everything(tmp_path / "run")
    run(tmp_path / "run", plan, fresh=True)
    assert everything(tmp_path / "run") == before
    assert ran(tmp_path) == 6


def test_what_is_done_is_not_done_again(tmp_path, plan):
    first, _ = run(tmp_path / "run", plan)
    again, lines = run(tmp_path / "run", plan)
    assert lines == ["[1/2] first: done before", "[2/2] second: done before"] and again == first
    assert ran(tmp_path) == 3
    changed, lines = run(tmp_path / "run", plan, settings=["second.scale=2"])
    assert lines[0] == "[1/2] first: done before" and changed["manifest"]["counts"]["second"] == {"sum": 110}
    assert ran(tmp_path) == 3
    run(tmp_path / "run", plan, seed=1)
    assert ran(tmp_path) == 6
    (tmp_path / "run" / "data" / "first.jsonl").write_text("{}\n")
    mended, _ = run(tmp_path / "run", plan, seed=1)
    assert mended["manifest"]["files"] == read_manifest(tmp_path / "run")["files"] == run_files(tmp_path / "run")
    assert len(load(tmp_path / "run" / "data" / "second.jsonl", AnyRecord)) == 1 and ran(tmp_path) == 9


class AnyRecord(Program):
    model_config = {"extra": "allow"}

    @classmethod
    def model_validate(cls, value, **_):
        return value


def test_another_profile_starts_over(tmp_path, plan):
    run(tmp_path / "run", plan)
    done, _ = run(tmp_path / "run", plan, profile="big")
    assert done["manifest"]["counts"]["first"] == {"written": 10}
    assert done["manifest"]["profile"] == "big"


SCRIPT = """
import json, sys
from pathlib import Path
from verified_code_cot.study import Plan, run_study
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    plan = Plan(notebooks=folder / "nbs", stages={"first": "01_first.ipynb", "second": "02_second.ipynb"}, profiles={"demo": {}})
    run_study(folder / "run", plan=plan, workers=1, settings=["first.many=12", "first.seconds=0.25"])
"""


def started(folder, moment):
    """Whether a study in `folder` has come as far as that: so many partitions are begun, or the first stage's file is there."""
    if moment == "written":
        return (folder / "run" / "data" / "first.jsonl").exists()
    return (folder / "run" / ".state" / "begun.json").exists() and ran(folder) >= moment


@pytest.mark.parametrize("moment", [0, 2, 5, "written"])
def test_killed_at_any_moment_and_started_again(tmp_path, plan, moment):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 90
    while not started(tmp_path, moment):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(3)  # the kernel and the workers notice that nobody is left
    assert not children(process.pid), "nothing of the killed study goes on"
    written = tmp_path / "run" / "data" / "first.jsonl"  # a kernel may finish its stage before it notices that nobody is left
    assert not written.exists() or len(written.read_text().splitlines()) == 12, "nothing half-written has a final name"
    before, kept = ran(tmp_path), len(list((tmp_path / "run" / ".parts" / "first").glob("*.jsonl")))
    assert moment == 0 or kept > 0 or (tmp_path / "run" / ".state" / "first.json").exists()
    done, _ = run(tmp_path / "run", plan, settings=["first.many=12", "first.seconds=0.25"])
    assert done["manifest"]["counts"] == {"first": {"written": 12}, "second": {"sum": sum(n * n for n in range(12))}}
    noted = 6 if not kept and before == 6 else kept  # the stage may have been noted as done before the kill came
    assert ran(tmp_path) == before + 6 - noted, "only what was not finished is computed"
    assert not (tmp_path / "run" / ".parts").exists()
    fresh, _ = run(tmp_path / "other", plan, settings=["first.many=12", "first.seconds=0.25"])
    assert fresh["manifest"] == done["manifest"]


COMMAND = """
import sys
from pathlib import Path
from verified_code_cot import commands
from verified_code_cot.study import Plan, run_study

def study(args):
    folder = Path(sys.argv[1])
    plan = Plan(notebooks=folder / "nbs", stages={"first": "01_first.ipynb"}, profiles={"demo": {}})
    run_study(folder / "run", plan=plan, workers=2, settings=["first.many=12", "first.seconds=0.25"], tell=lambda line: None)

if __name__ == "__main__":
    commands.study_command = study
    sys.exit(commands.main(["study"]))
"""


def test_ctrl_c_ends_everything_with_one_word(tmp_path, plan):
    (tmp_path / "script.py").write_text(COMMAND)
    with open(tmp_path / "errors", "w") as errors:
        process = subprocess.Popen([sys.executable, str(tmp_path / "script.py"), str(tmp_path)], stderr=errors, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        deadline = time.monotonic() + 90
        while not started(tmp_path, 2):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the study, its cluster and its workers at once
        assert process.wait(timeout=60) == 130
    assert (tmp_path / "errors").read_text() == "interrupted\n"
    time.sleep(1)
    assert not children(process.pid)


def children(session):
    """The processes that are left of a session."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(session)], capture_output=True, text=True, check=False).stdout
    return [line for line in found.splitlines() if "ipykernel" in line or "distributed" in line or "script.py" in line]


@pytest.mark.parametrize(("scale", "message"), [
    (13, r"^02_second\.ipynb: cell \d+: ValueError: thirteen \(the notebook, as far as it got: .*02_second\.ipynb\)$"),
    (14, r"^02_second\.ipynb: fourteen is no scale either$"),
])
def test_a_stage_that_fails_is_told_in_one_line_and_the_rest_is_kept(tmp_path, plan, scale, message):
    with pytest.raises(StageFailed, match=message):
        run(tmp_path / "run", plan, settings=[f"second.scale={scale}"])
    assert (tmp_path / "run" / "data" / "first.jsonl").exists()
    assert not (tmp_path / "run" / "notebooks" / "02_second.ipynb").exists()
    _, lines = run(tmp_path / "run", plan)
    assert lines[0] == "[1/2] first: done before"


@pytest.mark.parametrize(("options", "message"), [
    ({"profile": "dmeo"}, r"there is no profile 'dmeo' \(there are demo, big, broken\)"),
    ({"profile": "broken"}, r"the stage 'first' has no parameter 'mnay' to set \(it has many, seed, seconds, log\)"),
    ({"settings": ["first.mnay=3"]}, "no parameter 'mnay'"),
    ({"settings": ["frist.many=3"]}, r"no stage 'frist' in this study \(there are first, second\)"),
    ({"settings": ["first.many=three"]}, "first.many: 'three' is not of the type of its default, 6"),
    ({"settings": ["first.many=True"]}, "first.many: True is not"),
    ({"settings": ["first.run_dir=/"]}, "no parameter 'run_dir' to set"),
    ({"settings": ["many=3"]}, "--set many=3: write stage.parameter=value"),
    ({"programs": "nowhere.jsonl"}, r"nowhere\.jsonl: there is no such file"),
])
def test_what_is_not_known_is_refused_before_anything_is_written(tmp_path, plan, options, message):
    with pytest.raises(InputError, match=message):
        run(tmp_path / "run", plan, **options)
    assert not (tmp_path / "run").exists()


def test_folders_that_are_no_run_folders(tmp_path, plan):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty and not a run folder"):
        run(tmp_path / "mine", plan)
    with pytest.raises(InputError, match="cannot write there"):
        run(tmp_path / "mine" / "thesis.txt", plan)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_one_study_at_a_time_in_a_folder(tmp_path, plan):
    out = open_run(tmp_path / "run")
    (out / ".state").mkdir()
    with open(out / ".state" / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another study is writing there"):
            run(out, plan)


def test_a_notebook_out_of_step_is_refused(tmp_path, plan):
    write_notebook(plan.notebooks / "03_other.ipynb", "#| default_exp records", "#| export\ndef canonical_json(value):\n    return str(value)")
    with pytest.raises(InputError, match=r"^03_other\.ipynb: the cell that defines canonical_json \(id two\) .*nbdev_export"):
        run(tmp_path / "run", plan)
    assert not (tmp_path / "run").exists()


def test_programs_of_your_own(tmp_path, plan):
    code = "def f(x):\n    return x"
    lines = [{"id": "a", "code": code, "call": "f(1)"}, {"id": "b", "code": "def f(", "call": "f(1)"}, {"id": "c", "code": code, "input": "2", "output": "2"}]
    write_jsonl(tmp_path / "mine.jsonl", lines)
    one = Plan(notebooks=plan.notebooks, stages={"curriculum": "none.ipynb", "second": "02_second.ipynb"}, profiles={"demo": {"curriculum": {"x": 1}}})
    (tmp_path / "run" / "data").mkdir(parents=True)
    (tmp_path / "run" / "manifest.json").write_text('{"package": {"name": "verified_code_cot"}}')
    with pytest.raises(StageFailed, match=r"first\.jsonl: No such file"):  # the second stage's own input: the curriculum was not run
        run(tmp_path / "run", one, programs=tmp_path / "mine.jsonl")
    manifest = read_manifest(tmp_path / "run")
    assert manifest["counts"]["programs"] == {"read": 3, "accepted": 2, "rejected": 1}
    assert [program.id for program in load(tmp_path / "run" / "data" / "programs.jsonl", Program)] == ["a", "c"]
    for content, message in (("", "an empty file"), ("{\n", "none of its lines is a program")):
        (tmp_path / "mine.jsonl").write_text(content)
        with pytest.raises(InputError, match=message):
            run(tmp_path / "run", one, programs=tmp_path / "mine.jsonl")


def test_the_wheel_carries_the_notebooks(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path / "wheel")]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "nbs", "verified_code_cot"):
        os.symlink(ROOT / name, source / name)
    subprocess.run([*build, str(source)], check=True)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path / "site"), str(wheel)]
    subprocess.run(install, check=True)
    code = "from verified_code_cot.study import Plan; p = Plan(); print(p.notebooks); print(all(p.notebook(s).exists() for s in p.stages))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split("\n")
    assert shown[:2] == [str(tmp_path / "site" / "verified_code_cot" / "notebooks"), "True"]


def test_every_stage_has_its_notebook_and_its_parameters():
    plan = Plan()
    for stage in plan.stages:
        assert "run_dir" in knobs(plan, stage)
    for profile in plan.profiles:
        assert set(parameters_of(plan, profile, list(plan.stages), 3, [])) == set(plan.stages)


DEMO = ROOT / "outputs" / "demo"


def test_the_demo_is_made_again_with_equal_digests(tmp_path):
    committed = read_manifest(DEMO)
    assert committed["files"], "outputs/demo is committed"
    assert committed["files"] == run_files(DEMO), "the committed manifest describes the committed files"
    made = run_study(tmp_path / "demo", profile="demo", workers=2)["manifest"]
    assert made["files"] == committed["files"]
    assert made["counts"] == committed["counts"]
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
    assert {p.name for p in (tmp_path / "demo" / "notebooks").iterdir()} == set(study.FROM_SEEDS.values())


def test_a_notebook_without_parameters_is_no_stage(tmp_path, plan):
    write_notebook(plan.notebooks / "02_second.ipynb", "scale = 1  # a factor", SECOND)
    with pytest.raises(InputError, match=r"^02_second\.ipynb: it has no cell tagged `parameters` with a `run_dir`"):
        run(tmp_path / "run", plan)
