"""Hand-ins as people make them: other names, other words, other forms; each kind over many inputs made here."""

import collections
import io
import json
import os
import pickle
import shutil
import tarfile
import unicodedata
import zipfile

import nbformat
import numpy as np
import pandas as pd
import pytest

from svhn.errors import SVHNError
from svhn.files import only_one, temporary_folder, write_json, write_text
from svhn.grading.facts import LastModified, Student
from svhn.grading.handins import find_handins, opened
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.curves import check_curves, read_curves
from svhn.grading.reading.names import file_name, model_of
from svhn.grading.texts import read_written
from svhn.sandbox.process import Refused

CURVE = [0.2, 0.4, 0.6]
CURVES = {"loss": [2.0, 1.0, 0.5], "accuracy": CURVE, "val_loss": [2.0, 1.5, 1.0], "val_accuracy": CURVE}


def notebook(path, *cells):
    """Strings are code cells; pairs are a cell's type, its source and, where there is a third, what it printed."""
    made = []
    for cell in cells:
        kind, source, *text = ("code", cell) if isinstance(cell, str) else cell
        outputs = [{"output_type": "stream", "name": "stdout", "text": item} for item in text]
        made.append(
            {"cell_type": kind, "source": source, "metadata": {}} | ({"outputs": outputs} if kind == "code" else {})
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def said_in(tmp_path, *cells, **files):
    """What a notebook and written files say."""
    written = []
    for name, content in files.items():
        written.append(tmp_path / f"{name}.py")
        written[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_written([notebook(tmp_path / "Assignment 3.ipynb", *cells)], written)


class TestNotebookSyntax:
    @pytest.mark.parametrize(
        "before",
        ["%%time", "%%time\n", "%%timeit -n 1", "%%capture out", "%%capture\n%%time", "\n\n%%time",
         "%matplotlib inline",
         "files = !ls models", "!pip install -q \\\n   keras \\\n   h5py", "?plt.plot", "plt.plot?", "x = %who_ls",
         "%load_ext autoreload\n%autoreload 2", "%env A=1\n!cd .. && ls", "%%time\n!ls\n%pwd"],
    )  # fmt: skip
    def test_answers_beside_what_only_ipython_understands_are_read(self, tmp_path, before):
        found = said_in(tmp_path, f"{before}\nanswer_q_1_1 = 'Read.'\nanswer_q_1_2 = '''Line one,\n% and two?'''")
        assert found.answers["1.1"].text == "Read."
        assert found.answers["1.2"].text == "Line one,\n% and two?"
        assert not [line for line in found.findings if "Python" in line]

    @pytest.mark.parametrize(
        "cell",
        ["  answer_q_1_1 = 'Read.'", "    %matplotlib inline\n    answer_q_1_1 = 'Read.'",
         "if True:\n    answer_q_1_1 = 'Read.'",
         "if False:\n    answer_q_1_1 = 'Not this.'\nelse:\n    answer_q_1_1 = 'Read.'",
         "try:\n    answer_q_1_1 = 'Read.'\nexcept Exception:\n    answer_q_1_1 = ''",
         "with open('x') as file:\n    if file:\n        answer_q_1_1 = 'Read.'",
         "for i in range(3):\n    answer_q_1_1 = 'Read.'", "answer_q_1_1 = 'Read.'\ndef broken(:\n    pass",
         "def broken(:\nanswer_q_1_1 = ('Re'\n  'ad.')", "[answer_q_1_1, x] = ['Read.', 3]",
         "def f():\n    answer_q_1_1 = 'Inside.'\nanswer_q_1_1 = 'Read.'"],
    )  # fmt: skip
    def test_answers_in_blocks_and_in_cells_that_are_broken_elsewhere_are_read(self, tmp_path, cell):
        assert said_in(tmp_path, cell).answers["1.1"].text == "Read."

    @pytest.mark.parametrize(
        "cell", ["answer_q_1_1 = 'not closed", "answer_q_1_1 = (((\n'a'", "answer_q_1_1 = 'a' 5 'b'"]
    )
    def test_what_cannot_be_read_is_named_with_its_cell_and_not_called_missing(self, tmp_path, cell):
        found = said_in(tmp_path, "x = 1", cell)
        assert any("answer_q_1_1 (Assignment 3.ipynb, cell 2) cannot be read" in line for line in found.findings)
        assert not any("missing" in line and "answer_q_1_1" in line for line in found.findings)
        assert "cell 2" in found.no_answer["1.1"]

    @pytest.mark.parametrize(
        "cell",
        ["def f():\n    global answer_q_1_1\n    answer_q_1_1 = 'Set.'\nf()", "class A:\n    answer_q_1_1 = 'Set.'",
         "globals()['answer_q_1_1'] = 'Set.'", "def answer_q_1_1():\n    return 'Set.'",
         "setattr(answers, 'answer_q_1_1', 'Set.')",
         "from texts import answer_q_1_1", "answers = {'1.1': f'Set {x}.'}",
         "print(answer_q_1_1 := 'Set.')", "*_, answer_q_1_1 = 1, 'Set.'", "for answer_q_1_1 in ['Set.']:\n    pass",
         "async def f():\n    globals()['answer_q_1_1'] = 'Set.'"],
    )  # fmt: skip
    def test_what_is_set_out_of_sight_is_computed_and_not_missing(self, tmp_path, cell):
        found = said_in(tmp_path, "\ufeffx = 1", cell, "show_answer(answers.answer_q_1_2)")
        assert "1.1" not in found.answers and "computed" in found.no_answer["1.1"]
        assert any("answer_q_1_1 (Assignment 3.ipynb, cell 2) is computed" in line for line in found.findings)
        assert found.no_answer["1.2"] == "it is missing" and not [x for x in found.findings if "Python" in x]

    def test_other_magics_hold_no_python_and_nothing_is_run(self, tmp_path):
        marker = tmp_path / "ran"
        found = said_in(
            tmp_path,
            f"%%bash\ntouch {marker}\nanswer_q_1_1 = 'no'",
            f"!touch {marker}",
            f"%run {marker}",
            "%%html\n<b>'</b>",
        )
        assert found.answers == {} and not marker.exists()
        assert not [line for line in found.findings if "Python" in line]

    def test_a_sum_of_thousands_of_texts_takes_nothing_else_with_it(self, tmp_path):
        found = said_in(
            tmp_path,
            "answer_q_1_1 = 'One.'",
            "answer_q_1_2 = " + "+".join(["'a'"] * 1500),
            "answer_q_1_3 = " + "(" * 3000 + ")" * 3000,
        )
        assert found.answers["1.1"].text == "One." and found.answers["1.2"].characters == 1500

    def test_countless_broken_cells_are_cut_and_counted(self, tmp_path):
        found = said_in(tmp_path, *["def broken(:"] * 5000)
        assert len(found.findings) < 100 and any("more findings" in line for line in found.findings)

    @pytest.mark.parametrize("version", [2, 3])
    def test_notebooks_of_old_formats_are_read(self, tmp_path, version):
        cells = [
            {"cell_type": "heading", "level": 2, "source": "Question 4.2"},
            {"cell_type": "code", "input": ["answer_q_4_2 = 'Old.'"], "outputs": [
                {"output_type": "stream", "stream": "stdout", "text": "test accuracy: 0.81\n"}]},
        ]  # fmt: skip
        path = tmp_path / "a.ipynb"
        path.write_text(json.dumps({"nbformat": version, "worksheets": [{"cells": cells}]}), encoding="utf-8")
        found = read_written([path], [])
        assert (found.answers["4.2"].text, found.evaluation_4_2) == ("Old.", 0.81)


class TestWhereAnswersStand:
    TEXT = "I chose three layers, for that is enough."
    QUESTION = ("markdown", "### Question 1.1: Baseline model (4 points)\nBuild a dense network.")

    @pytest.mark.parametrize(
        "name",
        ["ANSWER_Q_1_1", "answer_1_1", "answerQ1_1", "answer11", "Answer_Q1_1", "q1_1_answer", "q_11_ans", "ans_1_1",
         "answer_question_1_1", "answer_q_1_1_final", "my_answer_1_1", "antwoord_1_1", "answers['1.1']", "answers[1.1]",
         "answers['q_1_1']", "ANSWERS['answer_q_1_1']", "answers.q_1_1", "answer_q_1_1: Final[str]"],
    )  # fmt: skip
    def test_under_names_of_people_s_own(self, tmp_path, name):
        assert said_in(tmp_path, f"{name} = {self.TEXT!r}").answers["1.1"].text == self.TEXT

    @pytest.mark.parametrize(
        "cell",
        ["answers = {{'1.1': {0}, '1.2': ''}}", "answers = {{1.1: {0}}}", "my_answers = dict(q_1_1={0})",
         "%%writefile answers.py\nanswer_q_1_1 = {0}", "%%file 'answers.py'\nanswer_q_1_1 = {0}",
         "answer_q_1_1 = {0},", "answer_q_1_1 = [{0}]", "answer_q_1_1 = str({0})", "answer_q_1_1 = b{0}",
         "answer_q_1_1 = f{0}", "answer_q_1_1 = {0}.replace('\\n', ' ')", "answer_q_1_1 = ' '.join({0}.split())",
         "answer_q_1_1 = ''\nanswer_1_1 = {0}", "answer_q_1_1 = {0} #@param {{type: 'string'}}",
         "print 'x'\nanswer_q_1_1 = {0}"],
    )  # fmt: skip
    def test_in_forms_of_people_s_own(self, tmp_path, cell):
        assert said_in(tmp_path, cell.format(repr(self.TEXT))).answers["1.1"].text == self.TEXT

    @pytest.mark.parametrize(
        "text",
        ["## Answer 1.1\n{0}", "**Answer 1.1:** {0}", "Answer 1.1: {0}", "#### Answer\n\n{0}", "**Answer:** {0}",
         "_Answer_: {0}", "### My answer to question 1.1 (4p)\n{0}", "> Answer: {0}", "Antwoord 1.1\n{0}",
         "<div class='alert'><b>Answer 1.1</b><br>{0}</div>"],
    )  # fmt: skip
    @pytest.mark.parametrize("form", ["markdown", "raw", "magic", "after an empty variable", "in two cells"])
    def test_under_a_label(self, tmp_path, text, form):
        text = text.format(self.TEXT)
        cells = {
            "markdown": [("markdown", text)],
            "raw": [("raw", text)],
            "magic": [f"%%markdown\n{text}"],
            "after an empty variable": ["answer_q_1_1 = ''", ("markdown", text)],
            "in two cells": [("markdown", part) for part in text.rsplit("\n", 1)],
        }[form]
        found = said_in(tmp_path, self.QUESTION, "x = 1", *cells, "y = 1", ("markdown", "Something else."))
        assert found.answers["1.1"].text == self.TEXT and not any("answer_q_1_1" in line for line in found.findings)

    @pytest.mark.parametrize(
        "cell",
        [("raw", "answer_q_1_1 = {0}"), ("markdown", "```\nanswer_q_1_1 = {0}\n```"), ("markdown", "{0}"),
         ("markdown", "## 1.1 My network\n{0}"), ("markdown", "# Q1.1\n{0}"),
         "# answer_q_1_1 = {0}", "# Answer 1.1: {0}", '"""Answer 1.1:""" {0}', "print('Answer 1.1:', {0})",
         "%%bash\nanswer_q_1_1={0}", "%%script false\nanswer_q_1_1={0}", "%%html\n<b>Answer 1.1:</b> {0}",
         "exec('answer_q_1_1 = {0}')", "answers = [{0}, '', '']", "answer = {0}",
         "answer_1_1_a = {0}; answer_1_1_b = 'No.'"],
    )  # fmt: skip
    def test_what_may_be_one_is_named_and_not_called_missing(self, tmp_path, cell):
        text = repr(self.TEXT)
        cell = cell.format(text) if isinstance(cell, str) else (cell[0], cell[1].format(text))
        found = said_in(tmp_path, self.QUESTION, "x = 1", cell)
        assert "1.1" not in found.answers and "missing" not in found.no_answer["1.1"]
        assert any("answer_q_1_1" in line and "read" in line for line in found.findings)
        assert not any("missing" in line and "answer_q_1_1" in line for line in found.findings)

    @pytest.mark.parametrize(
        "cell",
        ["show_answer(answers.answer_q_1_1)", "answer_q_1_1_length = 5", "answers = {}", "%%writefile notes.txt\n((",
         ("markdown", "**1.1, explanation, 2 points, marked by a person:** the written answer above.")],
    )  # fmt: skip
    def test_what_is_none_is_missing(self, tmp_path, cell):
        found = said_in(tmp_path, self.QUESTION, "x = 1", cell)
        assert found.no_answer["1.1"] == "it is missing" and not any("Python" in line for line in found.findings)

    @pytest.mark.parametrize("blank", ["answer_q_1_1 = ''", "answer_q_1_1 = 'Your answer'", "ANSWER_1_1 = None"])
    def test_a_blank_variable_beside_a_text_of_no_label_is_not_called_empty(self, tmp_path, blank):
        found = said_in(tmp_path, self.QUESTION, blank, ("markdown", self.TEXT))
        assert "cell 3" in found.no_answer["1.1"] and "1.1" not in found.answers
        assert not any("is empty" in line or "placeholder" in line for line in found.findings)

    @pytest.mark.parametrize("value", ["None", "...", "''"])
    def test_what_a_template_sets_is_empty(self, tmp_path, value):
        found = said_in(tmp_path, f"answer_q_1_1 = {value}", ("markdown", "## Answer 1.1\n_Your answer here_"))
        assert found.answers["1.1"].characters == 0 and any("is empty" in line for line in found.findings)


class TestSeveralNotebooks:
    ANSWERS = "answer_q_1_1 = 'Three layers.'"

    @pytest.mark.parametrize(
        "others",
        [{"Scratch.ipynb": "import numpy"}, {"Assignment 3-Copy1.ipynb": ANSWERS}, {"Assignment3.ipynb": "x = 1"},
         {"Assignment 3-Copy1.ipynb": "answer_q_1_1 = 'An old draft.'"}, {"z.ipynb": "answer_q_1_1 = 'Your answer'"}],
    )  # fmt: skip
    def test_the_one_with_the_answers_is_read_and_named(self, tmp_path, others):
        paths = [notebook(tmp_path / "Assignment 3.ipynb", self.ANSWERS)]
        paths += [notebook(tmp_path / name, source) for name, source in others.items()]
        found = read_written(sorted(paths), [])
        assert found.answers["1.1"].text == "Three layers."
        assert any("only Assignment 3.ipynb was read" in line for line in found.findings)

    def test_where_that_is_unclear_nothing_else_is_said(self, tmp_path):
        paths = [notebook(tmp_path / f"{name}.ipynb", f"answer_q_1_1 = '{name}'") for name in ("a", "b")]
        found = read_written(paths, [])
        (line,) = found.findings
        assert "it is not clear which" in line and "2 notebooks" in line
        assert all("not clear" in why for why in found.no_answer.values()) and found.answers == {}

    def test_an_unreadable_one_says_nothing_of_what_may_be_in_it(self, tmp_path):
        (tmp_path / "a.ipynb").write_text("{")
        (line,) = read_written([tmp_path / "a.ipynb"], []).findings
        assert "not a readable notebook" in line


class TestWords:
    @pytest.mark.parametrize(
        "text",
        ["Your answer", "your answer here", " ... ", "TODO", "Not done", "YOUR ANSWER HERE", "type your answer here",
         "-", "n/a", "<your answer>", "Answer", "Please write your answer here."],
    )  # fmt: skip
    def test_what_the_template_left_is_unanswered(self, tmp_path, text):
        found = said_in(tmp_path, f'answer_q_1_1 = """\n   {text}\n """')
        assert found.answers == {} and "placeholder" in found.no_answer["1.1"]

    @pytest.mark.parametrize(
        "text", ["Not done yet, for the dense network overfits.", "None of them helps.", "No.", "7"]
    )
    def test_a_short_answer_is_one(self, tmp_path, text):
        assert said_in(tmp_path, f"answer_q_1_1 = {text!r}").answers["1.1"].text == text

    @pytest.mark.parametrize(
        ("cells", "name", "number"),
        [
            (["your_name = 'LAST_NAME, FIRST_NAME'\nstudent_id = 'YOUR_ID'"], None, None),
            (["your_name = 'Doe, Jane'\nstudent_id = 0012345"], "Doe, Jane", "0012345"),
            (
                ["student_1 = 'Jane Doe 1234567'\nstudent_2 = 'Rick Roe 7654321'"],
                "Jane Doe; Rick Roe",
                "1234567; 7654321",
            ),
            (["member_1 = 'Jane Doe'\nmember_id_1 = '1234567'"], "Jane Doe", "1234567"),
            ([("markdown", "**Name:** Jane Doe\n\n**Student ID:** 1234567")], "Jane Doe", "1234567"),
            ([("markdown", "# Assignment 3\n- Name: Jane Doe (1234567)")], "Jane Doe", "1234567"),
            ([("markdown", "Author: Jane Doe, student number 0123456")], "Jane Doe", "0123456"),
            (["your_name = 'Doe, Jane, 1234567'"], "Doe, Jane", "1234567"),
            (["NAME = 'Jane Doe'\nSTUDENT_ID = 1234567"], "Jane Doe", "1234567"),
            (["studentName = 'Jane Doe'; studentId = '1234567'"], "Jane Doe", "1234567"),
            (["student = {'name': 'Jane Doe', 'id': '1234567'}"], "Jane Doe", "1234567"),
            (
                ["names = ['Jane Doe', 'Rick Roe']\nstudent_ids = [1234567, 7654321]"],
                "Jane Doe; Rick Roe",
                "1234567; 7654321",
            ),
            (
                [("markdown", "**Members:** Jane Doe (1234567), Rick Roe (7654321)")],
                "Jane Doe; Rick Roe",
                "1234567; 7654321",
            ),
            ([("markdown", "| Name | Jane Doe |\n|---|---|\n| Student number | 1234567 |")], "Jane Doe", "1234567"),
            ([("markdown", "Naam: Jane Doe\nStudentnummer: 1234567")], "Jane Doe", "1234567"),
            (["your_name = '''Jane\nDoe'''"], "Jane Doe", None),
            (["name = 'model_1_1'", "name = 'block1_conv'", "name = 'frozen'"], None, None),
        ],
    )
    def test_names_and_numbers_as_people_write_them(self, tmp_path, cells, name, number):
        assert said_in(tmp_path, *cells).student == Student(name=name, id=number)

    @pytest.mark.parametrize(
        ("printed", "share"),
        [
            ("Accuracy: 0.8432\n", 0.8432),
            ("\x1b[91mEvaluation: 0.8432\x1b[0m\n", 0.8432),
            ("Test accuracy = 84.32 %\n", 0.8432),
            ("Validation accuracy: 0.8511\nAccuracy on the test set: 0.8432\n", 0.8432),
            ("The accuracy of the pipeline on test data is 0.8432.\n", 0.8432),
            ("0.8432\n", 0.8432),
            ("score 0.8432", 0.8432),
            ("test_acc 0.8432", 0.8432),
            ("Evaluation: 0,8432", 0.8432),
            ("Evaluation: 84,32 %", 0.8432),
            ("Evaluation: np.float64(0.8432)", 0.8432),
            ("accuracy on 1,000 test digits: 0.8432", None),
            ("Evaluation: 8432", None),
            ("accuracy 0.81\naccuracy 0.82\n", None),
            ("15 neighbours, 512 numbers each\n", None),
        ],
    )
    def test_the_accuracy_of_4_2_in_other_words(self, tmp_path, printed, share):
        found = said_in(
            tmp_path,
            ("code", "x", "Accuracy: 0.5\n"),
            ("markdown", "### Question 4.2"),
            ("code", "evaluate()", printed),
        )
        assert found.evaluation_4_2 == (pytest.approx(share) if share else None)
        assert (found.printed_4_2 is None) == bool(share)
        if not share:
            assert printed.split()[0] in found.printed_4_2

    @pytest.mark.parametrize(
        ("file", "text", "told"),
        [("solution", "New.", "the notebook counts"), ("answers", "Na\xefve.", "answers.py counts")],
    )
    def test_a_second_source_that_says_otherwise_is_told(self, tmp_path, file, text, told):
        found = said_in(tmp_path, "answer_q_1_1 = 'New.'", **{file: "answer_q_1_1 = 'Na\xefve.'".encode("cp1252")})
        assert found.answers["1.1"].text == text
        assert any("differ in answer_q_1_1" in line and told in line for line in found.findings)

    def test_a_notebook_counts_before_its_export(self, tmp_path):
        found = said_in(tmp_path, "answer_q_1_1 = 'New.'", Assignment3="answer_q_1_1 = 'Old.'\nanswer_q_1_2 = 'Else.'")
        assert (found.answers["1.1"].text, found.answers["1.2"].text) == ("New.", "Else.")

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
    def test_text_is_decoded_as_it_was_encoded(self, tmp_path, encoding):
        source = "answer_q_1_1 = 'Curly \u2018quotes\u2019 and na\xefve.'"
        found = said_in(tmp_path, "x = 1", answers=source.encode(encoding))
        assert found.answers["1.1"].text == "Curly \u2018quotes\u2019 and na\xefve."

    @pytest.mark.parametrize("name", ["last_edit", "last_modified", "date"])
    def test_dates_as_people_write_them(self, tmp_path, name):
        found = said_in(tmp_path, "x = 1", solution=f"{name} = 'April 12, 2022'")
        assert found.date == LastModified(value="April 12, 2022", source=f"{name} in solution.py")


def stored(kind):
    """A history as people store it: bytes and the file's name."""
    table = pd.DataFrame(CURVES)
    file = io.BytesIO()
    if kind == "csv":
        return table.to_csv(index_label="epoch").encode(), "model_2_1.csv"
    if kind == "semicolons":
        return table.to_csv(sep=";", decimal=",").encode(), "model_2_1.csv"
    if kind == "json of pandas":
        return table.to_json().encode(), "model_2_1.json"
    if kind == "npz":
        np.savez(file, **CURVES)
        return file.getvalue(), "model_2_1.npz"
    if kind == "npy":
        np.save(file, np.array(CURVES, dtype=object))
        return file.getvalue(), "model_2_1.npy"
    full = {name.replace("acc", "sparse_categorical_acc"): curve for name, curve in CURVES.items()}
    texts = {
        "printed.txt": str(CURVES),
        "printed.json": str(CURVES),
        "numbers as text.json": json.dumps({name: list(map(str, curve)) for name, curve in CURVES.items()}),
        "records.json": table.to_json(orient="records"),
        "in a list.json": json.dumps([CURVES]),
        "named in full.json": json.dumps({"history": full, "params": {"epochs": 3}}),
        "named in full.log": pd.DataFrame(full).to_csv(index_label="epoch"),
        "tabs.tsv": table.to_csv(sep="\t"),
    }
    if kind in texts:
        return texts[kind].encode(), f"model_2_1.{kind.rpartition('.')[2]}"
    made = {
        "arrays": {name: np.array(curve) for name, curve in CURVES.items()},
        "arrays of float32": {name: np.array(curve, ">f4") for name, curve in CURVES.items()},
        "numbers of numpy": {name: [np.float32(value) for value in curve] for name, curve in CURVES.items()},
        "ordered": collections.OrderedDict(CURVES),
        "defaultdict": collections.defaultdict(list, CURVES),
        "table": table.assign(lr=[1, 2, 3], note=["a", "b", "c"]),
        "table of old names": table.set_axis(pd.Index(list(CURVES), dtype=object), axis=1),
    }[kind]
    return made, "model_2_1.p"


FORMS = ["csv", "semicolons", "json of pandas", "npz", "npy", "printed.txt", "printed.json", "numbers as text.json",
         "records.json", "in a list.json", "named in full.json", "named in full.log", "tabs.tsv"]  # fmt: skip
PICKLED = ["arrays", "arrays of float32", "numbers of numpy", "ordered", "defaultdict", "table", "table of old names"]


class TestHistories:
    @pytest.mark.parametrize("kind", FORMS)
    def test_other_files_are_read(self, tmp_path, kind):
        content, name = stored(kind)
        (tmp_path / name).write_bytes(content)
        assert check_curves(read_curves(tmp_path / name), name)["val_accuracy"] == CURVE

    @pytest.mark.parametrize("kind", PICKLED)
    @pytest.mark.parametrize("protocol", range(6))
    def test_what_a_pickle_holds_is_read_and_nothing_is_run(self, tmp_path, kind, protocol):
        if kind.startswith("table") and protocol < 2:
            pytest.skip("pandas's tables are pickled with protocol 2 and later")
        made, name = stored(kind)
        (tmp_path / name).write_bytes(pickle.dumps(made, protocol))
        assert check_curves(read_curves(tmp_path / name), name)["val_accuracy"] == pytest.approx(CURVE)

    @pytest.mark.parametrize("made", [np.zeros((0, 10**7)), np.array(["a"]), np.zeros((2, 2, 2)), {"loss": {1, 2}}])
    def test_what_is_no_history_is_refused(self, tmp_path, made):
        (tmp_path / "model_2_1.p").write_bytes(pickle.dumps(made))
        with pytest.raises(Refused):
            check_curves(read_curves(tmp_path / "model_2_1.p"), "model_2_1.p")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
    @pytest.mark.parametrize("curve", ["loss", "val_loss", "accuracy"])
    def test_the_other_curves_count_and_the_gap_is_told(self, curve, value):
        notes = []
        found = check_curves(CURVES | {curve: [0.5, value, 0.7]}, "model_2_1.p", notes)
        assert found["val_accuracy"] == CURVE and found[curve] == [0.5, None, 0.7]
        assert notes == [f"model_2_1.p: {curve} is no finite number in epoch 2"]

    @pytest.mark.parametrize(
        ("content", "word"),
        [(b"<!DOCTYPE html><html>", "web page"), (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
         (b"", "empty")],
    )  # fmt: skip
    def test_what_only_has_the_name_is_refused_with_the_true_reason(self, tmp_path, content, word):
        (tmp_path / "model_2_1.csv").write_bytes(content)
        with pytest.raises(Refused, match=word):
            read_curves(tmp_path / "model_2_1.csv")


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["model_2_1.h5", "Model_2_1.H5", "MODEL-2-1.keras", "model 2.1 (final).h5", "model_2.1", "cnn_2_1.h5",
         "model21.h5",
         "question_2.1_history.p", "best_model_2_1_v3.keras"],
    )  # fmt: skip
    def test_a_file_of_another_name_is_read(self, tmp_path, name):
        assert model_of(name) == "model_2_1"
        (tmp_path / name).write_bytes(b"x")
        with opened(tmp_path) as handin:
            assert [path.name for path in handin.models] == [name] and handin.findings == []

    @pytest.mark.parametrize(
        "name", ["vgg.h5", "best.keras", "model_3_1.h5", "model_1_1 or 1_2.hdf5", "history_final.pkl", "model_2_10.h5"]
    )
    def test_a_file_of_no_question_is_named(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"x")
        with opened(tmp_path) as handin:
            assert handin.models == [] or name.startswith("model_1_1 or")
            assert handin.models or any(name in line and "model_X_Y" in line for line in handin.findings)

    @pytest.mark.parametrize(
        ("path", "word"),
        [("model_2_1/saved_model.pb", "SavedModel"), ("models/model_2_1/saved_model.pb", "SavedModel"),
         ("model_2_1.pt", "PyTorch"), ("model_2_1.tflite", "TensorFlow Lite"), ("model_2_1.index", "checkpoint"),
         ("model_2_1.zip", "archive")],
    )  # fmt: skip
    @pytest.mark.parametrize("packed", [False, True])
    def test_what_other_programs_store_is_named_with_what_to_hand_in(self, tmp_path, path, word, packed):
        folder = tmp_path / "ann"
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(b"x")
        (folder / "answers.py").touch()
        if packed:
            with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
                archive.write(folder / path, path)
                archive.writestr("answers.py", "")
        with opened(tmp_path / "ann.zip" if packed else folder) as handin:
            if not (packed and word == "archive"):
                (one,) = handin.unread
                assert one.model == "model_2_1" and word in one.reason and "hand in" in one.reason
            assert any(path.split("/")[-1] in line or "model_2_1" in line for line in handin.findings)

    @pytest.mark.parametrize(
        "name", ["界" * 90, "a" * 300, b"f\xfcr".decode(errors="surrogateescape"), "..", "a\x1b[31mb", "=1+1"]
    )
    def test_every_name_is_made_fit(self, tmp_path, name):
        made = file_name(name)
        assert len(made.encode()) <= 255 and made.isprintable()
        (tmp_path / made).mkdir()
        write_text(tmp_path / made / "report.html", name)
        write_json(tmp_path / made / "evidence.json", {"name": name})
        assert made[:1] not in "=+-@"

    def test_names_that_become_one_are_told_apart(self, tmp_path):
        for name in ("ann?", "ann*", "ann_", "Ann_", "x" * 120 + "a", "x" * 120 + "b"):
            (tmp_path / "course" / name).mkdir(parents=True)
            (tmp_path / "course" / name / "answers.py").touch()
        found = find_handins([tmp_path / "course"])
        assert len({name.casefold() for name in found}) == 6 and len(set(found.values())) == 6
        assert found == find_handins([tmp_path / "course"])

    def test_bytes_that_are_no_text_are_no_obstacle(self, tmp_path):
        folder = tmp_path / "course" / os.fsdecode(b"f\xfcr Ann")
        folder.mkdir(parents=True)
        (folder / os.fsdecode(b"model_1_1 f\xfcr.h5")).write_bytes(b"no model")
        (folder / os.fsdecode(b"\xfc.h5")).touch()
        (name,) = found = find_handins([tmp_path / "course"])
        with opened(found[name]) as handin:
            write_json(tmp_path / "evidence.json", handin.findings)
            assert handin.shown(handin.models[0]) == "model_1_1 f?r.h5" and handin.fingerprint

    def test_a_name_too_long_to_unpack_takes_nothing_else_with_it(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr(f"model_1_1 {'界' * 90}.h5", "")
            archive.writestr("answers.py", "")
        with opened(tmp_path / "ann.zip") as handin:
            assert [path.name for path in handin.files] == ["answers.py"]
            assert any("name is too long" in line for line in handin.findings)


class TestTrees:
    """Folders and archives as people put them together; each is tried loose and packed."""

    BOOK = json.dumps({"cells": [{"cell_type": "code", "source": "answer_q_1_1 = 'Read.'"}], "nbformat": 4})

    def handin(self, tmp_path, packed, *names):
        contents = {name: self.BOOK if "ipynb" in name.lower() else "answer_q_1_1 = 'Read.'" for name in names}
        if packed:
            with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
                for name, content in contents.items():
                    archive.writestr(name, content)
            return tmp_path / "ann.zip"
        for name, content in contents.items():
            (tmp_path / "ann" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "ann" / name).write_text(content, encoding="utf-8")
        return tmp_path / "ann"

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        "names",
        [("ann/a.ipynb", "bob/a.ipynb"), ("ann/a.ipynb", "bob/answers.py"), ("ann/a.ipynb", "bob/final/b.ipynb"),
         ("x/ann/answers.py", "x/bob/answers.py"), ("try 1/a.ipynb", "try 2/a.ipynb"),
         ("ann/a.ipynb", "ann/model_1_1.h5", "bob/b/c/d.ipynb", "README.md"), ("ann/a.ipynb", "bob/model_1_1.h5"),
         ("ann/code/a.ipynb", "bob/models/model_1_1.h5")],
    )  # fmt: skip
    def test_work_of_several_people_is_never_mixed(self, tmp_path, names, packed):
        path = self.handin(tmp_path, packed, *names)
        with pytest.raises(SVHNError, match="2 folders with work"), opened(path):
            pass

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        "names",
        [("final/a.ipynb", "old/a.ipynb"), ("notebook/a.ipynb", "src/answers.py"), ("A.IPYNB",), ("Assignment3.py",),
         ("work/a.ipynb", "work/x/answers.py"), ("Assignment3.ipynb.txt",), ("Assignment3.ipynb.json",),
         ("Answers (1).py",), ("a.ipynb", "old/b.ipynb", "more/c.ipynb"), ("ann/nb/a.ipynb", "ann/models/model_1_1.h5"),
         ("notebook/a.ipynb", "Part 2/model_2_1.h5", "saved/model_1_1.h5")],
    )  # fmt: skip
    def test_texts_of_one_are_read(self, tmp_path, names, packed):
        with opened(self.handin(tmp_path, packed, *names)) as handin:
            found = read_written(handin.notebooks, handin.written, handin.texts_unread)
        assert found.answers["1.1"].text == "Read." and len(handin.notebooks) < 2

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        "name",
        ["Answers.docx", "answers.txt", "Assignment3.html", "report.pdf", "work.zip", "deep/work.7z", "answers.rar",
         ".ipynb_checkpoints/a-checkpoint.ipynb"],
    )  # fmt: skip
    def test_what_may_be_in_an_unread_file_is_not_missing(self, tmp_path, name, packed):
        if packed and "checkpoint" in name:
            pytest.skip("caches are left packed")
        with opened(self.handin(tmp_path, packed, name, "model_1_1.h5")) as handin:
            found = read_written(handin.notebooks, handin.written, handin.texts_unread)
            assert any(name.rpartition("/")[2] in line for line in handin.findings)
        assert found.findings == [] and found.answers == {} and found.student == Student()
        assert all(name.rpartition("/")[2] in why for why in found.no_answer.values()) and found.no_notebook

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        "source",
        [
            "answer_q_1_1 = 'In words.'",
            "ANSWER_1_1: str = 'In words.'",
            'x = 1\r\nanswer_q_1_1 = """In\r\nwords."""\r\n',
        ],
    )
    @pytest.mark.parametrize("name", ["texts.py", "my_words.py", "lib/written.py"])
    def test_answers_in_a_module_of_another_name_are_not_missing(self, tmp_path, name, source, packed):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("from texts import *")])
        place = tmp_path / "ann"
        (place / name).parent.mkdir(parents=True)
        nbformat.write(notebook, place / "Assignment3.ipynb")
        (place / name).write_bytes(source.encode())
        if packed:
            shutil.make_archive(str(place), "zip", place)
        with opened(tmp_path / "ann.zip" if packed else place) as handin:
            found = read_written(handin.notebooks, handin.written, handin.texts_unread)
            assert any(f"not read: {name}, which sets answers" in line for line in handin.findings)
        assert found.findings == [] and name in found.no_answer["1.1"]

    def test_a_module_without_answers_takes_nothing_away(self, tmp_path):
        place = tmp_path / "ann"
        place.mkdir()
        nbformat.write(nbformat.v4.new_notebook(), place / "Assignment3.ipynb")
        (place / "texts.py").write_text("answers = 3\nprint('answer_q_1_1 == 2')\nanswer_q_1_1 == 2\n")
        with opened(place) as handin:
            assert handin.unread == []

    @pytest.mark.parametrize("packed", [False, True])
    @pytest.mark.parametrize(
        ("names", "models"),
        [(("model_1_1/best.h5", "model_1_1/history.p"), {"model_1_1": 2}), (("q2_1/net.keras",), {"model_2_1": 1}),
         (("models/model_1_1.h5", "curves/model_1_1.p", "part 2/model_2_1.h5"), {"model_1_1": 2, "model_2_1": 1}),
         (("models/model_1_1.h5", "final/model_1_1.h5"), {"model_1_1": 1}),
         (("model_1_1.model", "model_1_2.log", "model_1_3.hist", "model_2_1.h5.download"),
          {"model_1_1": 1, "model_1_2": 1, "model_1_3": 1, "model_2_1": 1}),
         (("model_1_1.keras/config.json", "model_1_1.keras/model.weights.h5"), {"model_1_1": 2})],
    )  # fmt: skip
    def test_models_are_found_by_name_or_folder(self, tmp_path, names, models, packed):
        with opened(self.handin(tmp_path, packed, "a.ipynb", *names)) as handin:
            found = {name: len(handin.of_model(name)) for name in ("model_1_1", "model_1_2", "model_1_3", "model_2_1")}
            assert {name: count for name, count in found.items() if count} == models and handin.unread == []

    @pytest.mark.parametrize(
        "names",
        [
            ("1/doe_12345_A3.ipynb", "1/roe_23456_A3.ipynb"),
            ("1/a_00001_x.ipynb", "1/b_00002_x.ipynb"),
        ],
    )
    def test_loose_notebooks_of_several_people_are_refused(self, tmp_path, names):
        self.handin(tmp_path, False, *names)
        with pytest.raises(SVHNError, match="put each into a folder of its own"):
            find_handins([tmp_path / "ann/1"])

    @pytest.mark.parametrize("names", [("A_2024_x.ipynb", "B_2023_x.ipynb"), ("1234567_A.ipynb", "1234567_B.ipynb")])
    def test_several_notebooks_of_one_person_are_one_hand_in(self, tmp_path, names):
        assert list(find_handins([self.handin(tmp_path, False, *names)])) == ["ann"]

    @pytest.mark.parametrize("name", ["\u202eanswers.py", "answers.py\u200e", "answers.py ", "Answers.PY."])
    def test_marks_that_nobody_sees_hide_no_file(self, tmp_path, name):
        with opened(self.handin(tmp_path, False, name)) as handin:
            assert [path.name for path in handin.written] == [name]

    @pytest.mark.parametrize("packed", [False, True])
    def test_folders_without_end_are_a_row_that_says_so(self, tmp_path, packed):
        path = self.handin(tmp_path, packed, "x/" * 120 + "answers.py")
        (tmp_path / "bob").mkdir()
        assert set(find_handins([tmp_path])) == {"ann", "bob"}
        with pytest.raises(SVHNError, match="nested more than 100 deep"), opened(path):
            pass

    @pytest.mark.parametrize("harm", ["checksum", "password", "compression"])
    @pytest.mark.parametrize("name", ["model_1_1.h5", "Assignment3.ipynb"])
    def test_a_packed_file_that_cannot_be_unpacked_takes_no_other_with_it(self, tmp_path, name, harm):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr(name, "0123456789")
            archive.writestr("answers.py", "answer_q_1_1 = 'Read.'")
        content = (tmp_path / "ann.zip").read_bytes()
        local, listed = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
        changed = bytearray(content)
        if harm == "checksum":
            changed[content.index(b"0123456789")] ^= 1
        else:
            for place in (local + 6, listed + 8):
                changed[place + (2 if harm == "compression" else 0)] = 9 if harm == "compression" else 1
        (tmp_path / "ann.zip").write_bytes(changed)
        with opened(tmp_path / "ann.zip") as handin:
            found = read_written(handin.notebooks, handin.written, handin.texts_unread)
            assert any(name in line and "cannot be unpacked" in line for line in handin.findings)
            assert [handin.shown(one.path) for one in handin.unread] == [name]
        assert found.answers["1.1"].text == "Read."
        assert ("no notebook was handed in" in found.findings) == (name == "model_1_1.h5")

    def test_names_that_look_alike_are_told_apart(self, tmp_path):
        for name in ("Jos\u00e9", "Jose\u0301", "anna", "anna.", "anna ", "anna\u200f", "an\u202ena"):
            (tmp_path / "course" / name).mkdir(parents=True)
        found = [unicodedata.normalize("NFC", name) for name in find_handins([tmp_path / "course"])]
        assert len(set(found)) == 7 and all(name.isprintable() for name in found)


class TestCourses:
    def course(self, tmp_path, *names):
        for name in names:
            (tmp_path / "course" / name).mkdir(parents=True)
            (tmp_path / "course" / name / "answers.py").touch()
        return tmp_path / "course"

    @pytest.mark.parametrize("loose", ["Assignment3.ipynb", "answers.py", "solution.py", "model_1_1.h5"])
    def test_what_is_a_hand_in_and_holds_hand_ins_is_refused(self, tmp_path, loose):
        folder = self.course(tmp_path, "ann", "bob", "cem")
        (folder / loose).touch()
        with pytest.raises(SVHNError, match=rf"{loose} in it makes it a hand-in.*ann, bob, cem"):
            find_handins([folder])

    @pytest.mark.parametrize(("content", "refused"), [("answers.py", True), ("X.ipynb", True), ("digits.npz", False)])
    def test_packed_hand_ins_beside_a_loose_notebook_are_seen_and_packed_data_are_none(
        self, tmp_path, content, refused
    ):
        (tmp_path / "Assignment3.ipynb").touch()
        for name in ("ann", "bob"):
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                archive.writestr(f"{name}/{content}", "")
        if refused:
            with pytest.raises(SVHNError, match=r"ann\.zip, bob\.zip"):
                find_handins([tmp_path])
        else:
            assert list(find_handins([tmp_path])) == [tmp_path.name]

    def test_a_student_s_folder_may_be_called_models(self, tmp_path):
        folder = self.course(tmp_path, "ann", "bob", "models")
        (folder / "models/model_1_1.h5").touch()
        assert list(find_handins([folder])) == ["ann", "bob", "models"]

    def test_a_hand_in_may_hold_an_older_one(self, tmp_path):
        folder = self.course(tmp_path, "old")
        (folder / "Assignment3.ipynb").touch()
        assert list(find_handins([folder])) == ["course"]

    @pytest.mark.parametrize(
        ("name", "word"), [("dee.rar", "rar"), ("dee.7z", "7z"), ("dee.zst", "zst"), ("dee.gz", "gz")]
    )
    def test_an_archive_that_is_not_unpacked_is_a_row_that_says_so(self, tmp_path, name, word):
        folder = self.course(tmp_path, "ann")
        (folder / name).write_bytes(b"Rar!")
        found = find_handins([folder])
        assert list(found) == ["ann", "dee"]
        with pytest.raises(SVHNError, match=word), opened(found["dee"]):
            pass

    def test_linked_and_hidden_folders_are_rows_that_say_so(self, tmp_path):
        folder = self.course(tmp_path, "ann", ".bob")
        (folder / "cem").symlink_to(folder / "ann", target_is_directory=True)
        (folder / "dee").symlink_to(tmp_path / "nowhere")
        (folder / ".cache").mkdir()
        found = find_handins([folder])
        assert {path.name for path in found.values()} == {"ann", ".bob", "cem", "dee"}
        for name, path in found.items():
            if path.name != "ann":
                with pytest.raises(SVHNError, match=r"link|hidden"), opened(found[name]):
                    pass

    @pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"])
    def test_tar_archives_are_unpacked(self, tmp_path, suffix):
        path = self.course(tmp_path, "ann") / f"bob{suffix}"
        with tarfile.open(path, "w:" + {".tar": "", ".tgz": "gz"}.get(suffix, suffix.rpartition(".")[2])) as archive:
            for name, content in (("Bob/answers.py", b"your_name = 'Bob'"), ("Bob/.git/x", b"x")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            link = tarfile.TarInfo("Bob/model_1_1.h5")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        found = find_handins([path.parent])
        assert list(found) == ["ann", "bob"]
        with opened(found["bob"]) as handin:
            assert [file.name for file in handin.files] == ["answers.py"]

    @pytest.mark.parametrize("name", ["../answers.py", "/tmp/answers.py", "a/../../answers.py"])
    def test_a_tar_archive_that_points_outside_is_refused(self, tmp_path, name):
        with tarfile.open(tmp_path / "ann.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo(name))
        with pytest.raises(SVHNError, match="outside the hand-in"), opened(tmp_path / "ann.tar"):
            pass

    def test_a_tar_archive_that_asks_for_gigabytes_is_refused(self, tmp_path):
        info = tarfile.TarInfo("x")
        info.type, info.size = tarfile.XHDTYPE, 10**11
        (tmp_path / "ann.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        with pytest.raises(SVHNError, match=r"refused|cannot be read"), opened(tmp_path / "ann.tar"):
            pass

    def test_countless_files_are_cut_and_counted(self, tmp_path):
        for number in range(3000):
            (tmp_path / f"net {number}.h5").touch()
            (tmp_path / f"model_1_1 {number}.h5").symlink_to("/etc/passwd")
        (tmp_path / "answers.py").touch()
        with opened(tmp_path) as handin:
            told = "\n".join(handin.findings)
        assert len(told) < 20_000 and "2,960 more files were not opened" in told and "2995 more" in told


class TestFolders:
    def test_a_second_grading_of_one_folder_is_refused_and_a_later_one_is_not(self, tmp_path):
        with (
            only_one(tmp_path / "out", "grading"),
            pytest.raises(SVHNError, match="another grading writes to"),
            only_one(tmp_path / "out", "grading"),
        ):
            pass
        with only_one(tmp_path / "out", "grading"):
            pass

    def test_what_killed_processes_left_is_removed_and_what_is_in_use_is_not(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with temporary_folder("svhn-x-") as used:
            left = tmp_path / "svhn-x-left"
            (left / "content").mkdir(parents=True)
            (left / ".owner").touch()
            for folder in (left, used.parent):
                os.utime(folder, (0, 0))
            with temporary_folder("svhn-x-"):
                assert used.exists() and not left.exists()
        assert not used.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Exception encountered when calling Flatten.call().\n\n\x1b[1mno shape\x1b[0m\n\nArguments received by x:\n a",
         "no shape"),
        (f"<class 'A'> could not be deserialized. config={{{'x' * 5000}}}.\n\nException encountered: a bad name",
         "a bad name"),
        ("cannot open /home/grader/secret place/model.h5", "cannot open secret place/model.h5"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("", "ValueError"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_its_cause(text, said):
    found = cause_of(ValueError(text))
    assert "\x1b" not in found and "/home" not in found
    assert found == said or "secret" in said
