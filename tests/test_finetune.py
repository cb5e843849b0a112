"""Recipes, budgets, data for the trainer; and a tiny model trained for a few steps where the extra [train] is installed."""

import contextlib
import importlib.util
import io
import json
import math

import pytest

from verified_code_cot import finetune
from verified_code_cot.commands import main
from verified_code_cot.finetune import adapter_weights, examples, memory, read_recipe, read_rows, recipe_names, setting, shape_of, tokens, train
from verified_code_cot.records import InputError

HAS_TRAIN = all(importlib.util.find_spec(name) for name in ("torch", "transformers", "trl", "peft", "accelerate", "datasets"))
needs_train = pytest.mark.skipif(not HAS_TRAIN, reason="the extra [train] is not installed")


def row(n):
    question = f"```python\ndef f(x):\n    return x + {n}\n```\n\nWhat does `f(1)` return?"
    return {
        "id": f"r{n}",
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": f"`x` is 1, and 1 + {n} is {1 + n}.\n<answer>{1 + n}</answer>"}],
    }


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(json.dumps(row(n)) + "\n" for n in range(40)))
    return str(folder)


def run_command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        status = main(["finetune", *map(str, arguments)])
    return status, out.getvalue(), err.getvalue()


# recipes


@pytest.mark.parametrize("name", recipe_names())
def test_our_recipes_fit_the_cards_they_name(name):
    recipe = read_recipe(name)
    text = (finetune.recipes_folder() / f"{name}.yaml").read_text()
    assert "40 GB or more" in text
    card = 40
    total = sum(memory(recipe, recipe.shape).values())
    assert 0.3 * card < total < 0.95 * card * 1e9 / finetune.GIB, f"{total:.1f} GiB on a card of {card} GB"
    assert recipe.completion_only and recipe.packing and recipe.bf16 and recipe.gradient_checkpointing and recipe.needs_gpu


def test_the_models_of_the_paper_have_recipes():
    assert {read_recipe(name).model for name in recipe_names()} >= {"Qwen/Qwen2.5-Coder-7B", "ibm-granite/granite-3.3-8b-base"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("model: m\nlearning_rat: 1.0", "learning_rat: there is no such field"),
        ("model: 3", "model: "),
        ("- 1", "not a recipe but a list"),
        ("{", "not YAML"),
        ("model: m\nmethod: half", "method: "),
        ("method: full", "model: this field is missing"),
        ("model: m\nbatch: two", "batch: "),
    ],
)
def test_recipes_that_are_none(tmp_path, content, said):
    (tmp_path / "r.yaml").write_text(content)
    with pytest.raises(InputError) as error:
        read_recipe(str(tmp_path / "r.yaml"))
    assert "r.yaml" in str(error.value) and said in str(error.value) and "\n" not in str(error.value)


def test_names_and_settings():
    with pytest.raises(InputError, match="nope: no such recipe .there are granite-3.3-8b-base, qwen2.5-coder-1.5b, qwen2.5-coder-7b-lora"):
        read_recipe("nope")
    assert (
        setting("learning_rate=1e-5") == ("learning_rate", 1e-5)
        and setting("needs_gpu=false") == ("needs_gpu", False)
        and setting("model=a/b1") == ("model", "a/b1")
    )
    for text in ("learning_rate", "=3", "a b=3", "batch=["):
        with pytest.raises(InputError):
            setting(text)
    assert read_recipe(None, model="m", epochs=2).epochs == 2


# budgets


def test_lora_trains_little_and_sharing_divides():
    recipe = read_recipe("qwen2.5-coder-7b-lora")
    lora, full = memory(recipe, recipe.shape), memory(recipe.model_copy(update={"method": "full"}), recipe.shape)
    assert lora["optimizer"] < 0.05 * full["optimizer"] and full["frozen weights"] == 0
    shared = memory(recipe.model_copy(update={"method": "full", "gpus": 4, "fsdp": True}), recipe.shape)
    assert shared["gradients"] == pytest.approx(full["gradients"] / 4) and shared["activations"] == full["activations"]
    plain = memory(recipe.model_copy(update={"gradient_checkpointing": False}), recipe.shape)
    assert plain["activations"] > 5 * lora["activations"]


def test_tokens_and_steps():
    recipe = read_recipe(None, model="m", max_length=100, batch=2, accumulation=2, epochs=2, packing=True)
    pairs = [("x" * 33, "y" * 66)] * 30 + [("x" * 660, "y" * 3)]
    found = tokens(pairs, recipe)
    assert found["guessed"] and found["rows"] == 31 and found["tokens"] == 30 * 31 + 202 and found["cut"] == 1 and found["longest"] == 202
    assert found["sequences"] == math.ceil((30 * 31 + 100) / 100) and found["steps"] == 2 * math.ceil(found["sequences"] / 4)
    assert tokens(pairs, recipe.model_copy(update={"packing": False}))["sequences"] == 31
    assert tokens(pairs, recipe.model_copy(update={"max_steps": 7}))["steps"] == 7


def test_a_tokenizer_counts(data):
    class Letters:
        def __call__(self, texts, add_special_tokens):
            return {"input_ids": [list(text) for text in texts]}

    recipe = read_recipe(None, model="m")
    assert tokens([("ab", "cde")], recipe, Letters())["tokens"] == 2 + 3 + 1


def test_the_dry_run_of_the_command(data):
    status, out, _ = run_command("--dataset", data, "--recipe", "granite-3.3-8b-base", "--dry-run", "--json")
    plan = json.loads(out)
    assert status == 0 and plan["gpus"] == 8 and plan["parameters"] == 8170848256 and plan["tokens"]["rows"] == 40
    assert plan["memory_gib"]["total"] == pytest.approx(sum(size for name, size in plan["memory_gib"].items() if name != "total"), abs=0.05)
    status, out, _ = run_command("--dataset", data, "--recipe", "granite-3.3-8b-base", "--dry-run")
    assert status == 0 and "memory on each GPU, estimated" in out and "guessed" in out


# data


def test_the_forms_of_a_dataset(data, tmp_path):
    from verified_code_cot.records import write_parquet

    pairs = examples(read_rows(data), chat=False)
    assert pairs[2] == {"prompt": row(2)["messages"][0]["content"] + "\n", "completion": row(2)["messages"][1]["content"]}
    flat = [{"prompt": pair["prompt"][:-1], "completion": pair["completion"]} for pair in pairs]
    write_parquet(tmp_path / "flat" / "train.parquet", flat) if (tmp_path / "flat").mkdir() is None else None
    assert examples(read_rows(str(tmp_path / "flat")), chat=False) == pairs
    assert examples(read_rows(data), chat=True)[0]["prompt"][0]["role"] == "user"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "not a dataset folder (verified-code-cot export"),
        ({}, "neither train.parquet nor train.jsonl"),
        ({"train.jsonl": ""}, "no rows in it"),
        ({"train.jsonl": "{\n"}, "train.jsonl:1: not JSON"),
        ({"train.jsonl": '{"text": "all in one"}\n'}, "row 1: neither messages"),
        ({"train.parquet": "no parquet"}, "not a Parquet file"),
    ],
)
def test_folders_that_are_no_dataset(tmp_path, files, said):
    folder = tmp_path / "d"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_text(content)
    status, out, err = run_command("--dataset", folder, "--recipe", "qwen2.5-coder-1.5b", "--dry-run")
    assert status == 1 and out == "" and err.count("\n") == 1 and said in err


# refusals before anything is loaded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which model?"),
        (["--recipe", "qwen2.5-coder-1.5b"], "where does the model go?"),
        (["--model", "no/such", "--dry-run"], "no such folder, and the recipe has no shape"),
        (["--recipe", "qwen2.5-coder-1.5b", "--set", "epoch=1", "--dry-run"], "epoch: there is no such field"),
    ],
)
def test_what_is_missing_is_one_line(data, arguments, said):
    status, out, err = run_command("--dataset", data, *arguments)
    assert status == 1 and out == "" and err.count("\n") == 1 and said in err


def test_no_gpu_or_no_libraries_is_one_line(data, tmp_path):
    if HAS_TRAIN:
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    status, out, err = run_command("--dataset", data, "--recipe", "qwen2.5-coder-1.5b", "--out", tmp_path / "out")
    assert (
        status == 1
        and out == ""
        and err.count("\n") == 1
        and ("needs a GPU, and there is none here" if HAS_TRAIN else "pip install 'verified-code-cot[train]'") in err
    )
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no training of ours"):
        train(data, read_recipe(None, model="m"), str(tmp_path / "out"))


def test_another_training_is_not_mixed_with_this_one(data, tmp_path):
    recipe = read_recipe(None, model="m")
    finetune.note(str(tmp_path / "out"), finetune.begin(data, recipe, str(tmp_path / "out"), False))
    assert finetune.begin(data, recipe, str(tmp_path / "out"), False)["finished"] is False
    with pytest.raises(InputError, match="another training was begun there"):
        finetune.begin(data, recipe.model_copy(update={"learning_rate": 2e-5}), str(tmp_path / "out"), False)
    assert finetune.begin(data, recipe.model_copy(update={"learning_rate": 2e-5}), str(tmp_path / "out"), True)


# with the libraries


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A Llama of two layers and a tokenizer, made on the spot, without and with a chat template."""
    if not HAS_TRAIN:
        pytest.skip("the extra [train] is not installed")
    import tokenizers
    import torch
    import transformers

    torch.manual_seed(0)
    made = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    made.pre_tokenizer, made.decoder = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    made.train_from_iterator([turn["content"] for n in range(40) for turn in row(n)["messages"]], trainer)
    config = transformers.LlamaConfig(
        vocab_size=400,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
        tie_word_embeddings=True,
    )
    model, folders = transformers.LlamaForCausalLM(config), []
    for template in (
        None,
        "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}",
    ):
        folder = tmp_path_factory.mktemp("tiny")
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="<pad>")
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
        folders.append(str(folder))
    return folders


def small(model, **changes):
    plain = {
        "needs_gpu": False,
        "bf16": False,
        "max_length": 128,
        "batch": 4,
        "accumulation": 1,
        "max_steps": 12,
        "learning_rate": 5e-3,
        "save_every": 4,
        "packing": False,
        "lora_rank": 4,
        "lora_alpha": 8,
    }
    return read_recipe(None, model=model, **(plain | changes))


@needs_train
def test_the_planned_shape_is_the_models(tiny):
    import peft
    import transformers

    model, shape = transformers.AutoModelForCausalLM.from_pretrained(tiny[0]), shape_of(read_recipe(None, model=tiny[0]))
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    assert shape.parameters == model.num_parameters() - norms
    wrapped = peft.get_peft_model(model, finetune.adapter(small(tiny[0], method="lora")))
    assert adapter_weights(shape, 4) == sum(p.numel() for p in wrapped.parameters() if p.requires_grad)


@needs_train
@pytest.mark.parametrize(("which", "changes"), [(0, {}), (1, {}), (0, {"method": "lora"}), (1, {"method": "lora", "packing": True})])
def test_a_tiny_model_learns(data, tiny, tmp_path, which, changes):
    done = train(data, small(tiny[which], **changes), str(tmp_path / "out"))
    first, last = done["loss"][0][1], done["loss"][-1][1]
    assert done["steps"] == 12 and done["finished"] and last < first, done["loss"]
    assert json.loads((tmp_path / "out" / "finetune.json").read_text())["finished"]
    import transformers

    transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert bool(transformers.AutoTokenizer.from_pretrained(tmp_path / "out").chat_template) == bool(which)


@needs_train
def test_training_goes_on_from_its_checkpoint(data, tiny, tmp_path, monkeypatch):
    from trl import SFTTrainer

    whole = train(data, small(tiny[0]), str(tmp_path / "whole"))
    step = SFTTrainer.training_step

    def failing(self, *arguments, **options):
        if self.state.global_step == 9:
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    monkeypatch.setattr(SFTTrainer, "training_step", failing)
    with pytest.raises(KeyboardInterrupt):
        train(data, small(tiny[0]), str(tmp_path / "out"))
    monkeypatch.setattr(SFTTrainer, "training_step", step)
    told = []
    done = train(data, small(tiny[0]), str(tmp_path / "out"), tell=told.append)
    assert "checkpoint-8" in told[0] and done["steps"] == 12
    assert done["loss"][-1] == pytest.approx(whole["loss"][-1], rel=1e-3)


@needs_train
def test_the_loss_is_taken_on_the_answer_alone(data, tiny):
    from datasets import Dataset
    from trl import SFTTrainer

    for chat in (False, True):
        model, tokenizer = finetune.loaded(small(tiny[chat]), __import__("torch"))
        rows = Dataset.from_list(examples(read_rows(data), chat))
        trainer = SFTTrainer(
            model=model, args=finetune.configuration(small(tiny[chat]), "unused", __import__("torch")), train_dataset=rows, processing_class=tokenizer
        )
        batch = next(iter(trainer.get_train_dataloader()))
        said = tokenizer.decode([t for t in batch["labels"][0].tolist() if t != -100])
        assert "<answer>" in said and "What does" not in said


@needs_train
def test_a_model_that_is_none_is_one_line(data, tmp_path):
    (tmp_path / "empty").mkdir()
    status, out, err = run_command(
        "--dataset", data, "--model", tmp_path / "empty", "--set", "needs_gpu=false", "--set", "bf16=false", "--out", tmp_path / "out"
    )
    assert status == 1 and out == "" and "not a model that can be loaded" in err and err.count("\n") == 1


@needs_train
def test_what_was_trained_can_be_evaluated(data, tiny, tmp_path):
    train(data, small(tiny[0], max_steps=2), str(tmp_path / "out"))
    (tmp_path / "p.jsonl").write_text(json.dumps({"id": "m0", "code": "def f(x):\n    return x + 1", "input": "1", "output": "2"}) + "\n")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = main(
            [
                "evaluate",
                "--benchmark",
                "cruxeval-o",
                "--problems",
                str(tmp_path / "p.jsonl"),
                "--generations",
                str(tmp_path / "g.json"),
                "--backend",
                "local",
                "--model",
                str(tmp_path / "out"),
                "--prompt",
                "plain",
                "--samples",
                "2",
                "--max-tokens",
                "8",
                "--workers",
                "0",
                "--json",
                "--draws",
                "10",
            ]
        )
    assert status == 0 and json.loads(out.getvalue())["samples"] == 2


@needs_train
def test_the_settings_for_many_gpus_are_taken():
    recipe = read_recipe("granite-3.3-8b-base", bf16=False)
    made = finetune.configuration(recipe, "unused", __import__("torch"))
    assert made.fsdp and made.fsdp_config["activation_checkpointing"] and not made.gradient_checkpointing and made.packing and made.max_length == 4096
    with pytest.raises(InputError, match="accelerate launch --num_processes 8|needs a GPU"):
        finetune.needs(recipe)
