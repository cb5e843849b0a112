"""The measures of texts: what varies counts as varied, and values do not count as words."""
import random

from verified_code_cot.texts import compare, distinct, likeness, measures, prose, reading, words


def test_values_and_code_are_no_variety():
    texts = [f"The loop adds `{n}` to `total`, so it is {n * 3}. Then f([{n}, 2]) returns '{n}'.\n\n<answer>{n}</answer>" for n in range(100)]
    assert len({prose(text) for text in texts}) == 1
    assert likeness(texts) == 1.0 and distinct(texts, 1, among=500) < 0.05


def test_varied_texts_are_more_distinct_and_less_alike():
    rng = random.Random(0)
    vocabulary = ["".join(rng.choice("abcdefghij") for _ in range(6)) for _ in range(400)]
    varied = [" ".join(rng.choices(vocabulary, k=60)) for _ in range(100)]
    dull = [" ".join(rng.choices(vocabulary[:12], k=60)) for _ in range(100)]
    a, b = compare({"varied": varied, "dull": dull})
    assert a["distinct-2"] > 3 * b["distinct-2"] and a["likeness"] < b["likeness"]


def test_too_few_words_have_no_distinct_n_and_no_texts_no_measures():
    assert distinct(["one two three"], 2) is None
    empty = measures([])
    assert empty["texts"] == 0 and empty["likeness"] is None and empty["reading ease"] is None


def test_long_words_and_sentences_are_harder():
    assert reading("It ends. It adds one.")[1] > reading("The aforementioned accumulation terminates, notwithstanding any intermediate modification.")[1]
    assert reading("`x`\n\n`y`") is not None and reading("12 + 3") is not None and reading("…") is None
    assert words("It isn't `so`.") == ["it", "isn't", "x"]
