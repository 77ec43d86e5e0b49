"""The executed copy of a hand-in, which a person opens, and the findings of honest notebooks."""

import json
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
from conftest import require
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from svhn.errors import SVHNError
from svhn.grading.rerun import execute_hand_in
from svhn.grading.staging import bare_notebook, find_notebook, harmless_copy
from svhn.sandbox.bubblewrap import sandbox_problem
from svhn.sandbox.inside import stand_in
from svhn.sandbox.inside.outputs import clean_markdown, clean_output
from svhn.sandbox.watch import Limits

ACTIVE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<div\n\nonclick=alert(1)>x</div>",
    "<style>@import url(http://e.example)</style>",
    "<!--",
    "![a](http://e.example/a.png)",
    "![a](attachment:a.svg)",
    "[a](javascript:alert(1))",
    "[a]: http://e.example\n\n[a]",
    "see http://e.example/x or www.e.example or mail@e.example",
    "<http://e.example>",
    "&lt;script&gt; &#60;script&#62;",
    r"$\style{background:url(http://e.example)}{x}$",
    r"\\(\href{javascript:alert(1)}{x}\\)",
    "~~~\n<script>alert(1)</script>\n~~~",
    "~~~~~~\n\n<script>alert(2)</script>",
    '```mermaid\ngraph LR; click A href "http://e.example"\n```',
    "a\n\n~~~\n<b onclick=alert(1)>",
    "text \\\n\n<b onmouseover='x'>",
    "| a | b |\n|---|---|\n| 1 | <i onclick=x> |",
    "\t<script>alert(1)</script>",
    "- a\n\n      <script>x</script>",
    "\r<script>x</script>\r\r![](http://e.example)",
    "\x1b]8;;http://e.example\x1b\\link\x1b]8;;\x1b\\",
]


class Elements(HTMLParser):
    """The elements of a page that run, fetch or link to something."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attributes):
        kinds = ("src", "href", "srcset", "style", "action", "data", "poster", "xlink:href", "background")
        if tag in ("script", "iframe", "object", "embed", "link", "style", "svg", "base", "meta", "form", "img"):
            self.found.add((tag, *attributes))
        for name, value in attributes:
            # A heading links to itself.
            if (name.startswith("on") or name in kinds) and not (value or "").startswith("#"):
                self.found.add((tag, name, value))


def elements(notebook, **options):
    parser = Elements()
    parser.feed(HTMLExporter(**options).from_notebook_node(notebook)[0])
    return parser.found


@pytest.mark.parametrize("template", ["lab", "classic", "basic"])
def test_nothing_in_the_executed_copys_page_runs_or_fetches(template, tmp_path):
    cells = [make(text) for make in (new_markdown_cell, new_raw_cell, new_code_cell) for text in ACTIVE]
    for cell in cells:
        cell.metadata["tags"] = ["parameters", 'x"><script>alert(1)</script>', "a' onclick='alert(1)"]
        cell.metadata["raw_mimetype"] = "text/html"
    path = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    notebook = harmless_copy(bare_notebook(path))
    outputs = [{"output_type": "stream", "text": text} for text in ACTIVE]
    outputs += [{"output_type": "display_data", "data": {"text/plain": text, "text/html": text}} for text in ACTIVE]
    outputs += [{"output_type": "error", "ename": text, "evalue": text, "traceback": [text]} for text in ACTIVE]
    notebook.cells[-1].outputs = [nbformat.from_dict(clean_output(output)) for output in outputs]
    nbformat.validate(notebook)
    own = elements(new_notebook(), template_name=template)
    assert elements(notebook, template_name=template) - own == set()
    # The same texts as handed in do run: the check above can fail.
    as_handed_in = [cell for cell in cells if "attachment:" not in cell.source]  # nbconvert refuses those.
    assert elements(new_notebook(cells=as_handed_in), template_name=template) - own


def test_plain_words_stay_markdown_and_nothing_of_the_others_is_lost():
    text = "# Question 1.1: A *network* (4 points)\n\n- one\n- two\n\na < b\n\nlast"
    cleaned = clean_markdown(text)
    assert cleaned == "# Question 1.1: A *network* (4 points)\n\n- one\n- two\n\n~~~text\na < b\n~~~\n\nlast"
    for active in ACTIVE:
        lines = [line for line in active.replace("\r", "\n").splitlines() if line.strip()]
        assert [line for line in clean_markdown(active).splitlines() if line.strip() in map(str.strip, lines)]


@pytest.mark.parametrize(
    "tags", [["parameters", "parameters"], ["", "parameters"], ["parameters", "a,b"], ["parameters", 3, None, ["x"]]]
)
def test_odd_tags_are_left_out_and_the_others_kept(tags, tmp_path):
    path = tmp_path / "a.ipynb"
    notebook = new_notebook(cells=[new_code_cell("1")])
    notebook.cells[0].metadata["tags"] = tags
    path.write_text(json.dumps(notebook))
    bare = bare_notebook(path)
    nbformat.validate(bare)
    assert bare.cells[0].metadata.tags == ["parameters"]


@pytest.mark.parametrize("text", ["a\ud800b", "a\udc80b", "a\udfffb"])
def test_half_a_surrogate_pair_is_one_character_of_an_output(text):
    for output in (
        {"output_type": "stream", "text": text},
        {"output_type": "error", "ename": text, "evalue": text, "traceback": [text]},
        {"output_type": "display_data", "data": {"text/plain": text}},
    ):
        assert "a?b" in json.dumps(clean_output(output))


@pytest.fixture
def digits(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(20) % 10
    np.savez(tmp_path / "digits.npz", X=images, y=labels)
    monkeypatch.setenv("SVHN_DATA", str(tmp_path / "digits.npz"))
    return images, labels


def test_openmls_data_set_is_the_digits_at_hand_in_every_form(digits):
    images, labels = digits
    rows, classes = images.reshape(20, -1), (labels + 9) % 10
    data = stand_in.get_dataset(41081)
    X, y, categorical, names = data.get_data(dataset_format="array", target=data.default_target_attribute)
    assert np.array_equal(X, rows) and np.array_equal(y, classes) and len(names) == len(categorical) == 3072
    whole, nothing, _, names = data.get_data(dataset_format="array")
    assert whole.shape == (20, 3073) and nothing is None and names[-1] == "class"
    X, y, _, _ = data.get_data(target="class")
    assert np.array_equal(X.to_numpy(), rows) and list(y.astype(int)) == list(classes)
    X, y = stand_in.fetch_openml(data_id=41081, return_X_y=True, as_frame=False)
    assert np.array_equal(X, rows) and list(y.astype(int)) == list(classes)
    assert np.array_equal(stand_in.fetch_openml("SVHN").data.to_numpy(), rows)
    for fetch in (lambda: stand_in.get_dataset(554), lambda: stand_in.fetch_openml("mnist_784")):
        with pytest.raises(ConnectionError, match="only data set 41081 is here"):
            fetch()


def run(folder, *cells):
    require(not sandbox_problem(), sandbox_problem())
    (folder / "hand-in").mkdir()
    nbformat.write(new_notebook(cells=list(cells)), folder / "hand-in/a.ipynb")
    result = vars(execute_hand_in(folder / "hand-in", folder / "out", Limits(seconds=600, memory=1 << 30)))
    executed = nbformat.read(folder / "out/executed.ipynb", as_version=4)
    nbformat.validate(executed)
    return result, executed


def test_an_honest_notebook_of_the_course_runs(digits, tmp_path):
    result, executed = run(
        tmp_path,
        new_raw_cell("notes"),
        new_code_cell(
            "import openml as oml\nSVHN = oml.datasets.get_dataset(41081)\n"
            "X, y, _, _ = SVHN.get_data(dataset_format='array', target=SVHN.default_target_attribute)"
        ),
        new_code_cell("from sklearn.datasets import fetch_openml\nprint(fetch_openml(data_id=41081).data.shape)"),
        new_code_cell("print(X.reshape(-1, 32, 32, 3).shape)\nprint('a' + chr(0xd800) + 'b')\n'c' + chr(0xdc80) + 'd'"),
    )
    assert result["findings"] == [] and result["ran"]
    shown = str([cell.get("outputs") for cell in executed.cells])
    assert "(20, 3072)" in shown and "(20, 32, 32, 3)" in shown and "a?b" in shown
    assert "Instead of OpenML's data set 41081: 20 real SVHN digits" in shown


def test_what_follows_from_one_failure_is_one_finding(digits, tmp_path):
    fails = "import urllib.request\nX = urllib.request.urlopen('http://192.0.2.1/x').read()"
    followers = ["Z = X[0]", "print(Z)", "print(X)", "W = X + Z", "print(W)"]
    result, _ = run(tmp_path, *map(new_code_cell, [fails, *followers, "print(never_defined)", "print('fine')"]))
    faults = [line for line in result["findings"] if line.startswith("code cell")]
    assert len(faults) == 2 and not result["ran"], result["findings"]
    assert "code cell 1 failed with URLError" in faults[0] and "no network" in faults[0]
    assert "missing in code cell 2, code cell 3, code cell 4 and 2 more" in faults[0]
    assert "code cell 7 failed with NameError" in faults[1] and "missing" not in faults[1]


@pytest.mark.parametrize(
    ("notebooks", "chosen"),
    [
        ({"Assignment3.ipynb": "x = 1", "mine.ipynb": "answer_q_1_1 = 'Yes.'"}, "mine.ipynb"),
        ({"a.ipynb": "answer_q_1_1 = 'Yes.'", "a-Copy1.ipynb": "answer_q_1_1 = 'No.'"}, "a.ipynb"),
        ({"Assignment3.ipynb": "x = 1", "try.ipynb": "y = 2"}, "Assignment3.ipynb"),
        ({"a.ipynb": "x = 1", "b.ipynb": None, "c.ipynb": None}, "a.ipynb"),
        ({"work/a.ipynb": "x = 1", "work/b.ipynb": "answer_q_1_1 = 'Yes.'", "z/c.ipynb": "x = 1"}, "work/b.ipynb"),
        ({"a.ipynb": "x = 1", "b.ipynb": "y = 2"}, None),
    ],
)
def test_of_several_notebooks_the_one_that_is_graded_is_executed(notebooks, chosen, tmp_path):
    for name, source in notebooks.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = "no notebook" if source is None else nbformat.writes(new_notebook(cells=[new_code_cell(source)]))
        (tmp_path / name).write_text(text, encoding="utf-8")
    if chosen is None:
        with pytest.raises(SVHNError, match=r"several notebooks \(a.ipynb, b.ipynb\), and it is not clear which"):
            find_notebook(tmp_path)
        return
    path, (finding,) = find_notebook(tmp_path)
    assert path == tmp_path / chosen and finding.endswith(f": {path.name} was executed")
