"""Narrate programs in every direction and style, verify every narration, falsify the verified ones, and count what each method catches.

    python tests/measure_challenge.py ../shared/data/cruxeval.jsonl --per-kind 200            # the full measurement
    python tests/measure_challenge.py --programs 40 --per-kind 10                             # a short one, on the curriculum
    python tests/measure_challenge.py --gold ../shared/gold/gold.jsonl --rounds 3             # other people's rationales that are true

The last one takes labelled rationales as `../shared/gold/README.md` describes them, those without a false statement, instead of narrating.
`--results nbs/results/challenge.json --name NAME` keeps the table of kills there under that name, and nothing of the texts.
Prints what was verified, the kills by kind, the methods side by side, and the survivors; `--out FILE.json` keeps all of it.
"""
import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from verified_code_cot.challenge import METHODS, comparison, kills, measure, wilson
from verified_code_cot.curriculum import programs as curriculum_programs
from verified_code_cot.engine import map_partitions
from verified_code_cot.falsehoods import CRUDE, KINDS
from verified_code_cot.narration import STYLES, narrate
from verified_code_cot.records import InputError, Program, read_programs
from verified_code_cot.replay import Replay
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import verify_record

DIRECTIONS = ("forward", "backward")


def tell_partition(records, seed):
    """For each program: its narrations in every direction and style, each with the verdict on it."""
    rows = []
    with Sandbox() as box:
        for record in records:
            made = trace(record["code"], record["call"], sandbox=box, check_determinism=False)
            if made.status != "ok":
                rows.append({"id": record["id"], "status": made.status})
                continue
            replay = Replay(made, box)
            for direction in DIRECTIONS:
                for style in STYLES:
                    told = narrate(made, direction, style, seed=seed, replay=replay)
                    text = {"id": f"{record['id']}-{direction}-{style}", "code": made.code, "call": made.call, "output": made.output,
                            "direction": direction, "style": style, "rationale": told.rationale, "answer": None}
                    verdict = verify_record(text, box)
                    false = [{"text": c.text, "why": c.why} for c in verdict.claims if c.verdict == "contradicted"]
                    rows.append({"id": text["id"], "status": "ok", "record": text, "verdict": verdict.verdict, "reason": verdict.reason,
                                 "false": false, "coverage": verdict.coverage.model_dump()})
    return rows


def tell(programs, seed=0, workers=2):
    """All narrations of the programs' cases, with verdicts."""
    cases = [{"id": p.id if len(p.cases) == 1 else f"{p.id}-{i}", "code": p.code, "call": c.call} for p in programs for i, c in enumerate(p.cases)]
    return list(map_partitions(tell_partition, cases, size=8, workers=workers, arguments={"seed": seed}, label="telling and verifying"))


def true_rationales(path):
    """The labelled rationales of a file in which no statement is false, as `verify` reads them."""
    with open(path, encoding="utf-8") as lines:
        labelled = [json.loads(line) for line in lines if line.strip()]
    kept = [r for r in labelled if all(s["label"] != "F" for s in r["statements"])]
    return [{key: r[key] for key in ("id", "code", "call", "output", "direction", "rationale")} | {"answer": None} for r in kept]


def rounds_of(records, per_kind, seeds, methods, kinds, workers):
    """The judged rows of several rounds with other seeds; a change that was made before does not count again."""
    rows, known, left_out = [], set(), Counter()
    for number, seed in enumerate(seeds):
        judged, without = measure(records, per_kind, seed, methods, kinds, workers)
        left_out.update(without)
        for row in judged:
            key = (row["original"], row["kind"], row.get("start"), row.get("after"))
            if key not in known and (row["kind"] is not None or number == 0):
                known.add(key)
                rows.append(row)
    return rows, dict(sorted(left_out.items()))


def keep(path, name, texts, lines):
    """Put a table of kills into a file of results, beside those that are there."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = [{key: line[key] for key in ("kind", "texts", "claims", "named") if key in line} for line in lines]
    found[name] = {"true_texts": texts, "kills": kept}
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def table(lines):
    """Rows of dicts as text."""
    heads = list(lines[0])
    cells = [[f"{line[h]:.3f}" if isinstance(line[h], float) else str(line[h]) for h in heads] for line in lines]
    widths = [max(len(h), *(len(c[i]) for c in cells)) for i, h in enumerate(heads)]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in [heads, *cells])


def survivors(rows, sentence=160):
    """The falsified texts that the claims method did not call contradicted, each with the changed place in its line."""
    found = []
    for row in rows:
        if row["kind"] and not row["said"]["claims"]["killed"]:
            text = row["record"]["rationale"]
            low = max(text.rfind("\n", 0, row["start"]) + 1, row["start"] - sentence)
            high = min(text.find("\n", row["end"]) if "\n" in text[row["end"] :] else len(text), row["end"] + sentence)
            found.append({"kind": row["kind"], "id": row["original"], "line": text[low:high], "before": row["before"], "after": row["after"],
                          "why": row["why"], "verdict": row["said"]["claims"]["verdict"]})
    return found


def narrated(a):
    """All narrations of the chosen programs, with verdicts; what is not verified is printed."""
    programs = [r for _, r in read_programs(a.file) if isinstance(r, Program)] if a.file else curriculum_programs(a.seed)
    programs = programs[:: a.every][: a.programs]
    began = time.perf_counter()
    told = tell(programs, a.seed, a.workers)
    texts = [t for t in told if t["status"] == "ok"]
    verified = [t for t in texts if t["verdict"] == "verified"]
    print(f"{len(programs)} programs, {len(texts)} narrations, {len(verified)} verified, "
          f"{dict(Counter(t['status'] for t in told if t['status'] != 'ok'))} not told, {time.perf_counter() - began:.0f} s")
    print(table([{"direction": d, "style": s, "narrations": len(c), "verified": sum(t["verdict"] == "verified" for t in c),
                  "concrete segments supported": sum(t["coverage"]["supported"] for t in c) / max(1, sum(t["coverage"]["concrete"] for t in c))}
                 for d in DIRECTIONS for s in STYLES for c in [[t for t in texts if t["record"]["direction"] == d and t["record"]["style"] == s]]]))
    for t in [t for t in texts if t["verdict"] != "verified"][: a.show]:
        print(f"  NOT VERIFIED {t['id']}: {t['reason']} {t['false'][:2]}")
    return texts


def main(arguments=None):
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file", nargs="?", help="programs: {id, code, call} or CRUXEval's lines; without it the curriculum")
    p.add_argument("--programs", type=int, help="only so many, the first ones")
    p.add_argument("--every", type=int, default=1, help="only every n-th program")
    p.add_argument("--per-kind", type=int, default=200)
    p.add_argument("--texts", type=int, default=900, help="how many verified narrations are falsified (every n-th)")
    p.add_argument("--kinds", choices=["crude", "all"], default="all")
    p.add_argument("--methods", nargs="+", default=list(METHODS))
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--show", type=int, default=40, help="how many survivors and unverified narrations to print")
    p.add_argument("--gold", type=Path, help="labelled rationales: those without a false statement are falsified")
    p.add_argument("--rounds", type=int, default=1, help="how often, with seeds that follow one another")
    p.add_argument("--results", type=Path, help="a file of results in which the table is kept")
    p.add_argument("--name", default="cruxeval", help="under which name")
    p.add_argument("--out", type=Path)
    a = p.parse_args(arguments)
    texts = [] if a.gold else narrated(a)
    verified = true_rationales(a.gold) if a.gold else [t["record"] for t in texts if t["verdict"] == "verified"]
    if not verified:
        raise InputError("no narration is verified, so there is nothing to falsify")
    began = time.perf_counter()
    chosen = verified[:: max(1, len(verified) // a.texts)]
    seeds = range(a.seed, a.seed + a.rounds)
    rows, left_out = rounds_of(chosen, a.per_kind, seeds, a.methods, CRUDE if a.kinds == "crude" else KINDS, a.workers)
    falsified = sum(r["kind"] is not None for r in rows)
    print(f"\n{falsified} falsified texts from {len(chosen)} true ones, {time.perf_counter() - began:.0f} s; left out: {left_out}")
    lines = kills(rows)
    for line in lines:
        if "claims" in line:
            low, high = wilson(line["claims"], line["texts"])
            line["share"], line["95%"] = line["claims"] / line["texts"], f"{low:.3f}-{high:.3f}"
    print(table(lines), table(comparison(rows)), sep="\n\n")
    left = survivors(rows)
    for s in left[: a.show]:
        print(f"  SURVIVED {s['kind']} [{s['id']}] {s['verdict']}: {s['line']!r}\n      {s['before']!r} -> {s['after']!r}; {s['why']}")
    if a.results:
        keep(a.results, a.name, len(chosen), lines)
    if a.out:
        a.out.parent.mkdir(parents=True, exist_ok=True)
        unverified = [t for t in texts if t["verdict"] != "verified"]
        found = {"kills": lines, "comparison": comparison(rows), "left_out": left_out, "survivors": left, "unverified": unverified}
        a.out.write_text(json.dumps(found, indent=1))
    return lines


if __name__ == "__main__":
    # Worker processes import `tell_partition` by the name of this file.
    here = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
    sys.path.insert(0, here)
    import measure_challenge

    try:
        measure_challenge.main()
    except InputError as error:
        sys.exit(f"measure_challenge: {error}")
