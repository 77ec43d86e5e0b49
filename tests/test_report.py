"""The report: what it makes of an executed notebook, on a screen, on a phone, on paper and as plain text."""

import base64
import io
import re
import shutil

import nbformat
import pytest
from conftest import require
from PIL import Image

from svhn.errors import SVHNError
from svhn.notebook.report import blocks_of, read_sections, write_report

# As Keras prints it in 60 columns: a long name is broken over two lines.
SUMMARY = """Success!
Model: "model_1_1"
┏━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━┓
┃ Layer (type)         ┃ Output Shape  ┃   Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩
│ flatten (Flatten)    │ (None, 3072)  │         0 │
├──────────────────────┼───────────────┼───────────┤
│ block1_batchnorm     │ (None, 1152)  │     4,608 │
│ (BatchNormalization) │               │           │
└──────────────────────┴───────────────┴───────────┘
 Total params: 4,608 (18.00 KB)
"""
LONG = "Accuracy of the stored file: " + ", ".join(f"part {i} 90.00% of 1,000" for i in range(9))
ANSWER = " ".join(f"word{i}" for i in range(60))


SHOWN = {"image/png": {"alt": "Two curves that meet", "width": 640}}


def png():
    content = io.BytesIO()
    Image.new("RGB", (1400, 300), "grey").save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def code(source, tags, *outputs):
    return nbformat.v4.new_code_cell(source, metadata={"tags": tags}, outputs=list(outputs), execution_count=1)


def printed(text):
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def plot(**metadata):
    data = {"image/png": png(), "text/plain": "<Figure size 1400x300>"}
    return nbformat.v4.new_output("display_data", data, metadata=metadata)


def caption(text):
    return nbformat.v4.new_output("display_data", {"text/plain": text}, metadata={"caption": True})


def heading(number, title):
    return nbformat.v4.new_markdown_cell(f"### Question {number}: {title} (4 points)\nDo it.")


@pytest.fixture
def notebook():
    answer = nbformat.v4.new_output("display_data", {"text/plain": ANSWER})
    cells = [
        code("", ["run", "versions"], printed("Student: A (1)\nkeras 3")),
        heading("1.1", "Baseline model"),
        code("", ["run", "model_1_1"], printed(SUMMARY + LONG), plot()),
        code("", ["run", "curves"], plot(**SHOWN), caption("Two curves that meet")),
        code("", ["answer"], answer),
        heading("1.2", "Preprocessing"),
        code("", ["run", "model_1_2"]),
        code("", ["answer"]),
    ]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def report(notebook, tmp_path):
    def write(note=None):
        page, text = write_report(notebook, tmp_path, "Title", "2026-01-01", note)
        return page, page.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")

    return write


def test_a_model_s_summary_becomes_a_table_whose_broken_names_are_whole():
    before, table, after = blocks_of(SUMMARY)
    assert before.text == 'Success!\nModel: "model_1_1"' and "Total params" in after.text
    assert table.rows == (
        ("Layer (type)", "Output Shape", "Param #"),
        ("flatten (Flatten)", "(None, 3072)", "0"),
        ("block1_batchnorm(BatchNormalization)", "(None, 1152)", "4,608"),
    )


def test_text_without_a_summary_stays_as_it_is():
    (block,) = blocks_of("a  b\n\n1  2")
    assert block.text == "a  b\n\n1  2\n" and block.columns == 4
    assert blocks_of(" \n") == []


def test_a_long_sentence_makes_no_table_smaller():
    (block,) = blocks_of("name        share\n" + "word " * 40)
    (alone,) = blocks_of("word " * 40)
    assert block.columns == alone.columns == 60 and blocks_of("1  2 " * 40)[0].columns == 200


def test_what_is_still_open_is_said_where_it_is_missing(notebook, report):
    assert next(section.open for section in read_sections(notebook)) == []
    _, page, text = report()
    assert "Still open: 1.2" in page and "Still open: 1.2" in text
    part = text[text.index("Answer 1.2") :]
    assert "no written answer yet" in part and "put nothing out yet" in part
    assert "Open:" not in text[: text.index("Answer 1.2")]


def test_an_untouched_assignment_has_a_report_and_one_never_executed_has_none(notebook, tmp_path):
    for cell in notebook.cells[1:]:
        if cell.cell_type == "code":
            cell.outputs = []
    write_report(notebook, tmp_path, "Title", "2026-01-01")
    assert "Still open: 1.1, 1.2" in (tmp_path / "Submission.txt").read_text(encoding="utf-8")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
    with pytest.raises(SVHNError, match="make run"):
        write_report(notebook, tmp_path, "Title", "2026-01-01")


def test_each_answer_says_where_the_digits_are_others(report):
    note = "The answers speak of other digits."
    _, page, text = report(note)
    assert re.search(rf"<blockquote>{ANSWER}<footer>{note}</footer></blockquote>", page)
    assert f"({note})" in text[text.index("Answer 1.1") :]
    _, page, text = report()
    assert "<footer>" not in page and note not in text


def test_plain_text_wraps_answers_and_names_the_plots(report):
    _, page, text = report()
    assert max(map(len, text.splitlines())) <= 100 and " ".join(LONG.split()) in " ".join(text.split())
    assert " ".join(line for line in text.splitlines() if "word" in line) == ANSWER
    assert "[plot: figures/model_1_1.png, Learning curves of model_1_1" in text
    assert "│ block1_batchnorm     │ (None, 1152)  │     4,608 │" in text
    assert "[plot: figures/curves.png, Two curves that meet]" in text
    assert 'alt="Two curves that meet" width="640"' in page and 'alt=""' not in page


def test_the_words_below_a_plot_are_shown_once(report):
    _, page, text = report()
    assert page.count(">Two curves that meet<") == 1 and text.count("Two curves that meet") == 1


@pytest.fixture
def browser():
    driver = shutil.which("chromedriver")
    require(driver, "no chromium with its driver is installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(report, browser, width):
    page, _, _ = report("The answers speak of other digits.")
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(page.as_uri())
    wider = """return [...document.querySelectorAll("body *")].filter((one) =>
        one.getBoundingClientRect().right > innerWidth + 1 || (getComputedStyle(one).display !== "inline"
            && one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1)).map((one) => one.outerHTML)"""
    assert browser.execute_script(wider) == []
    assert browser.execute_script("return document.body.innerText").count("4,608") >= 2


def test_the_head_says_on_which_digits_and_in_what_networks_compute(notebook, report):
    said = "8,001 real SVHN digits (a.npz)\ntraining 5, validation 2, test 1\nNetworks compute in bfloat16\n"
    notebook.cells.insert(1, code("", ["run", "digits"], printed(said)))
    _, page, text = report()
    assert text.splitlines()[2:5] == [
        "Student: A (1)",
        "8,001 real SVHN digits (a.npz)",
        "Networks compute in bfloat16",
    ]
    assert "Networks compute in bfloat16" in page and "training 5" not in text
