"""How do time and memory of a whole study grow with its size? Every size in turn, one run each, from an empty folder.

    python tests/measure_scale.py FOLDER [PROGRAMS …] [-- MORE …]     (default: 17 170 1700 9500)

`verified-code-cot study --curriculum --profile paper --workers 2 MORE …`, six rationales to a program. Every two seconds the processes of the run
are looked at: memory is the sum of their proportional set sizes (shared pages count once), at its largest; seconds of processor are those of all
of them. The results are written to nbs/results/scale.json, beside those of other sizes that stand there. Needs a
machine that does nothing else.
"""
import json
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
OUT = ROOT / "nbs" / "results" / "scale.json"
SIZES = (17, 170, 1700, 9500)
STAGE = re.compile(r"^\[\d+/\d+\] (\w+) …$", re.MULTILINE)


def memory_mb(process: psutil.Process) -> float:
    "The proportional set sizes of a process and all under it; a process that ends meanwhile counts for nothing."
    found = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            found += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found / 2**20


def spent_s(process: psutil.Process) -> float:
    "Seconds of the processor that a process and all under it have used so far, those that have ended included."
    found = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            found += sum(one.cpu_times()[:4])  # its own, and those of its children that it has waited for
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def begun(log: Path) -> list[str]:
    "The stages that have begun, by what the study says."
    return STAGE.findall(log.read_text(encoding="utf-8"))


def measured(programs: int, folder: Path, more: list[str]) -> dict:
    "One study: its counts, and what it took."
    command = ["study", "--curriculum", "--profile", "paper", "--out", str(folder), "--workers", "2", "--set", f"curriculum.count={programs}", *more]
    log, start, stages, spent, peak = folder.with_suffix(".err"), time.monotonic(), {}, {}, 0.0
    with open(log, "w", encoding="utf-8") as said:
        run = subprocess.Popen([sys.executable, "-c", "import sys; from verified_code_cot.commands import main; sys.exit(main())", *command],
                               stdout=subprocess.DEVNULL, stderr=said)
    process = psutil.Process(run.pid)
    while True:
        ended, status, usage = os.wait4(run.pid, os.WNOHANG)
        if ended:
            break
        for name in begun(log):
            if name not in stages:
                stages[name], spent[name] = round(time.monotonic() - start, 1), spent_s(process)
        peak = max(peak, memory_mb(process))
        time.sleep(2)
    wall = time.monotonic() - start
    if status:
        raise SystemExit(f"the study of {programs} programs failed: see {log}")
    counts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["counts"]
    begins, cpu = [*stages.values(), round(wall, 1)], usage.ru_utime + usage.ru_stime
    return {"programs": programs, "rationales": counts["narration"]["accepted"], "verified": counts["verification"]["verified"],
            "rows": counts["dataset"]["train"] + counts["dataset"]["validation"], "wall_s": round(wall, 1),
            "cpu_s": round(cpu, 1), "peak_pss_mb": round(peak),
            "stages_s": {name: round(end - begin, 1) for name, (begin, end) in zip(stages, pairwise(begins), strict=True)},
            "stages_cpu_s": {name: round(end - begin, 1) for name, (begin, end) in zip(spent, pairwise([*spent.values(), cpu]), strict=True)}}


def main(folder: Path, sizes: list[int], more: list[str]) -> None:
    "Every size, and the file, where the sizes that are not measured now stay as they were."
    folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    runs = {one["programs"]: one for one in json.loads(OUT.read_text(encoding="utf-8"))["runs"]} if OUT.exists() else {}
    for programs in sizes:
        runs[programs] = {**measured(programs, folder / str(programs), more), "commit": commit}
        print(json.dumps(runs[programs]), flush=True)
        found = {"command": "python tests/measure_scale.py", "cores": os.cpu_count(), "runs": [runs[size] for size in sorted(runs)]}
        OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    words = sys.argv[2:]
    cut = words.index("--") if "--" in words else len(words)
    main(Path(sys.argv[1]), [int(word) for word in words[:cut]] or list(SIZES), words[cut + 1:])
