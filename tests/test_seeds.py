"""Seed documents of every kind become sections with their places; what cannot be used is refused by name; concepts come out once."""
import json
from pathlib import Path

import pytest
from fake_teacher import FakeTeacher

from verified_code_cot import concepts
from verified_code_cot.concepts import Concept, merged, named, plain_concept
from verified_code_cot.engine import read_manifest
from verified_code_cot.records import InputError, load
from verified_code_cot.seeds import chunks_of, html_blocks, is_list, keyphrases, markdown_blocks, own_seeds, read_seeds, text_blocks

SECTION = "Halving a range again and again finds a value quickly, because each comparison throws half of it away. It needs a sorted list."


def write(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def notebook(*cells):
    code = {"outputs": [], "execution_count": None}
    rows = [{"cell_type": kind, "metadata": {}, "source": source, **(code if kind == "code" else {})} for kind, source in cells]
    return json.dumps({"cells": rows, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_every_kind_of_document_gives_the_same_section(tmp_path):
    body = f"<h1>Search</h1>\n<h2>Binary search</h2>\n<p>{SECTION}</p><pre>low, high = 0, 9</pre>"
    html = f"<html><head><title>x</title><style>p {{}}</style></head><body>{body}</body></html>"
    write(tmp_path, a__md=f"# Search\n\n## Binary search\n\n{SECTION}\n\n```python\nlow, high = 0, 9\n```\n", b__html=html,
          c__ipynb=notebook(("markdown", f"# Search\n\n## Binary search\n\n{SECTION}"), ("code", "low, high = 0, 9")),
          d__txt=f"Search\n======\n\nBinary search\n-------------\n\n{SECTION}\n\n    low, high = 0, 9\n")
    found = read_seeds([tmp_path])
    assert [(c.path, c.text, c.code) for c in found.chunks] == [(("Search", "Binary search"), SECTION, ("low, high = 0, 9",))] * 4
    assert [(c.unit, c.first, c.last) for c in found.chunks] == [("line", 5, 9), ("line", 3, 3), ("cell", 1, 2), ("line", 7, 9)]


def test_the_place_of_a_chunk_is_where_its_text_stands():
    for path in sorted(own_seeds().glob("*.md")):
        lines = path.read_text().split("\n")
        for chunk in read_seeds([path]).chunks:
            there = " ".join(" ".join(lines[chunk.first - 1:chunk.last]).split())
            for sentence in chunk.text.split("\n\n"):
                assert sentence.replace("*", "") in there.replace("*", "") or "](" in there


def test_a_pdf_is_read_by_its_pages(tmp_path):
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "blank.pdf")
    (tmp_path / "no.pdf").write_bytes(b"%PDF-1.4 nothing")
    write(tmp_path, list__txt="heaps\nsets\n")
    found = read_seeds([tmp_path])
    assert len(found.chunks) == 2 and sorted(line.split(":")[0] for line in found.refused) == ["blank.pdf", "no.pdf"]


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.md", b"", "empty file"), ("a.md", b" \n ", "empty file"), ("a.txt", b"\x00\x01", "binary"), ("a.md", b"\xff\xfe\x41", "not UTF-8"),
    ("a.ipynb", b"{", "cannot be read as .ipynb"),
    ("a.md", b"# Only a heading\n", "no text"), ("a.html", b"<script>x</script>", "no text"), ("a.ipynb", b'{"cells": 3}', "cannot be read as .ipynb")])
def test_a_file_that_cannot_be_used_is_refused_by_name(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read_seeds([tmp_path / name])
    assert str(error.value).startswith(f"{name}: ") and "\n" not in str(error.value)
    write(tmp_path, good__txt="heaps\n")
    found = read_seeds([tmp_path])
    assert len(found.chunks) == 1 and len(found.refused) == 1 and words in found.refused[0]


def test_folders_without_documents_and_names_that_are_not_there(tmp_path):
    write(tmp_path, x__bin=b"\0", code__py="x = 1")
    with pytest.raises(InputError, match="no seed document in this folder"):
        read_seeds([tmp_path])
    with pytest.raises(InputError, match="no such file or folder"):
        read_seeds([tmp_path / "none.md"])


@pytest.mark.parametrize(("text", "expected"), [
    ("heaps\nsets", True), ("- heaps\n- sets of words", True), ("Heaps are nice.\n", False), ("heaps", True), ("# Heaps\nsets", False), ("", False),
    ("a line of prose that is wrapped by hand at some\nplace and goes on until it ends\nhere.", False)])
def test_lists_are_told_from_prose(text, expected):
    assert is_list(text) is expected


def test_short_sections_are_joined_and_long_ones_cut_between_paragraphs():
    text = "# T\n\n## A\n\nShort.\n\n## B\n\nShort too.\n\n## C\n\n" + "\n\n".join(f"P{n} " + "word " * 60 for n in range(5))
    chunks = chunks_of(markdown_blocks(text), "t.md", most=700)
    assert chunks[0].path == ("T", "A") and chunks[0].text == "Short.\n\nShort too."
    assert [c.path[-1] for c in chunks[1:]] == ["C"] * 3 and all(len(c.text) <= 700 for c in chunks)
    assert sum(c.text.count("word") for c in chunks) == 300


def test_markup_is_left_out_but_code_is_not():
    blocks = markdown_blocks("A *fine* **bold** [link](http://x) `a * b * c` and 2 * 3 * 4.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert blocks[0].text == "A fine bold link `a * b * c` and 2 * 3 * 4." and "| 1 | 2 |" in blocks[1].text
    blocks = html_blocks("<div><p>One</p>two <ul><li>three</li></ul></div><table><tr><td>four</td></tr></table>")
    assert [b.text for b in blocks] == ["One", "three", "four"]


def test_plain_text_headings():
    blocks = text_blocks("1. Search\n\nText one\nand more.\n\n1.2 Halving\n\nText two.\n\nNot a heading, as it ends so:\n\nChapter 3 Sets\n\nEnd.")
    assert [(b.text, b.level) for b in blocks if b.kind == "heading"] == [("Search", 1), ("Halving", 2), ("Chapter 3 Sets", 1)]


def test_keyphrases_are_the_same_every_time():
    chunk = read_seeds([own_seeds()]).chunks[3]
    assert keyphrases(chunk) == keyphrases(chunk) and "cipher" in " ".join(keyphrases(chunk))


def test_our_own_chapters_give_a_concept_for_every_family():
    from verified_code_cot.curriculum import FAMILIES

    names = {c.name.lower() for c in map(plain_concept, read_seeds([own_seeds()]).chunks)}
    assert {family.concept.lower() for family in FAMILIES} <= names


# -- concepts ---------------------------------------------------------------------------------------------------------


def concept(name, description="", **fields):
    return Concept(**{"id": "", "name": name, "description": description, "source": "s", "unit": "line", "first": 1, "last": 1, **fields})


def test_near_duplicates_are_merged_and_others_are_not():
    text = "A stack gives back what was put on it last, and nothing else can be reached before that."
    pile = concept("A pile", text.replace("nothing", "none"), source="t")
    found = merged([concept("Stacks", text), concept("The stack", "Other words."), pile, concept("Queues", "First in, first out.")])
    assert [c.name for c in found] == ["Stacks", "Queues"] and found[0].also == ["s, line 1", "t, line 1"]


def test_names_give_ids_that_differ():
    assert [c.id for c in named([concept("A b"), concept("a  B!"), concept("!!!"), concept("x" * 90)])] == ["a-b", "a-b-2", "concept", "x" * 60]


def test_the_stage_without_a_model(tmp_path):
    counts = concepts.run(tmp_path)
    made = load(tmp_path / "data" / "concepts.jsonl", Concept)
    assert counts["concepts"] == len(made) >= 60 and len({c.id for c in made}) == len(made)
    assert all(c.description and c.keyphrases and c.first <= c.last for c in made)
    assert concepts.run(tmp_path)["concepts"] == len(made) and read_manifest(tmp_path)["teacher"]["name"] == "embedded"


def test_the_stage_with_a_model(tmp_path):
    write(tmp_path, a__md=f"# Search\n\n## Binary search\n\n{SECTION}\n\n## Other\n\n{SECTION}\n\n## Third\n\n{SECTION}")

    def answer(body):
        question = body["messages"][0]["content"]
        if "> Other" in question:
            return "I am not sure."
        if "> Third" in question:
            return json.dumps({"concepts": []})
        return json.dumps({"concepts": [{"name": "Halving", "description": "It halves.", "examples": ["It needs a\nsorted list.", "It sings."]},
                                        {"name": "Nothing", "description": "Made up.", "examples": ["not there"]}]})

    with FakeTeacher(answer) as server:
        options = {"seeds": str(tmp_path / "a.md"), "teacher": "openai", "model": "m", "base_urls": server.url}
        counts = concepts.run(tmp_path / "run", **options)
        asked = len(server.bodies)
    (made,) = load(tmp_path / "run" / "data" / "concepts.jsonl", Concept)
    assert (made.id, made.examples, made.source, made.first) == ("halving", ["It needs a\nsorted list."], "a.md", 5)
    assert counts["reply_malformed"] == 1 and counts["refused_without_example"] == 1 and counts["examples_not_in_the_text"] == 2
    teacher = read_manifest(tmp_path / "run")["teacher"]
    assert teacher["name"] == "openai" and teacher["tokens"] == 15 * asked == 15 * 4
    again = concepts.run(tmp_path / "run", **{**options, "teacher": "recorded"})
    assert again["concepts"] == 1 and again["teacher"]["concepts"]["cached"] == 3


def test_a_teacher_without_one_usable_answer_gives_no_concept_and_says_so(tmp_path):
    with FakeTeacher(lambda body: "flibber") as server:
        counts = concepts.run(tmp_path, teacher="openai", model="m", base_urls=server.url)
    assert counts["concepts"] == 0 and counts["reply_malformed"] == 77 and (Path(tmp_path) / "data" / "concepts.jsonl").read_text() == ""
