"""Asking models the benchmarks' questions, behind a (false) server and in this process."""

import contextlib
import io
import json
import re

import pytest
from fake_teacher import FakeTeacher, completion

from verified_code_cot import generation
from verified_code_cot.benchmarks import read_problems
from verified_code_cot.commands import main
from verified_code_cot.generation import PROMPTS, How, answer_of, ask_local, completion_of, fingerprint, prompt_of, questions
from verified_code_cot.records import Rationale, read_jsonl

pytest.importorskip("openai", reason="the extra [openai] is not installed")

CRUX = [
    {"id": "m0", "code": "def f(xs):\n    return sorted(xs)[::-1]", "input": "[1, 3]", "output": "[3, 1]"},
    {"id": "m1", "code": "def f(s, k=2):\n    return {s: s * k}", "input": "'ab', k=3", "output": "{'ab': 'ababab'}"},
]
HUMAN = [
    {
        "task_id": "Mine/0",
        "prompt": 'def vowels(s: str) -> int:\n    """ How many vowels there are in s. """\n',
        "entry_point": "vowels",
        "canonical_solution": "    return sum(c in 'aeiou' for c in s.lower())\n",
        "test": "def check(candidate):\n    assert candidate('Apple') == 2\n    assert candidate('') == 0\n",
    }
]


def file_of(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def crux(tmp_path):
    return file_of(tmp_path / "problems.jsonl", CRUX)


def run_command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["evaluate", *map(str, arguments)])
    return status, out.getvalue(), err.getvalue()


def asking(server, problems, folder, *more, benchmark="cruxeval-o"):
    return run_command(
        "--benchmark",
        benchmark,
        "--problems",
        problems,
        "--generations",
        folder / "g.json",
        "--model",
        "m",
        "--base-url",
        server.url,
        "--draws",
        20,
        "--workers",
        0,
        "--json",
        *more,
    )


def solver(body):
    """Right about the first program when the seed is even, never about the second."""
    question = body["messages"][-1]["content"]
    if "sorted(xs)" not in question:
        return "Difficult.\n<answer>{'ab': 'abab'}</answer>"
    return "The list is sorted and reversed.\n<answer>[3, 1]</answer>" if body["seed"] % 2 == 0 else "It is sorted, so f([1, 3]) == [1, 3]"


def test_both_halves_in_one_go(tmp_path, crux):
    with FakeTeacher(answer=solver) as server:
        status, out, err = asking(server, crux, tmp_path, "--samples", 6, "--temperature", 0.7, "--rationales", tmp_path / "r.jsonl")
        assert {(body["temperature"], body["max_tokens"], body["model"]) for body in server.bodies} == {(0.7, 2048, "m")}
        assert sorted(body["seed"] for body in server.bodies) == sorted([*range(6)] * 2)
    found = json.loads(out)
    assert status == 0 and found["pass@1"] == 0.25 and found["pass@5"] == 0.5 and found["n"] == 6 and found["missing"] == 0, err
    assert json.loads((tmp_path / "g.json").read_text()) == {"m0": ["[3, 1]", "[1, 3]"] * 3, "m1": ["{'ab': 'abab'}"] * 6}
    rationales = [record for _, record in read_jsonl(tmp_path / "r.jsonl", Rationale)]
    assert len(rationales) == 12 and all(isinstance(record, Rationale) for record in rationales)
    assert (rationales[0].id, rationales[0].call, rationales[0].answer, rationales[0].rationale[:8]) == ("m0#0", "f([1, 3])", "[3, 1]", "The list")


def test_the_halves_run_apart(tmp_path, crux):
    with FakeTeacher(answer=solver) as server:
        status, out, _ = asking(server, crux, tmp_path, "--samples", 2, "--no-score")
    assert status == 0 and json.loads(out)["answers"] == 4 and "pass@1" not in json.loads(out)
    status, out, _ = run_command("--benchmark", "cruxeval-o", "--problems", crux, "--generations", tmp_path / "g.json", "--draws", 20, "--workers", 0, "--json")
    assert status == 0 and json.loads(out)["pass@1"] == 0.25


def test_nothing_is_asked_twice(tmp_path, crux):
    with FakeTeacher(answer=solver) as server:
        first = asking(server, crux, tmp_path, "--samples", 3)
        again = asking(server, crux, tmp_path, "--samples", 3)
        assert first == again and len(server.bodies) == 6
        asking(server, crux, tmp_path, "--samples", 5)
        assert len(server.bodies) == 10
        asking(server, crux, tmp_path, "--samples", 5, "--prompt", "direct")
        assert len(server.bodies) == 20, "other words are another question"


def test_questions_that_failed_are_named_and_asked_again(tmp_path):
    rows = [CRUX[0], {**CRUX[1], "code": "# fault:400\n" + CRUX[1]["code"]}]
    problems = file_of(tmp_path / "p.jsonl", rows)
    with FakeTeacher(answer=solver) as server:
        status, out, err = asking(server, problems, tmp_path, "--samples", 1)
        assert status == 3 and json.loads(out)["missing"] == 1 and "pass@1" not in json.loads(out)
        assert "1 of 2 questions were not answered, first m1#0 (400: the context is too long); run again" in err
        assert json.loads((tmp_path / "g.json").read_text()) == {"m0": ["[3, 1]"]}
        asked = len(server.bodies)
        status, out, _ = asking(server, problems, tmp_path, "--samples", 1)
        assert status == 0 and json.loads(out)["pass@1"] == 0.5 and len(server.bodies) == asked + 1


def test_partial_scores_what_was_answered(tmp_path):
    problems = file_of(tmp_path / "p.jsonl", [CRUX[0], {**CRUX[1], "code": "# fault:400*99\n" + CRUX[1]["code"]}])
    with FakeTeacher(answer=solver) as server:
        status, out, _ = asking(server, problems, tmp_path, "--samples", 1, "--partial")
    assert status == 3 and json.loads(out)["pass@1"] == 1.0 and json.loads(out)["problems"] == 1


def test_what_a_model_refuses_or_does_not_finish_is_wrong(tmp_path, crux):
    def answer(body):
        if "sorted(xs)" in body["messages"][-1]["content"]:
            return completion("First, the list is sorted, and then it is rev", finish="length")
        return completion("", refusal="I cannot help with that.")

    with FakeTeacher(answer=answer) as server:
        status, out, err = asking(server, crux, tmp_path, "--samples", 1)
    found = json.loads(out)
    assert status == 0 and found["pass@1"] == 0.0 and found["missing"] == 0 and found["cut"] == 1 and "1 answers were cut at --max-tokens 2048" in err


def test_inputs_and_functions(tmp_path, crux):
    def answer(body):
        question = body["messages"][-1]["content"]
        if "vowels" in question:
            return "Count them.\n```python\ndef vowels(s: str) -> int:\n    return sum(s.lower().count(v) for v in 'aeiou')\n```"
        return "<answer>f([3, 1])</answer>" if "sorted" in question else "Any string will do: <answer>s='ab', k=3</answer>"

    human = file_of(tmp_path / "human.jsonl", HUMAN)
    with FakeTeacher(answer=answer) as server:
        found = [
            asking(server, problems, folder, "--samples", 2, benchmark=benchmark)
            for benchmark, problems, folder in (("cruxeval-i", crux, tmp_path / "i"), ("humaneval", human, tmp_path / "h"))
        ]
    assert [(status, json.loads(out)["pass@1"]) for status, out, _ in found] == [(0, 1.0), (0, 1.0)]


@pytest.mark.parametrize(
    ("server", "arguments", "said"),
    [
        ({"key": "right"}, [], "refuses the key"),
        ({"models": ["other"]}, [], "does not know the model 'm'"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line(tmp_path, crux, server, arguments, said):
    with FakeTeacher(**server) as fake:
        status, out, err = asking(fake, crux, tmp_path, *arguments)
    assert status == 1 and out == "" and err.count("\n") == 1 and said in err and not (tmp_path / "g.json").exists()


def test_no_server_named(tmp_path, crux, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    status, out, err = run_command("--benchmark", "cruxeval-o", "--problems", crux, "--generations", tmp_path / "g.json", "--model", "m")
    assert status == 1 and out == "" and err.count("\n") == 1 and "OPENAI_BASE_URL" in err


def test_generations_of_others_are_not_written_over(tmp_path, crux):
    (tmp_path / "g.json").write_text('{"m0": ["somebody else\'s"]}')
    with FakeTeacher(answer=solver) as server:
        status, out, err = asking(server, crux, tmp_path)
        assert status == 1 and err.count("\n") == 1 and "g.json: is there already" in err and not server.bodies
    assert "somebody else" in (tmp_path / "g.json").read_text()


def test_samples_that_are_no_samples_are_told(tmp_path, crux):
    with FakeTeacher(answer=lambda body: "<answer>[3, 1]</answer>") as server:
        status, out, err = asking(server, crux, tmp_path, "--samples", 5)
    assert status == 0 and "at temperature 0.2: these are not 5 samples but one" in err and json.loads(out)["pass@5"] == 0.5


# words

def test_no_prompt_gives_the_answer_away(crux):
    for benchmark, secret in (("cruxeval-o", "[3, 1]"), ("cruxeval-i", "[1, 3]")):
        (problem, _) = read_problems(benchmark, str(crux))
        for prompt in ("direct", "cot", "plain"):
            text = prompt_of(problem, How(benchmark, prompt))
            assert secret not in text and problem.code in text, (benchmark, prompt)
            assert (problem.output if benchmark == "cruxeval-i" else problem.call) in text


def test_examples_in_prompts_are_true():
    for (kind, _), text in PROMPTS.items():
        if kind == "body":
            continue
        space = {}
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], space)
        question, answer = re.search(r"`([^`\n]*)` return\?|returns `([^`]*)`\?", text).group(1, 2), re.findall(r"<answer>(.*?)</answer>", text)[-1]
        assert eval(question[0] or answer, space) == eval(answer if question[0] else question[1], space)


def test_questions_are_in_order(crux):
    asked = list(questions(read_problems("cruxeval-o", str(crux)), How("cruxeval-o", samples=2, temperature=0.5, max_tokens=9)))
    assert [(q.id, q.sample, q.temperature, q.max_tokens) for q in asked] == [
        ("m0#0", 0, 0.5, 9),
        ("m0#1", 1, 0.5, 9),
        ("m1#0", 0, 0.5, 9),
        ("m1#1", 1, 0.5, 9),
    ]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>[3, 1]</answer>", "[3, 1]"),
        ("<answer>\n[3, 1]\n</answer> ", "[3, 1]"),
        ("<answer>`[3, 1]`", "[3, 1]"),
        ("[3, 1]", "[3, 1]"),
        ("`[3, 1]`", "[3, 1]"),
        ("assert f([1, 3]) == [3, 1]", "[3, 1]"),
        ("[ANSWER]assert f([1, 3]) == [3, 1][/ANSWER]", "[3, 1]"),
        ("It returns `[3, 1]`.", "[3, 1]"),
        ("<answer>sorted([3, 1])[::-1]</answer>", "sorted([3, 1])[::-1]"),
        ("", ""),
        ("   \n", ""),
        ("Nobody knows.\nNot even I.", "Not even I."),
        ("<answer></answer>", ""),
        ("[3, 1", "[3, 1"),
    ],
)
def test_answers_in_texts(crux, text, answer):
    (problem, _) = read_problems("cruxeval-o", str(crux))
    assert answer_of(problem, How("cruxeval-o"), text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "    return sum(c in 'aeiou' for c in s.lower())",
        "return sum(c in 'aeiou' for c in s.lower())",
        "n = 0\nfor c in s.lower():\n    n += c in 'aeiou'\nreturn n",
        "```python\n    return sum(c in 'aeiou' for c in s.lower())\n```",
        "```python\ndef vowels(s):\n    return sum(c in 'aeiou' for c in s.lower())\n```\nIt can be used so:\n```python\nprint(vowels('a'))\n```",
        "from typing import List\n\ndef vowels(s):\n    return sum(c in 'aeiou' for c in s.lower())",
        "```\nimport re\n\ndef vowels(s):\n    return len(re.findall('[aeiou]', s.lower()))\n```",
        "```python\ndef vowels(s):\n    return sum(c in 'aeiou' for c in s.lower())\n",
    ],
)
def test_functions_in_texts(tmp_path, text):
    (problem,) = read_problems("humaneval", str(file_of(tmp_path / "p.jsonl", HUMAN)))
    exec(problem.before + completion_of(problem, text) + problem.after, {})


# in this process


class Parrot:
    """Stands in for a local model: it says the last answer of its prompt."""

    name, batch = "parrot", 3

    def __init__(self):
        self.sizes = []

    def complete(self, bodies):
        self.sizes.append(len(bodies))
        return [generation.completion(re.findall(r"<answer>.*?</answer>", body["messages"][-1]["content"])[-1], "stop", 1, 1) for body in bodies]


def test_batches_and_the_store(tmp_path, crux):
    problems, parrot = read_problems("cruxeval-o", str(crux)), Parrot()
    first = ask_local(problems, How("cruxeval-o", samples=2), parrot, tmp_path / "c.sqlite")
    assert parrot.sizes == [3, 1] and first.texts == {name: ['["SHORE", "TIDE"]'] * 2 for name in ("m0", "m1")}
    ask_local(problems, How("cruxeval-o", samples=3), parrot, tmp_path / "c.sqlite")
    assert parrot.sizes == [3, 1, 2]


def test_a_run_that_is_broken_off_keeps_its_batches(tmp_path, crux):
    class Broken(Parrot):
        def complete(self, bodies):
            if self.sizes:
                raise KeyboardInterrupt
            return super().complete(bodies)

    problems = read_problems("cruxeval-o", str(crux))
    with pytest.raises(KeyboardInterrupt):
        ask_local(problems, How("cruxeval-o", samples=4), Broken(), tmp_path / "c.sqlite")
    parrot = Parrot()
    ask_local(problems, How("cruxeval-o", samples=4), parrot, tmp_path / "c.sqlite")
    assert sum(parrot.sizes) == 5


def test_the_fingerprint_follows_the_files(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1")
    before = fingerprint(str(tmp_path / "model"))
    assert before.startswith("model@") and before == fingerprint(str(tmp_path / "model"))
    (tmp_path / "model" / "weights").write_text("12")
    assert fingerprint(str(tmp_path / "model")) != before and fingerprint("owner/name") == "owner/name"


@pytest.mark.parametrize("path", ["nowhere/at/all", "empty"])
def test_a_path_that_is_no_model_is_one_line(tmp_path, crux, path):
    (tmp_path / "empty").mkdir()
    status, out, err = run_command(
        "--benchmark", "cruxeval-o", "--problems", crux, "--generations", tmp_path / "g.json", "--backend", "local", "--model", tmp_path / path
    )
    assert status == 1 and out == "" and err.rstrip().count("\n") == 0
    assert "not a model that can be loaded" in err or "pip install 'verified-code-cot[train]'" in err


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A Llama of two layers and a tokenizer, made on the spot, with and without a chat template."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    pytest.importorskip("torch").manual_seed(0)
    made = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    made.pre_tokenizer, made.decoder = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=alphabet)
    made.train_from_iterator([text for text in PROMPTS.values()], trainer)
    config = transformers.LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        bos_token_id=1,
        eos_token_id=2,
    )
    model, folders = transformers.LlamaForCausalLM(config), []
    for template in (None, "{% for m in messages %}<s>{{ m['content'] }}</s>{% endfor %}"):
        folder = tmp_path_factory.mktemp("tiny")
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
        folders.append(folder)
    return folders


@pytest.mark.parametrize("which", [0, 1])
def test_a_tiny_model_from_end_to_end(tmp_path, crux, tiny, which):
    common = (
        "--benchmark",
        "cruxeval-o",
        "--problems",
        crux,
        "--generations",
        tmp_path / "g.json",
        "--backend",
        "local",
        "--model",
        tiny[which],
        "--device",
        "cpu",
        "--samples",
        2,
        "--max-tokens",
        12,
        "--batch",
        3,
        "--draws",
        20,
        "--workers",
        0,
        "--json",
    )
    status, out, err = run_command(*common)
    assert status == 0 and json.loads(out)["samples"] == 4 and json.loads(out)["missing"] == 0, err
    kept = (tmp_path / "g.json").read_text()
    assert run_command(*common)[1] == out and (tmp_path / "g.json").read_text() == kept
    assert len({text for texts in json.loads(kept).values() for text in texts}) > 1, "it samples"


def test_a_prompt_longer_than_the_model_is_a_cut_answer(tmp_path, tiny):
    problems = file_of(tmp_path / "p.jsonl", [{**CRUX[0], "code": CRUX[0]["code"] + "\n# long" * 3000}])
    status, out, err = run_command(
        "--benchmark",
        "cruxeval-o",
        "--problems",
        problems,
        "--generations",
        tmp_path / "g.json",
        "--backend",
        "local",
        "--model",
        tiny[0],
        "--samples",
        1,
        "--draws",
        20,
        "--workers",
        0,
        "--json",
        "--device",
        "cpu",
    )
    assert status == 0 and json.loads(out)["cut"] == 1 and json.loads(out)["pass@1"] == 0.0, err
