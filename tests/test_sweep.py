"""A sweep runs every combination once, into a folder of its own, and compares what came of them."""
import contextlib
import csv
import io
import json

import pytest

from verified_code_cot.commands import main
from verified_code_cot.records import InputError
from verified_code_cot.study import Plan
from verified_code_cot.sweep import comparison, comparison_figure, grid, read_sweep, run_sweep

PLAN = Plan()


def test_verbs_lists_and_seeds_are_understood():
    assert read_sweep("seed=3,-1", PLAN).seeds == (3, -1)
    assert read_sweep("narrate.style=brief,teacher", PLAN).settings == ("narration.styles=['brief']", "narration.styles=['teacher']")
    assert read_sweep("verify.coverage=0.2,0.5", PLAN).settings == ("verification.coverage=0.2", "verification.coverage=0.5")
    assert read_sweep("narration.directions=['forward', 'backward'],['forward']", PLAN).values == ("['forward', 'backward']", "['forward']")
    combined = [read_sweep(text, PLAN) for text in ("seed=1,2,3", "narrate.style=brief,teacher")]
    assert [one.folder for one in grid(combined)] == [f"seed-{s}_narrate.style-{t}" for s in (1, 2, 3) for t in ("brief", "teacher")]


@pytest.mark.parametrize(("text", "said"), [
    ("seed", "write seed="), ("seed=", "write seed="), ("seed=1,1", "differ"), ("seed=a,b", "whole number"),
    ("cook.style=a,b", "no stage 'cook'"), ("style=a", "no stage"),
])
def test_wrong_sweeps_are_refused_in_one_line(text, said):
    with pytest.raises(InputError, match=said) as error:
        read_sweep(text, PLAN)
    assert "\n" not in str(error.value)


def test_nothing_runs_when_one_value_is_wrong(tmp_path):
    for sweeps, said in ((["narrate.style=brief,lofty", "verify.coverge=0.1,0.2"], "coverge"), (["verify.coverage=0.3,high"], "coverage"),
                         (["seed=1,2", "seed=3,4"], "twice"), (["narration.directions=['forward'],('forward',)"], "same folder")):
        with pytest.raises(InputError, match=said):
            run_sweep(tmp_path / "out", sweeps, plan=PLAN, profile="tiny")
    assert not (tmp_path / "out").exists()


def test_stages_that_a_study_lacks_leave_their_columns_empty():
    (one,) = grid([read_sweep("seed=1", PLAN)])
    (line,) = comparison([(one, {"counts": {"agreement": {"programs": 4}}})])
    assert line["programs"] == 4 and line["verified"] is None and line["verified_share"] is None
    assert len(comparison_figure([line]).axes) == 2


def test_the_command_sweeps_a_real_study(tmp_path):
    programs = tmp_path / "mine.jsonl"
    programs.write_text("".join(json.dumps({"id": f"p{n}", "code": f"def f(x):\n    y = x * {n}\n    return y - 1", "call": "f(3)"}) + "\n" for n in (2, 5)))
    bench = tmp_path / "bench.jsonl"
    bench.write_text(json.dumps({"id": "b", "code": "def g(v):\n    w = v * 5\n    return w - 1"}) + "\n")
    arguments = ["study", "--programs", str(programs), "--profile", "tiny", "--out", str(tmp_path / "out"), "--workers", "1",
                 "--sweep", "narrate.style=brief,teacher", "--decontaminate", f"mine={bench}", "--min-isolation", "none", "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        assert main(arguments) == 0, err.getvalue()
    done = json.loads(out.getvalue())
    assert done["runs"] == ["narrate.style-brief", "narrate.style-teacher"]
    with open(tmp_path / "out" / "comparison.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["narrate.style"] for line in lines] == ["brief", "teacher"] and all(line["verified"] == "4" for line in lines)
    assert all((tmp_path / "out" / f"comparison.{kind}").stat().st_size > 1000 for kind in ("png", "svg"))
    for run in done["runs"]:
        manifest = json.loads((tmp_path / "out" / run / "manifest.json").read_text())
        assert manifest["counts"]["dataset"]["rejected"] == {"contaminated": 2}
        assert str(tmp_path) not in (tmp_path / "out" / run / "dataset" / "README.md").read_text()
