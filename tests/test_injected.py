"""The whole chain on embedded narrations: every one is verified, and of each kind of injected error at least 97% are caught.

The bounded form always runs. The full one takes the 800 programs of CRUXEval and 200 injections of each kind, about half an hour on two cores:

    VCC_SOAK=1 python -m pytest tests/test_injected.py -s
or  python tests/measure_challenge.py ../shared/data/cruxeval.jsonl --kinds crude --per-kind 200 --out injected.json
"""
import os
from pathlib import Path

import pytest

import measure_challenge
from verified_code_cot.challenge import kills, measure
from verified_code_cot.curriculum import programs
from verified_code_cot.falsehoods import CRUDE
from verified_code_cot.records import Program, read_programs

CRUXEVAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cruxeval.jsonl"
SOAK = bool(os.environ.get("VCC_SOAK"))
REQUIRED = 0.97


def own(count):
    """One case each of the first programs of the curriculum."""
    return [p.model_copy(update={"cases": p.cases[:1]}) for p in programs(0, count) if p.cases[0].output is not None]


def cruxeval(count, every=1):
    """Some programs of CRUXEval, where it is at hand."""
    if not CRUXEVAL.exists():
        pytest.skip("CRUXEval is not at hand")
    return [record for _, record in read_programs(CRUXEVAL) if isinstance(record, Program)][::every][:count]


def check(chosen, per_kind, workers):
    """Tell, verify, falsify, judge; every narration verified, every kind caught (a kind with few texts is judged with the others)."""
    told = [t for t in measure_challenge.tell(chosen, workers=workers) if t["status"] == "ok"]
    unverified = [(t["id"], t["reason"]) for t in told if t["verdict"] != "verified"]
    assert len(told) == 6 * len(chosen) and not unverified, f"{len(unverified)} of {len(told)}: {unverified[:5]}"
    rows, _ = measure([t["record"] for t in told], per_kind, methods=["claims"], kinds=CRUDE, workers=workers)
    table = kills(rows)
    print(measure_challenge.table(table))
    survivors = [(s["kind"], s["line"], s["why"]) for s in measure_challenge.survivors(rows)]
    assert {line["kind"] for line in table} == {*CRUDE, "all"}
    for line in table:
        assert line["texts"] < 30 or line["claims"] >= REQUIRED * line["texts"], (line, survivors[:10])
    assert table[-1]["claims"] >= REQUIRED * table[-1]["texts"], survivors[:10]


def test_a_few_programs_of_the_curriculum():
    check(own(4), per_kind=8, workers=0)


def test_a_few_programs_of_cruxeval():
    check(cruxeval(8, every=97), per_kind=8, workers=0)


@pytest.mark.skipif(not SOAK, reason="the full measurement takes half an hour: VCC_SOAK=1")
def test_all_of_cruxeval():
    check(cruxeval(800), per_kind=200, workers=2)
