"""The report: its numbers, and the page in a real browser (keyboard, links between claims, steps and lines, contrast, no network)."""
import json
import re
import shutil

import pytest

from verified_code_cot import challenge, dataset, report
from verified_code_cot.records import InputError, Program, Rationale, Verdict, write_jsonl
from verified_code_cot.sandbox import Sandbox
from verified_code_cot.tracing import trace
from verified_code_cot.verification import verify_record

ODD = "def f(xs):\n    total = 0\n    for x in xs:\n        if x % 2 == 1:\n            total += x\n    return total"
SWAP = "def f(a, b):\n    if a < b:\n        a, b = b, a\n    return a - b"
LONG = "def f(s):\n    words = s.split()\n    return [w.upper() for w in words if len(w) > 2]  # " + "a very long line " * 12
TOLD = [
    ("odd", ODD, "f([3, 4, 15])", "18", "forward",
     "`xs` is `[3, 4, 15]`. `total` starts as `0`.\n\nFirst, `x` is `3`, and `total` becomes `3`. "
     "Next, `x` is `4`; `total` is still `3`. "
     "Last, `x` is `15`, and `total` becomes `18`.\n\nThe function returns `18`.\n\n<answer>18</answer>"),
    ("swap", SWAP, "f(12, 30)", "18", "backward",
     "At the start, `a` is `12` and `b` is `30`. `a < b` is true.\n\nThen `a` becomes `30` and `b` becomes `12`.\n\n"
     "The function returns `18`.\n\n<answer>f(12, 30)</answer>"),
    ("words", LONG, "f('to be <b>seen</b>')", "['<B>SEEN</B>']", "forward",
     "`words` becomes `['to', 'be', '<b>seen</b>']`.\n\nThe function returns `['<B>SEEN</B>']`.\n\n<answer>['<B>SEEN</B>']</answer>"),
]
FALSE = ("false", ODD, "f([3])", "3", "forward", "`total` starts as `0`. Then `total` becomes `7`.\n\nThe function returns `3`.\n\n<answer>3</answer>")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A small run: three true rationales and a false one, each with its trace and its real verdict, challenged and exported."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    programs, traces, rationales, verdicts = [], [], [], []
    with Sandbox() as box:
        for name, code, call, output, direction, text in [*TOLD, FALSE]:
            told = Rationale(id=f"{name}-0", program=name, code=code, call=call, output=output, direction=direction, style="brief", rationale=text)
            concept = "numbers" if name != "words" else "strings"
            programs.append(Program(id=name, code=code, entry_point="f", cases=[{"call": call, "output": output}], concept=concept))
            traces.append(trace(code, call, sandbox=box).model_copy(update={"id": f"{name}-0", "program": name}))
            rationales.append(told)
            verdicts.append(Verdict.model_validate(verify_record(told.to_dict(), box).to_dict()))
    assert [v.verdict for v in verdicts] == ["verified"] * 3 + ["contradicted"], [v.reason for v in verdicts]
    for name, records in [("programs", programs), ("traces", traces), ("rationales", rationales), ("verdicts", verdicts)]:
        write_jsonl(folder / "data" / f"{name}.jsonl", records)
    write_jsonl(folder / "data" / "untraced.jsonl", [{"id": "x-0", "reason": "timeout"}])
    challenge.run(folder, per_kind=1, texts=3, workers=0)
    dataset.run(folder, balance="")
    return folder


@pytest.fixture(scope="module")
def made(run_dir):
    return report.run(run_dir, examples=4, falsified=5)


@pytest.fixture(scope="module")
def html(run_dir, made):
    return (run_dir / "report.html").read_text(encoding="utf-8")


def test_the_counts_are_those_of_the_files(made):
    assert {k: made[k] for k in ("programs", "cases", "traced", "narrated", "verified", "dataset")} == {
        "programs": 4, "cases": 4, "traced": 4, "narrated": 4, "verified": 3, "dataset": 3}
    assert made["falsified"] > 0 and made["examples"] == 4 + made["falsified"]


def test_the_page_says_them_too(html):
    assert "4 programs with 4 cases became 4 rationales, of which 3 (75.0%) were verified step by step and 3 went into the dataset." in html
    assert re.search(r"<td>traced</td>\s*<td>timeout.*?<td class=\"n\">1</td>", html, re.DOTALL)
    assert re.search(r"<td>verified</td>\s*<td>false_claim.*?<td class=\"n\">1</td>", html, re.DOTALL)


def test_a_program_s_text_is_shown_and_not_run(html):
    assert "<b>seen</b>" not in html and "&lt;b&gt;seen&lt;/b&gt;" in html


def test_what_the_page_needs_is_in_it(html):
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']*""", html)
    assert "url(" not in html and "@import" not in html
    assert all(re.search(r'alt="[^"]{20,}"', tag) for tag in re.findall(r"<img[^>]*>", html)) and "<img" in html
    assert len(re.findall(r"<h1[ >]", html)) == 1


def test_every_falsified_example_says_what_was_changed(html):
    notes = re.findall(r'<p class="note">(.*?)</p>', html, re.DOTALL)
    assert notes and all("Falsified on purpose" in note and "True is:" in note for note in notes)


def test_figures_and_page_are_the_same_when_made_again(run_dir, made, html):
    before = {path.name: path.read_bytes() for path in (run_dir / "figures").iterdir()}
    assert {"funnel.png", "funnel.svg", "claims.png", "claims.svg", "challenge.png", "challenge.svg"} <= set(before)
    report.run(run_dir, examples=4, falsified=5)
    assert {path.name: path.read_bytes() for path in (run_dir / "figures").iterdir()} == before
    assert (run_dir / "report.html").read_text(encoding="utf-8") == html


def test_a_run_without_challenge_and_dataset_still_has_a_page(run_dir, tmp_path):
    shutil.copytree(run_dir / "data", tmp_path / "data")
    (tmp_path / "data" / "challenge.jsonl").unlink()
    counts = report.run(tmp_path)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "dataset" not in counts and 'id="challenge"' not in html and 'id="dataset"' not in html and 'id="examples"' in html


def test_a_folder_that_is_no_run_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match=r"rationales\.jsonl is not there"):
        report.run(tmp_path)


def test_a_damaged_line_is_named(run_dir, tmp_path):
    shutil.copytree(run_dir / "data", tmp_path / "data")
    with open(tmp_path / "data" / "challenge.jsonl", "a") as file:
        file.write("{half\n")
    with pytest.raises(InputError, match=r"challenge\.jsonl:\d+: not JSON"):
        report.run(tmp_path)


# ---------------------------------------------------------------------------------------------------------------- in a browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]

CONTRAST = """() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return {r: m[0], g: m[1], b: m[2], a: m.length > 3 ? m[3] : 1}; };
  const over = (f, b) => ({r: f.r*f.a + b.r*(1-f.a), g: f.g*f.a + b.g*(1-f.a), b: f.b*f.a + b.b*(1-f.a), a: 1});
  const lum = c => { const f = x => { x /= 255; return x <= .03928 ? x/12.92 : ((x+.055)/1.055)**2.4; }; return .2126*f(c.r) + .7152*f(c.g) + .0722*f(c.b); };
  const background = e => { const layers = []; for (; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((b, f) => over(f, b), {r: 255, g: 255, b: 255, a: 1}); };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.disabled || ['SCRIPT', 'STYLE', 'OPTION'].includes(e.tagName)) continue;
    const b = background(e), f = over(parse(getComputedStyle(e).color), b);
    const [x, y] = [lum(f), lum(b)].sort((p, q) => q - p);
    found.push({ratio: (x + .05) / (y + .05), text: e.textContent.trim().slice(0, 40), tag: e.tagName, cls: e.className});
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser():
    chromium = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield window
        window.close()


@pytest.fixture(params=[(1400, 1000), (420, 900)], ids=["wide", "narrow"])
def page(request, browser, run_dir, made):
    width, height = request.param
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.trouble = []
    opened.on("console", lambda message: opened.trouble.append(message.text))
    opened.on("pageerror", lambda error: opened.trouble.append(str(error)))
    opened.on("request", lambda request: opened.trouble.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    opened.goto((run_dir / "report.html").as_uri())
    yield opened
    assert opened.trouble == [], "console messages, errors or requests to somewhere else"
    opened.close()


def visible(page):
    return page.eval_on_selector_all("article.example", "all => all.filter(a => !a.hidden).map(a => a.id)")


def show(page, verdict):
    """Choose the first example with a verdict."""
    page.select_option("select[name=verdict]", verdict)
    (shown,) = visible(page)
    return page.locator(f"#{shown}")


def test_it_opens_with_one_example_and_does_not_scroll_sideways(page):
    assert page.title().startswith("Verified code reasoning")
    assert visible(page) == ["example-1"]
    for _ in range(page.locator("article.example").count()):
        (shown,) = visible(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"something in {shown} is wider than the window"
        page.focus(".list")
        page.keyboard.press("ArrowDown")


def test_every_text_can_be_read(page):
    show(page, "falsified")
    page.locator("article:not([hidden]) .vcc-claim").first.click()
    found = page.evaluate(CONTRAST)
    low = [item for item in found if item["ratio"] < 4.5]
    assert len(found) > 80 and low == []


def test_a_click_on_a_claim_lights_its_step_and_its_line(page):
    example = show(page, "contradicted")
    claim = example.locator(".vcc-claim.contradicted[data-step]").first
    step, line = claim.get_attribute("data-step"), claim.get_attribute("data-line")
    claim.click()
    assert example.locator(".vcc-trace .vcc-on").evaluate_all("rows => rows.map(r => r.dataset.step)") == [step]
    assert example.locator(".vcc-code .vcc-on").evaluate_all("rows => rows.map(r => r.dataset.line)") == [line]
    said = example.locator(".vcc-why").inner_text()
    assert "contradicted" in said and "7" in said


def test_hover_does_the_same_and_a_step_points_back(page):
    example = show(page, "verified")
    claim = example.locator(".vcc-claim.supported[data-step]").first
    claim.hover()
    step = claim.get_attribute("data-step")
    assert example.locator(f'.vcc-trace [data-step="{step}"].vcc-on').count() == 1
    example.locator(f'.vcc-trace tr[data-step="{step}"]').click()
    assert example.locator(f'.vcc-claim.vcc-on[data-step="{step}"]').count() >= 1


def test_a_claim_is_reached_and_opened_by_keyboard(page):
    example = show(page, "contradicted")
    page.focus("button[name=after]") if page.is_enabled("button[name=after]") else page.focus("input[name=words]")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('vcc-claim')"):
            break
    else:
        raise AssertionError("no claim is reached with Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.classList.contains('vcc-on')")
    assert example.locator(".vcc-why").inner_text().strip()[0] in "✓✗?"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "the focus can be seen"


def test_the_list_is_worked_by_arrows(page, made):
    page.focus(".list")
    page.keyboard.press("ArrowDown")
    assert visible(page) == ["example-2"] and page.url.endswith("#example-2")
    page.keyboard.press("End")
    assert visible(page) == [f"example-{made['examples']}"]
    page.keyboard.press("Home")
    assert visible(page) == ["example-1"]
    assert page.get_attribute(".list", "aria-activedescendant") == "pick-example-1"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "example-1"


def test_filters_and_search_leave_what_fits(page, made):
    page.select_option("select[name=direction]", "backward")
    kept = page.locator(".list li:not([hidden])")
    assert 0 < kept.count() < made["examples"]
    assert kept.evaluate_all("all => all.every(o => o.dataset.direction === 'backward')")
    assert page.inner_text(".filters output") == f"{kept.count()} of {made['examples']} examples"
    page.select_option("select[name=direction]", "")
    page.fill("input[name=words]", "no such words anywhere")
    assert visible(page) == [] and page.inner_text(".filters output").startswith("0 of")
    page.fill("input[name=words]", "SEEN")
    assert visible(page) and "words" in page.inner_text(".list li[aria-selected=true]")


def test_claims_differ_in_more_than_colour(page):
    example = show(page, "contradicted")
    look = example.locator(".vcc-claim").evaluate_all(
        "all => all.map(e => [e.classList[1], getComputedStyle(e).textDecorationStyle, e.querySelector('sup')?.textContent])")
    styles = {kind: (style, sign) for kind, style, sign in look if sign}
    assert len({style for style, _ in styles.values()}) == len(styles) >= 2
    assert {"supported": "✓", "contradicted": "✗", "unverifiable": "?"}.items() >= {kind: sign for kind, (_, sign) in styles.items()}.items()


def test_a_link_to_one_example_opens_it(browser, run_dir, made):
    page = browser.new_page()
    page.goto((run_dir / "report.html").as_uri() + "#example-3")
    assert visible(page) == ["example-3"]
    page.close()


def test_without_script_all_examples_are_on_the_page(browser, run_dir, made):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((run_dir / "report.html").as_uri())
    assert page.locator("article.example").count() == made["examples"]
    assert all(page.locator("article.example").nth(i).is_visible() for i in range(made["examples"]))
    context.close()


def test_the_challenge_file_is_what_the_page_shows(run_dir, html):
    rows = [json.loads(line) for line in (run_dir / "data" / "challenge.jsonl").read_text().splitlines()]
    last = challenge.kills(rows)[-1]
    cells = re.search(r'<tr class="total"><th scope="row">all</th>(.*?)</tr>', html, re.DOTALL).group(1)
    numbers = [int(n) for n in re.findall(r'class="n">(\d+)<', cells)]
    assert numbers[:2] == [last["texts"], last["claims"]]


def test_a_large_run_is_counted_whole_and_held_in_part(run_dir, monkeypatch):
    whole = report.read_run(run_dir)
    monkeypatch.setattr(report, "WHOLE", 2)
    sparing = report.read_run(run_dir)
    shown = {row["original"] for row in whole.challenge}
    assert all(isinstance(r, report.Told) != (n < 2 or r.id in shown) for n, r in enumerate(sparing.rationales))
    assert any(isinstance(v, report.Judged) for v in sparing.verdicts) and not any(isinstance(v, report.Judged) for v in whole.verdicts)
    for count in (report.told_table, report.lost_table, report.funnel, lambda run: run.claims):
        assert count(sparing) == count(whole)
    assert [note for *_, note in report.falsified_again(sparing, 2)] == [note for *_, note in report.falsified_again(whole, 2)]
