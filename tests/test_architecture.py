"""The rooms and their order: who may import whom, what every notebook owes its reader."""
import ast
import importlib
import json
import re
import sys
from pathlib import Path

import papermill
import pytest

from verified_code_cot.guard import cells_of_notebook, exported_code
from verified_code_cot.sandbox import guest_modules
from verified_code_cot.study import FROM_SEEDS, PROFILES, SET_BY_STUDY, told_by_a_model
from verified_code_cot.study import STAGES as FROM_CURRICULUM

STAGES = {**FROM_CURRICULUM, **told_by_a_model(FROM_SEEDS), **FROM_SEEDS}
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "verified_code_cot"
NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
MODULE_OF = {path: cells_of_notebook(path)[0] for path in NOTEBOOKS}
ROOMS = [module for module in MODULE_OF.values() if module and module != "__init__"]
IN_THE_CHILD = sorted({*guest_modules("helper"), *guest_modules("recorder"), *guest_modules("checking")})  # run in the bare interpreter
VERIFIER = {"claims", "grounding", "verification"}


def cells(path, kind):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def imports_of(module):
    """The rooms that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "verified_code_cot":
            found |= {node.module.split(".")[1]} if "." in node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("verified_code_cot.")}
    return found & set(ROOMS)


def reach(module):
    """All rooms that a module needs, directly or not."""
    found, todo = set(), [module]
    while todo:
        new = imports_of(todo.pop()) - found
        found |= new
        todo.extend(new)
    return found


def test_there_is_one_room_for_each_module_and_one_module_for_each_room():
    assert len(ROOMS) > 20 and len(set(ROOMS)) == len(ROOMS)
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"_modidx", "__init__"} == set(ROOMS)
    assert "__init__" in MODULE_OF.values()


@pytest.mark.parametrize("module", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(module):
    place = ROOMS.index(module)
    assert {other for other in imports_of(module) if ROOMS.index(other) >= place} == set()


@pytest.mark.parametrize("module", ROOMS)
def test_no_room_imports_a_private_name_of_another(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level for alias in node.names]
    assert [name for name in names if name.startswith("_") and not name.startswith("__")] == []


def test_narration_and_the_verifier_are_strangers():
    assert VERIFIER | {"narration"} <= set(ROOMS)
    assert not reach("narration") & VERIFIER
    for module in VERIFIER:
        assert "narration" not in reach(module)


def test_narration_and_the_verifier_share_only_what_knows_nothing_of_texts():
    shared = reach("narration") & set.union(*map(reach, VERIFIER))
    below = {"records", "engine", "guard", "sandbox", "footprint", "tracing", "replay", *IN_THE_CHILD}
    assert shared <= below


@pytest.mark.parametrize("module", IN_THE_CHILD)
def test_what_runs_in_the_child_needs_only_the_standard_library(module):
    standard = {*sys.stdlib_module_names, "_sha2", "_sha256"}  # Python's own SHA-256, by its names before and since 3.12
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= standard
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert node.module.split(".")[0] in standard
    assert imports_of(module) <= set(IN_THE_CHILD)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.stem)
def test_no_error_is_swallowed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            wide = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException"))
            silent = all(isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)) for s in node.body)
            assert node.type is not None, f"{path.name}:{node.lineno}: a bare except"
            assert not (wide and silent), f"{path.name}:{node.lineno}: whatever goes wrong here is never heard of"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_a_lesson(path):
    prose = cells(path, "markdown")
    assert re.match(r"# \S.*\n+> \S", prose[0]), "a title, then one line that says what it is"
    assert sum(len(text.split()) for text in prose) >= 150
    kinds = [cell["cell_type"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert kinds[0] == "markdown"
    assert any("assert" in text for text in cells(path, "code") if exported_code(text) is None), "it shows nothing that could be wrong"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_exported_cells_are_small_and_documented(path):
    _, exported = cells_of_notebook(path)
    for cell in exported:
        body = ast.parse(cell.code).body
        tables = all(isinstance(node, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Import, ast.ImportFrom)) for node in body)
        assert tables or cell.code.count("\n") + 1 <= 60, f"cell {cell.id}: {cell.code.count(chr(10)) + 1} lines"
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                assert ast.get_docstring(node), f"{node.name} says nothing about itself"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_has_been_executed_and_shows_nothing_of_this_machine(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["language"] == "python", "papermill needs it"
    outputs = [json.dumps(output) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    assert outputs, "it was never executed"
    for output in outputs:
        assert '"output_type": "error"' not in output
        assert not re.search(r"/tmp/\w|/root/|/home/\w|/work/|0x[0-9a-f]{9,}|WARNING", output), output[:300]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_parameters_and_guards_its_run(stage):
    path = ROOT / "nbs" / STAGES[stage]
    assert MODULE_OF[path] == stage
    parameters = papermill.inspect_notebook(str(path))
    assert {"run_dir"} <= set(parameters)
    assert all(p["help"] for p in parameters.values()), "each parameter says what it is for"
    code = "\n".join(cells(path, "code"))
    guard, run = re.search(rf"^require_in_step\(.{stage}.\)", code, re.MULTILINE), re.search(rf"{stage}\.run\(", code)
    assert guard and run and guard.start() < run.start(), "the guard stands before the run"
    assert hasattr(importlib.import_module(f"verified_code_cot.{stage}"), "run")


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_set_what_there_is(profile):
    for stage, values in PROFILES[profile].items():
        known = papermill.inspect_notebook(str(ROOT / "nbs" / STAGES[stage]))
        assert set(values) <= set(known) - set(SET_BY_STUDY)


def test_what_a_worker_remembers_of_texts_and_programs_is_bounded():
    """A worker lives as long as the run: a cache larger than a partition needs only grows with the work, and holds programs long done with."""
    sizes = {}
    for module in ROOMS:
        for name, value in vars(importlib.import_module(f"verified_code_cot.{module}")).items():
            if hasattr(value, "cache_parameters") and value.__module__ == f"verified_code_cot.{module}":
                sizes[f"{module}.{name}"] = value.cache_parameters()["maxsize"]
    assert len(sizes) > 30
    assert {name: size for name, size in sizes.items() if size is None or size > 8192} == {}
    assert sum(sizes.values()) < 60_000
