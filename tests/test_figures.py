"""Figures: the same numbers give the same files, and nobody saves one any other way."""
import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from verified_code_cot.figures import save_figure

NOTEBOOKS = sorted((Path(__file__).parents[1] / "nbs").glob("*.ipynb"))


def drawn(height):
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2], [1, height], clip_on=True, label="a line")
    axes.legend()
    return figure


def test_the_same_numbers_give_the_same_files_and_others_do_not(tmp_path):
    first, again, other = ([path.read_bytes() for path in save_figure(drawn(height), tmp_path / name, "rising")]
                           for height, name in ((2, "first"), (2, "again"), (3, "other")))
    assert first == again
    assert first[0] != other[0] and first[1] != other[1]


def test_a_figure_is_written_as_png_and_as_svg_with_text_that_can_be_searched(tmp_path):
    png, svg = save_figure(drawn(2), tmp_path / "a" / "new" / "folder", "rising")
    assert png.read_bytes().startswith(b"\x89PNG") and b"a line" in svg.read_bytes()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_notebook_saves_a_figure_by_itself(path):
    cells = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert not [source for source in cells if ".savefig(" in source and "def save_figure(" not in source and "def plainly(" not in source]
