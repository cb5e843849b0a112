"""Nothing is lost: a study that is killed again and again, robbed of its files, or run elsewhere ends as an undisturbed one or refuses in one line.

`make test` runs two kinds of damage, `make soak` all of it and twenty kills (the environment variable SOAK says how many).
"""
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from verified_code_cot.engine import run_files
from verified_code_cot.study import STAGES

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("SOAK", "3"))
LINUX = sys.platform == "linux"
long = pytest.mark.skipif("SOAK" not in os.environ, reason="takes many studies: make soak")
SCRIPT = """
import sys
from verified_code_cot import commands
from verified_code_cot.study import PROFILES, STAGES, Plan, run_study

def study(args):
    stages = {name: STAGES[name] for name in ("curriculum", "tracing", "narration", "verification", "dataset")}
    profiles = {"demo": {"curriculum": {"count": 12, "cases": 1}, "narration": {"styles": ["brief"], "size": 2}, "verification": {"size": 4}}}
    run_study(sys.argv[1], plan=Plan(stages=stages, profiles=profiles), workers=int(sys.argv[2]), scheduler=sys.argv[3] or None)
    return 0

if __name__ == "__main__":
    commands.study_command = study
    sys.exit(commands.main(["study"]))
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("soak") / "script.py"
    path.write_text(SCRIPT)
    return path


def start(script, out, workers=2, scheduler=""):
    command = [sys.executable, str(script), str(out), str(workers), scheduler]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                            start_new_session=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def finish(script, out, *options):
    process = start(script, out, *options)
    said = process.communicate(timeout=900)[1]
    return process.returncode, [line for line in said.splitlines() if not line.startswith(("[", "Dask's dashboard: "))]


def digests(out):
    "What the run's data and dataset are, whatever happened to it."
    found = {name: about for name, about in run_files(Path(out)).items() if name.startswith(("data/", "dataset/"))}
    assert {"data/verdicts.jsonl", "dataset/train.jsonl"} <= set(found)
    return found


def family(root):
    "The processes that a process has started, directly or not, each with its command line."
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = (int((entry / "stat").read_text().rpartition(")")[2].split()[1]), (entry / "cmdline").read_text())
            except OSError:
                continue
    found, fresh = {}, {root}
    while fresh:
        fresh = {pid for pid, (parent, _) in parents.items() if parent in fresh} - set(found)
        found |= {pid: parents[pid][1] for pid in fresh}
    return found


def victim(process, kind):
    "A process of the study: itself, one of its workers, or a sandbox's helper; itself where there is none of that kind."
    marks = {"worker": "multiprocessing", "helper": "the host sent no configuration", "parent": "\0\0"}
    of_kind = sorted(pid for pid, command in family(process.pid).items() if marks[kind] in command)
    return of_kind[-1] if of_kind else process.pid


@pytest.fixture(scope="module")
def undisturbed(script, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    began = time.monotonic()
    assert finish(script, out) == (0, [])
    return out, digests(out), time.monotonic() - began


@long
@pytest.mark.skipif(not LINUX, reason="finds its victims in /proc")
def test_killed_at_random_moments(script, undisturbed, tmp_path):
    _, expected, seconds = undisturbed
    draw, out, killed = random.Random(KILLS), tmp_path / "run", []
    process, quiet = start(script, out), 0
    while len(killed) < KILLS:
        kind = ("parent", "worker", "helper")[len(killed) % 3]
        time.sleep(draw.uniform(0.05, 0.6) * seconds)
        if process.poll() is None:
            try:
                os.kill(victim(process, kind), signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.append(kind)
            time.sleep(0.5)
        if process.poll() is not None:
            process.communicate()
            quiet += process.returncode == 0
            if process.returncode == 0 and quiet <= 2 * KILLS:  # it was done before the next kill: begin another
                (out / "manifest.json").unlink()
                for state in (out / ".state").glob("*.json"):
                    state.unlink()
                for path in out.iterdir():
                    if path.name != ".state":
                        subprocess.run(["rm", "-rf", str(path)], check=True)
            time.sleep(3)  # kernels and workers of a killed study notice that nobody is left
            process = start(script, out)
    process.communicate(timeout=900)
    assert process.returncode == 0 or finish(script, out)[0] == 0
    assert digests(out) == expected, killed
    assert {"parent", "worker", "helper"} <= set(killed)


@pytest.mark.parametrize("damage", [
    "a file is cut in half", "the manifest is no JSON",
    *(pytest.param(name, marks=long) for name in ("a file is gone", "a dataset file is changed", "a state is no JSON"))])
def test_what_is_damaged_is_made_again_or_refused(script, undisturbed, damage):
    out, expected, _ = undisturbed
    traces, manifest = out / "data" / "traces.jsonl", out / "manifest.json"
    if damage == "a file is cut in half":
        os.truncate(traces, traces.stat().st_size // 2)
    elif damage == "a file is gone":
        (out / "data" / "rationales.jsonl").unlink()
    elif damage == "a dataset file is changed":
        (out / "dataset" / "train.jsonl").write_text("{}\n")
    elif damage == "a state is no JSON":
        (out / ".state" / "narration.json").write_text("{")
    else:
        whole = manifest.read_text()
        manifest.write_text(whole[: len(whole) // 2])
        status, said = finish(script, out)
        assert status == 1 and len(said) == 1 and "manifest.json: not a manifest that can be read" in said[0]
        manifest.write_text(whole)
    assert finish(script, out) == (0, [])
    assert digests(out) == expected
    assert json.loads(manifest.read_text())["counts"]["verification"]["read"] > 0


@pytest.mark.parametrize("kilobytes", [300, *(pytest.param(size, marks=long) for size in (40, 150, 600))])
def test_a_disk_that_fills_up(script, undisturbed, tmp_path, kilobytes):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not LINUX or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        status, said = finish(script, disk / "run")
        assert status == 1 and len(said) == 1 and "the disk is full" in said[0], said
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert finish(script, disk / "run") == (0, [])
        assert digests(disk / "run") == undisturbed[1]
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@long
def test_two_runs_in_one_folder(script, undisturbed, tmp_path):
    first = start(script, tmp_path / "run")
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / ".state" / "begun.json").exists():
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.05)
    status, said = finish(script, tmp_path / "run")
    assert status == 1 and len(said) == 1 and "another study is writing there" in said[0]
    first.communicate(timeout=900)
    assert first.returncode == 0 and digests(tmp_path / "run") == undisturbed[1]


@long
@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_changes_nothing(script, undisturbed, tmp_path, workers):
    assert finish(script, tmp_path / "run", workers) == (0, [])
    assert digests(tmp_path / "run") == undisturbed[1]


@long
def test_a_scheduler_and_workers_of_their_own_change_nothing(script, undisturbed, tmp_path):
    file, environment = tmp_path / "scheduler.json", {**os.environ, "PYTHONPATH": str(ROOT)}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"], [sys.executable, "-m", "distributed.cli.dask_worker"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": tmp_path}
    started = [subprocess.Popen([*dask[0], "--port", "0", "--no-dashboard", "--scheduler-file", str(file)], **quiet)]
    try:
        started += [subprocess.Popen([*dask[1], "--nthreads", "1", "--no-dashboard", "--scheduler-file", str(file)], **quiet) for _ in range(2)]
        deadline = time.monotonic() + 60
        while not file.exists():
            assert time.monotonic() < deadline and started[0].poll() is None
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        assert finish(script, tmp_path / "run", 2, address) == (0, [])
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert digests(tmp_path / "run") == undisturbed[1]


def test_the_stages_are_those_of_the_study():
    assert {"curriculum", "tracing", "narration", "verification", "dataset"} <= set(STAGES)
