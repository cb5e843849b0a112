"""The engine: order, resumption, errors, the run folder; with real worker processes where it matters."""
import re
import gc
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import dask.config
import engine_work
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_code_cot import engine
from verified_code_cot.engine import (
    Parts,
    file_digest,
    function_at,
    local_cluster,
    map_partitions,
    name_of,
    partitions,
    progress,
    read_manifest,
    run_files,
    stage,
    writable_folder,
)
from verified_code_cot.records import InputError, digest, write_jsonl, write_parquet

TESTS = Path(__file__).parent
NUMBERS = [{"n": n} for n in range(50)]
SQUARES = [{"n": n, "square": n * n} for n in range(50)]


@given(st.lists(st.text("ab", max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_partitions_lose_nothing_and_keep_to_their_size(lines, size, characters):
    parts = list(partitions(lines, size, characters))
    assert [line for part in parts for line in part] == lines
    assert all(1 <= len(part) <= size for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= characters for part in parts)


@settings(max_examples=20)
@given(st.integers(0, 30), st.integers(1, 7))
def test_the_result_does_not_depend_on_the_partitions(count, size):
    numbers = NUMBERS[:count]
    assert list(map_partitions(engine_work.square, numbers, size=size, workers=0)) == SQUARES[:count]
    assert list(map_partitions(engine_work.only_even, numbers, size=size, workers=0)) == [r for r in numbers if r["n"] % 2 == 0]


def test_worker_processes_keep_the_order():
    pids = {record["pid"] for record in map_partitions(engine_work.who, NUMBERS, size=5, workers=2)}
    assert len(pids) == 2 and os.getpid() not in pids
    assert list(map_partitions(engine_work.square, iter(NUMBERS), size=3, workers=2)) == SQUARES


def test_a_cluster_elsewhere(monkeypatch):
    with local_cluster(1) as address:
        assert list(map_partitions(engine_work.square, NUMBERS, scheduler=address)) == SQUARES
        monkeypatch.setitem(dask.config.config, "scheduler-address", address)  # what DASK_SCHEDULER_ADDRESS sets when Python starts
        pids = {record["pid"] for record in map_partitions(engine_work.who, NUMBERS, size=5, workers=2)}
        assert len(pids) == 1 and os.getpid() not in pids, "the one worker of the cluster that Dask is configured for"


def test_nothing_of_a_finished_partition_stays_in_memory():
    def megabytes_left(partitions: int, scheduler: str) -> float:
        "What the client and the scheduler, both in this process, still hold of partitions of 100,000 characters when all is done."
        texts = ({"n": n, "text": str(n).zfill(6) * 17_000} for n in range(partitions))
        tracemalloc.start()
        try:
            assert sum(1 for _ in map_partitions(engine_work.echo, texts, size=1, scheduler=scheduler)) == partitions
            return tracemalloc.get_traced_memory()[0] / 1e6
        finally:
            tracemalloc.stop()

    with local_cluster(1) as address:
        megabytes_left(20, address)  # what is imported and made once
        few, many = megabytes_left(60, address), megabytes_left(240, address)
    assert many < few + 4, f"{few:.1f} MB after 60 partitions, {many:.1f} MB after 240"


def test_a_scheduler_that_is_not_there_is_told():
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        list(map_partitions(engine_work.square, NUMBERS, scheduler="tcp://127.0.0.1:9"))


def test_a_worker_that_dies_costs_nothing(tmp_path):
    found = list(map_partitions(engine_work.die_once, NUMBERS, size=10, workers=2, arguments={"marker": str(tmp_path / "died")}))
    assert (tmp_path / "died").exists() and found == SQUARES


def test_what_is_finished_is_not_computed_again(tmp_path):
    log = tmp_path / "log"
    arguments = {"seconds": 0, "log": str(log)}
    for _ in range(2):
        assert list(map_partitions(engine_work.slow_square, NUMBERS, run_dir=tmp_path, size=10, workers=0, arguments=arguments)) == SQUARES
    assert log.read_text().split() == ["0", "10", "20", "30", "40"]
    damaged = next((tmp_path / ".parts" / "work").glob("000002-*"))
    damaged.write_text(damaged.read_text().replace("400", "401"))
    assert list(map_partitions(engine_work.slow_square, NUMBERS, run_dir=tmp_path, size=10, workers=0, arguments=arguments)) == SQUARES
    assert log.read_text().split()[5:] == ["20"], "only the damaged partition"
    changed = [{"n": 0}, *NUMBERS[1:20], {"n": 99}]
    list(map_partitions(engine_work.slow_square, changed, run_dir=tmp_path, size=10, workers=0, arguments=arguments))
    assert log.read_text().split()[6:] == ["99"], "only what has other records"


def test_damaged_partitions_are_computed_again_and_replaced(tmp_path):
    parts = Parts(tmp_path)
    parts.put(0, "k" * 30, ['{"a":1}'])
    for content in ("", "\n", '{"a":1}\n', '{"a":1}\n{"digest":"x","records":1}\n'):
        parts.path(0, "k" * 30).write_text(content)
        assert parts.get(0, "k" * 30) is None
    parts.put(0, "k" * 30, [])
    assert parts.get(0, "k" * 30) == []


def test_an_error_is_raised_and_what_was_done_is_kept(tmp_path):
    with pytest.raises(ZeroDivisionError, match="record 25"):
        list(map_partitions(engine_work.fail_on, NUMBERS, run_dir=tmp_path, size=10, workers=2, arguments={"n": 25}))
    assert sorted(p.name[:6] for p in (tmp_path / ".parts" / "work").iterdir()) == ["000000", "000001"]


def test_killed_in_the_middle_and_started_again(tmp_path):
    log = tmp_path / "log"
    code = (
        "import sys, engine_work; from verified_code_cot.engine import map_partitions\n"
        f"for r in map_partitions(engine_work.slow_square, [{{'n': n}} for n in range(50)], run_dir={str(tmp_path)!r}, size=5, workers=0,"
        f" arguments={{'seconds': 0.1, 'log': {str(log)!r}}}): pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(TESTS)}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().split()) >= 4):
        assert time.monotonic() < deadline and process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    started = log.read_text().split()
    assert len(started) < 10, "it was killed before its end"
    arguments = {"seconds": 0.1, "log": str(log)}
    assert list(map_partitions(engine_work.slow_square, NUMBERS, run_dir=tmp_path, size=5, workers=0, arguments=arguments)) == SQUARES
    again = log.read_text().split()[len(started):]
    assert "0" not in again and again[-1] == "45"
    assert not list((tmp_path / ".parts").rglob("*.tmp")) or len(again) <= 8


def test_only_functions_of_modules_travel():
    assert function_at(name_of(engine_work.square)) is engine_work.square
    with pytest.raises(ValueError, match="top level"):
        list(map_partitions(lambda records: records, NUMBERS, workers=0))
    for name in ("", "x", ":f", "os:", "os:nothing", "no.such:f", "os:path", "..:f"):
        with pytest.raises(InputError):
            function_at(name)


def test_progress_goes_to_the_file_that_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(engine.PROGRESS, str(tmp_path / "progress"))
    assert list(map_partitions(engine_work.square, NUMBERS, size=20, workers=0, label="squares")) == SQUARES
    lines = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    assert [(line["label"], line["done"], line["total"]) for line in lines] == [("squares", done, 50) for done in (0, 20, 40, 50)]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("value", [None, "off"])
def test_no_bar_where_nobody_looks(value, monkeypatch, capsys):
    monkeypatch.delenv(engine.PROGRESS, raising=False)
    if value:
        monkeypatch.setenv(engine.PROGRESS, value)
    with progress("work", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


@stage("counting")
def counting(run_dir, many, seed=0, workers=2, scheduler=None):
    write_jsonl(run_dir / "data" / "numbers.jsonl", map_partitions(engine_work.square, NUMBERS[:many], run_dir=run_dir, name="counting", workers=workers))
    return {"read": many, "isolation": "bwrap"}


def test_a_stage_writes_its_manifest(tmp_path):
    assert counting(tmp_path / "run", many=7, workers=0) == {"read": 7}
    manifest = read_manifest(tmp_path / "run")
    assert manifest["parameters"] == {"counting": {"many": 7, "seed": 0}}, "where it ran is no parameter"
    assert manifest["counts"] == {"counting": {"read": 7}}
    assert (manifest["isolation"], manifest["seed"]) == ("bwrap", 0)
    assert manifest["package"]["name"] == "verified_code_cot" and manifest["versions"]["python"]
    assert manifest["files"] == {"data/numbers.jsonl": {"digest": digest(SQUARES[:7]), "records": 7}}
    assert not (tmp_path / "run" / ".parts" / "counting").exists()
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    counting(tmp_path / "run", many=7, workers=0)
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before, "nothing in it changes from run to run"


def test_digests_are_taken_over_records_not_over_bytes(tmp_path):
    write_jsonl(tmp_path / "dataset" / "a.jsonl", SQUARES)
    write_parquet(tmp_path / "dataset" / "a.parquet", SQUARES)
    assert file_digest(tmp_path / "dataset" / "a.jsonl") == file_digest(tmp_path / "dataset" / "a.parquet") == {"digest": digest(SQUARES), "records": 50}
    (tmp_path / "report.html").write_text("not digested")
    assert list(run_files(tmp_path)) == ["dataset/a.jsonl", "dataset/a.parquet"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(InputError, match="cannot write there"):
            writable_folder(place)


def test_a_damaged_manifest_is_told(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match=r"manifest\.json"):
        read_manifest(tmp_path)


def test_garbage_is_collected_seldom_while_a_partition_is_worked_on_and_as_before_afterwards():
    before = gc.get_threshold()
    inside = list(map_partitions(engine_work.threshold, NUMBERS[:1], workers=0))
    assert inside == [{"threshold": 100_000}] and gc.get_threshold() == before
    with pytest.raises(ZeroDivisionError):
        list(map_partitions(engine_work.fail_on, NUMBERS, workers=0, arguments={"n": 3}))
    assert gc.get_threshold() == before


def test_a_local_cluster_says_where_its_dashboard_is():
    said = []
    with local_cluster(1, said.append) as address:
        assert address.startswith("tcp://")
    assert len(said) == 1 and re.match(r"Dask's dashboard: http://[\w.:]+/status", said[0])
