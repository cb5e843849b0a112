"""The whole chain on embedded narrations: how many are verified, and how many of each kind of injected error are caught.

The bounded form always runs. The full one takes the 800 programs of CRUXEval and 200 injections of each kind, several minutes on two cores:

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
REQUIRED = 0.97  # of each kind, with every narration verified: what the full measurement demands
# What the bounded form holds today, a little under what was measured on 2026-11-23 (all of CRUXEval; 200 of each kind from every fifth narration):
# 4,796 of 4,800 narrations verified, 1,383 of 1,400 falsehoods caught. Raise these as the verifier improves; they are the floor, not the aim.
VERIFIED_TODAY = 0.95
CAUGHT_TODAY = 0.90
CAUGHT_TODAY_OWN = 0.75  # on the curriculum, whose programs are longer: 46 of 55


def own(count):
    """One case each of the first programs of the curriculum."""
    return [p.model_copy(update={"cases": p.cases[:1]}) for p in programs(0, count) if p.cases[0].output is not None]


def cruxeval(count, every=1):
    """Some programs of CRUXEval, where it is at hand."""
    if not CRUXEVAL.exists():
        pytest.skip("CRUXEval is not at hand")
    return [record for _, record in read_programs(CRUXEVAL) if isinstance(record, Program)][::every][:count]


def check(chosen, per_kind, workers, verified=VERIFIED_TODAY, caught=CAUGHT_TODAY):
    """Tell, verify, falsify, judge: the share of narrations verified and of falsehoods caught (a kind with few texts is judged with the others)."""
    told = [t for t in measure_challenge.tell(chosen, workers=workers) if t["status"] == "ok"]
    unverified = [(t["id"], t["reason"]) for t in told if t["verdict"] != "verified"]
    assert len(told) == 6 * len(chosen)
    assert len(unverified) <= (1 - verified) * len(told), f"{len(unverified)} of {len(told)}: {unverified[:5]}"
    told = [t for t in told if t["verdict"] == "verified"]
    rows, _ = measure([t["record"] for t in told], per_kind, methods=["claims"], kinds=CRUDE, workers=workers)
    table = kills(rows)
    print(measure_challenge.table(table))
    survivors = [(s["kind"], s["line"], s["why"]) for s in measure_challenge.survivors(rows)]
    assert {line["kind"] for line in table} == {*CRUDE, "all"}
    for line in table:
        assert line["texts"] < 30 or line["claims"] >= caught * line["texts"], (line, survivors[:10])
    assert table[-1]["claims"] >= caught * table[-1]["texts"], survivors[:10]


def test_a_few_programs_of_the_curriculum():
    check(own(4), per_kind=8, workers=0, caught=CAUGHT_TODAY_OWN)


def test_a_few_programs_of_cruxeval():
    check(cruxeval(8, every=97), per_kind=8, workers=0)


@pytest.mark.skipif(not SOAK, reason="the full measurement takes several minutes: VCC_SOAK=1")
def test_all_of_cruxeval():
    check(cruxeval(800), per_kind=200, workers=2, verified=1.0, caught=REQUIRED)
