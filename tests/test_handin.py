"""What can be learned of a hand-in without running it: its files, its texts, its curves."""

import base64
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pytest

from svhn.errors import SVHNError
from svhn.grading.facts import Answer, Student
from svhn.grading.handins import find_handins, opened
from svhn.grading.reading.curves import check_curves, read_pickle
from svhn.grading.texts import read_written
from svhn.rubric.calibration import summarise
from svhn.sandbox.process import Refused

CURVE = [0.2, 0.5, 0.6]
CURVES = {"loss": [2, 1, 0.5], "accuracy": CURVE, "val_loss": [2, 1, 0.9], "val_accuracy": CURVE}


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


def write_notebook(path, *cells):
    kinds = [
        {"cell_type": "markdown", "source": cell} if isinstance(cell, str) else {"cell_type": "code"} | cell
        for cell in cells
    ]
    path.write_text(json.dumps({"cells": kinds, "metadata": {}, "nbformat": 4}), encoding="utf-8")
    return path


def written(tmp_path, *cells, py=None):
    paths = []
    if py is not None:
        paths = [tmp_path / "answers.py"]
        paths[0].write_bytes(py if isinstance(py, bytes) else py.encode())
    return read_written([write_notebook(tmp_path / "a.ipynb", *cells)] if cells else [], paths)


class TestFinding:
    def test_a_folder_with_a_notebook_is_a_hand_in_and_a_folder_of_folders_is_a_course(self, tmp_path):
        touch(
            tmp_path / "course/ann/a.ipynb", tmp_path / "course/bob/models/model_1_1.keras", tmp_path / "course/x.txt"
        )
        (tmp_path / "course/empty").mkdir()
        with zipfile.ZipFile(tmp_path / "course/cem.zip", "w") as archive:
            archive.writestr("cem/solution.py", "")
        assert list(find_handins([tmp_path / "course"])) == ["ann", "bob", "cem", "empty"]
        assert list(find_handins([tmp_path / "course/ann"])) == ["ann"]

    def test_grades_written_into_a_course_are_no_hand_in(self, tmp_path):
        touch(tmp_path / "ann/a.ipynb", tmp_path / "graded/ann/report.html")
        assert list(find_handins([tmp_path], leave_out=tmp_path / "graded")) == ["ann"]

    def test_equal_names_are_told_apart_by_their_course(self, tmp_path):
        touch(tmp_path / "2019/ann/a.ipynb", tmp_path / "2020/ann/a.ipynb")
        for years in (("2019", "2020"), ("2020", "2019")):
            found = find_handins([tmp_path / year for year in years])
            places = {name: path.parent.name for name, path in found.items()}
            assert places == {"2019-ann": "2019", "2020-ann": "2020"}
        with zipfile.ZipFile(tmp_path / "2019/ann.zip", "w") as archive:
            archive.writestr("answers.py", "")
        assert set(find_handins([tmp_path / "2019"])) == {"2019-ann", "2019-ann.zip"}

    def test_an_archive_in_a_folder_of_its_own_is_the_hand_in_of_that_name(self, tmp_path):
        students = ["Jones Bo_124_assignsubmission_file", "Smith Ann_123_assignsubmission_file"]
        for student in students:
            touch(tmp_path / "course" / student / "onlinetext.html")
            with zipfile.ZipFile(tmp_path / "course" / student / "handin.zip", "w") as archive:
                archive.writestr("Assignment3/answers.py", "answer_q_1_1 = 'Yes.'")
        found = find_handins([tmp_path / "course"])
        assert list(found) == students
        for path in found.values():
            with opened(path) as handin:
                assert [path.name for path in handin.files] == ["answers.py"]
        touch(tmp_path / "course" / students[0] / "work/answers.py")
        with opened(find_handins([tmp_path / "course"])[students[0]]) as handin:
            assert handin.folder.name == "work"

    def test_a_missing_path_is_named(self, tmp_path):
        with pytest.raises(SVHNError, match="nowhere"):
            find_handins([tmp_path / "nowhere"])

    def test_both_layouts_are_found_and_nothing_else(self, tmp_path):
        touch(
            tmp_path / "a.ipynb",
            tmp_path / "solution.py",
            tmp_path / "model_1_1.h5",
            tmp_path / "model_1_1.p",
            tmp_path / "models/model_2_1.keras",
            tmp_path / "models/model_2_1.json",
            tmp_path / "setup.py",
            tmp_path / "deep/model_1_1.h5",
        )
        with opened(tmp_path) as handin:
            names = {path.name for path in handin.files}
        assert names == {"a.ipynb", "solution.py", "model_1_1.h5", "model_1_1.p", "model_2_1.keras", "model_2_1.json"}

    def test_links_out_of_the_hand_in_pipes_and_huge_files_are_not_opened(self, tmp_path):
        folder, secret = tmp_path / "ann", tmp_path / "model_1_1.h5"
        touch(folder / "a.ipynb", secret)
        (folder / "model_1_1.h5").symlink_to(secret)
        (folder / "model_1_2.h5").symlink_to("a.ipynb")
        (folder / "model_1_3.h5").symlink_to("model_1_3.h5")
        os.mkfifo(folder / "model_2_1.h5")
        with (folder / "model_2_2.h5").open("wb") as file:
            file.truncate(100_000_001)
        with opened(folder) as handin:
            assert [path.name for path in handin.files] == ["a.ipynb", "model_1_2.h5"]
            reasons = "\n".join(handin.findings)
        assert "model_1_1.h5 was not opened: it is a link to a place outside" in reasons
        assert "model_1_3.h5" in reasons and "not an ordinary file" in reasons and "over the limit of 100 MB" in reasons

    def test_an_archive_is_unpacked_for_as_long_as_it_is_read(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr("Ann Smith/answers.py", "answer_q_1_1 = 'Yes.'")
            archive.writestr("Ann Smith/.venv/lib/big.so", b"\0" * 1000)
            archive.writestr("__MACOSX/Ann Smith/._answers.py", "")
        with opened(tmp_path / "ann.zip") as handin:
            folder = handin.folder
            assert [path.name for path in handin.files] == ["answers.py"]
        assert not folder.exists()

    @pytest.mark.parametrize("whole", [False, True])
    def test_a_folder_round_the_hand_in_may_have_other_files_beside_it(self, tmp_path, whole):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr("README.txt", "see below")
            archive.writestr("figures/a.png", "")
            archive.writestr("Ann/My.ipynb", "{}")
            archive.writestr("Ann/._My.ipynb", "what macOS puts there")
            archive.writestr("Ann/models/model_1_1.h5", "")
        with opened(tmp_path / "ann.zip", whole) as handin:
            assert [handin.shown(path) for path in handin.files] == ["My.ipynb", "models/model_1_1.h5"]
        with zipfile.ZipFile(tmp_path / "ann.zip") as archive:
            archive.extractall(tmp_path / "folder")
        with opened(tmp_path / "folder") as handin:
            assert len(handin.files) == 2

    def test_what_lies_elsewhere_is_read_where_nothing_is_in_its_place(self, tmp_path):
        touch(
            tmp_path / "a/Lösung (final).ipynb",
            tmp_path / "a/meine modelle/model_1_1.h5",
            tmp_path / "a/old/model_1_1.h5",
        )
        touch(tmp_path / "b/code/X.ipynb", tmp_path / "b/models/model_1_1.h5", tmp_path / "b/tests/model_2_1.h5")
        with opened(tmp_path / "a") as handin:
            assert [handin.shown(path) for path in handin.files] == [
                "Lösung (final).ipynb",
                "meine modelle/model_1_1.h5",
            ]
            assert handin.findings == ["read from meine modelle/, as there are none where they belong: model_1_1.h5"]
        with opened(tmp_path / "b") as handin:
            assert [handin.shown(path) for path in handin.files] == ["code/X.ipynb", "models/model_1_1.h5"]
            assert any("tests/model_2_1.h5, which lies in a folder that seems put aside" in x for x in handin.findings)

    @pytest.mark.parametrize("whole", [False, True])
    def test_archives_in_a_hand_in_are_named(self, tmp_path, whole):
        touch(tmp_path / "ann/work.tar.gz")
        with opened(tmp_path / "ann") as handin:
            (finding,) = handin.findings
            assert finding.startswith("not opened: work.tar.gz; where hand-ins are in there, unpack them")
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("Ann_1_file/answers.py", "")
            archive.writestr("Bo_2_file/work.zip", "")
        with opened(tmp_path / "all.zip", whole) as handin:
            (finding,) = handin.findings
            assert finding.startswith("not opened: Bo_2_file/work.zip; ")

    def test_odd_names_and_caches_in_an_archive_are_no_reason_to_refuse_it(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr("logs/run 12:30/events", "")
            archive.writestr("answers.py", "")
            for number in range(2500):
                archive.writestr(f".venv/lib/{number}.py", "")
        with opened(tmp_path / "ann.zip", whole=True) as handin:
            assert [path.name for path in handin.files] == ["answers.py"]
            assert sorted(path.name for path in handin.folder.iterdir()) == ["answers.py", "logs"]

    def test_an_archive_of_countless_entries_is_refused_before_they_are_read(self, tmp_path, monkeypatch):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            for number in range(100):
                archive.writestr(f".venv/{number}", "")
        monkeypatch.setattr("svhn.grading.reading.archives.DIRECTORY_BYTES", 5000)
        monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda archive: pytest.fail("read"))
        with pytest.raises(SVHNError, match="its list of contents has"), opened(tmp_path / "ann.zip"):
            pass

    def test_an_archive_to_run_is_unpacked_whole_and_known_by_every_file(self, tmp_path):
        def archive(helper):
            with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
                file.writestr("a/answers.py", "")
                file.writestr("a/helper.dat", helper)
            return tmp_path / "a.zip"

        def opened_as(whole):
            with opened(archive("1"), whole) as first:
                files = sorted(path.name for path in first.folder.iterdir())
                before = first.fingerprint, first.whole_fingerprint()
            with opened(archive("2"), whole) as second:
                return files, before[0] == second.fingerprint, before[1] == second.whole_fingerprint()

        assert opened_as(whole=False) == (["answers.py"], True, True)
        assert opened_as(whole=True) == (["answers.py", "helper.dat"], True, False)

    def test_what_cannot_be_unpacked_to_run_takes_nothing_from_what_is_graded(self, tmp_path, monkeypatch):
        monkeypatch.setattr("svhn.grading.reading.archives.ARCHIVE_BYTES", 1000)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
            file.writestr("data/digits.npz", bytes(2000))
            file.writestr(".git/objects", bytes(2000))
            file.writestr("answers.py", "your_name = 'Ann'")
            file.writestr("plots/", "")
        with opened(tmp_path / "a.zip", whole=True) as handin:
            assert [path.name for path in handin.files] == ["answers.py"]
            (finding,) = handin.findings
            assert "not all of the archive was unpacked to run it" in finding
            before = handin.whole_fingerprint()
        with opened(tmp_path / "a.zip", whole=True) as again:
            assert again.whole_fingerprint() == before

    def test_results_in_a_hand_in_are_none_of_its_files(self, tmp_path):
        (tmp_path / "ann").mkdir()
        (tmp_path / "ann/answers.py").touch()
        with opened(tmp_path / "ann") as handin:
            before = handin.whole_fingerprint(tmp_path / "ann/graded")
            (tmp_path / "ann/graded/ann").mkdir(parents=True)
            (tmp_path / "ann/graded/ann/evidence.json").touch()
            assert handin.whole_fingerprint(tmp_path / "ann/graded") == before != handin.whole_fingerprint()

    def test_no_hand_in_takes_the_name_of_a_file_of_the_course(self, tmp_path):
        for name in ("Manual.csv", "index.html", "grades.csv", "ann"):
            (tmp_path / "course" / name).mkdir(parents=True)
            (tmp_path / "course" / name / "answers.py").touch()
        assert set(find_handins([tmp_path / "course"])) == {"Manual.csv_", "index.html_", "grades.csv_", "ann"}

    @pytest.mark.parametrize(
        "name", ["../answers.py", "/tmp/answers.py", "a/../../answers.py", "..\\answers.py", "C:\\answers.py"]
    )
    def test_an_archive_that_points_outside_is_refused(self, tmp_path, name):
        with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
            archive.writestr(name, "answer_q_1_1 = 'Yes.'")
        with pytest.raises(SVHNError, match="outside the hand-in"), opened(tmp_path / "ann.zip"):
            pass
        assert not (tmp_path / "answers.py").exists()

    def test_links_in_an_archive_are_left_out_and_bombs_refused(self, tmp_path, monkeypatch):
        link = zipfile.ZipInfo("answers.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "ann.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(link, "/etc/passwd")
            archive.writestr("model_1_1.h5", b"\0" * 3_000_000)
        with opened(tmp_path / "ann.zip") as handin:
            assert [path.name for path in handin.files] == ["model_1_1.h5"]
        monkeypatch.setattr("svhn.grading.reading.archives.ARCHIVE_BYTES", 2_000_000)
        with pytest.raises(SVHNError, match="refused"), opened(tmp_path / "ann.zip"):
            pass

    def test_what_only_calls_itself_an_archive_is_named(self, tmp_path):
        (tmp_path / "ann.zip").write_text("no archive")
        with pytest.raises(SVHNError, match="cannot be read"), opened(tmp_path / "ann.zip"):
            pass

    def test_the_fingerprint_changes_with_a_byte_or_a_name(self, tmp_path):
        touch(tmp_path / "a.ipynb")

        def fingerprint():
            with opened(tmp_path) as handin:
                return handin.fingerprint

        first = fingerprint()
        assert fingerprint() == first
        (tmp_path / "a.ipynb").write_text(" ")
        second = fingerprint()
        (tmp_path / "a.ipynb").rename(tmp_path / "b.ipynb")
        assert len({first, second, fingerprint()}) == 3


class TestTexts:
    def test_constants_are_read_and_nothing_is_run(self, tmp_path):
        marker = tmp_path / "ran"
        py = f"open({str(marker)!r}, 'w')\nanswer_q_1_1 = 'One ' + ('two ' 'three.')\nanswer_q_1_2: str = f'plain'\n"
        found = written(tmp_path, {"source": ["your_name = 'Ann'\n", "student_id = 12345"]}, py=py)
        assert not marker.exists()
        assert found.student == Student(name="Ann", id="12345")
        assert found.answers["1.1"] == Answer(text="One two three.", characters=14, limit=500, where="answers.py")
        assert found.answers["1.2"].text == "plain"

    @pytest.mark.parametrize(
        ("source", "text"),
        [
            ("answer_q_1_1 = 'One '\nanswer_q_1_1 += 'two.'", "One two."),
            ("answer_q_1_1 = 'One '\nanswer_q_1_1 += str(2)", None),
            ("answer_q_1_1, answer_q_1_2 = 'One.', 'Two.'", "One."),
            ("answer_q_1_1 = '''\n  One.\n'''.strip()", "One."),
            ("from textwrap import dedent\nanswer_q_1_1 = dedent('''\n  One.\n  Two.''')", "One.\nTwo."),
            ("answer_q_1_1 = ' '.join(['One.', 'Two.'])", "One. Two."),
            ("answer_q_1_1 = ' '.join(open('/etc/passwd'))", None),
        ],
    )
    def test_texts_put_together_out_of_constants_are_read(self, tmp_path, source, text):
        found = written(tmp_path, py=source).answers
        assert (found["1.1"].text if text else found.get("1.1")) == text

    def test_answers_in_the_notebook_outlast_an_answers_file_as_released(self, tmp_path):
        found = written(tmp_path, {"source": "answer_q_1_1 = 'Yes.'"}, py="answer_q_1_1 = ''\nanswer_q_1_2 = ''")
        assert found.answers["1.1"].text == "Yes." and found.answers["1.2"].text == ""

    def test_a_file_of_its_own_starts_with_its_own_assignments(self, tmp_path):
        source = "answer_q_1_1 = 'draft. '\nanswer_q_1_1 = ''\nanswer_q_1_1 += 'Final.'"
        found = written(tmp_path, {"source": "answer_q_1_1 = 'Earlier.'"}, py=source)
        assert found.answers["1.1"].text == "Final."

    def test_a_number_of_thousands_of_digits_is_nobody_s(self, tmp_path):
        found = written(tmp_path, py=f"student_id = 0x{'f' * 5000}\nanswer_q_1_1 = 'Yes.'")
        assert found.student.id is None and found.answers["1.1"].text == "Yes."

    def test_lengths_are_those_of_the_question(self, tmp_path):
        found = written(tmp_path, py=f"answer_q_1_1 = '{'x' * 501}'\nanswer_q_2_1 = '{'x' * 800}'\n")
        assert found.answers["2.1"].limit == 800
        over = [line for line in found.findings if "over the limit" in line]
        assert over == ["answer_q_1_1 has 501 characters, 1 over the limit of 500"]

    def test_cells_with_magics_and_cells_that_are_no_python(self, tmp_path):
        found = written(
            tmp_path,
            {"source": "%matplotlib inline\n!pip install keras\nanswer_q_1_1 = 'Read.'"},
            {"source": "%%bash\nanswer_q_1_2 = nonsense ("},
            {"source": "def broken(:\n"},
            {"source": "answer_q_1_3 = 'Read too.'"},
        )
        assert set(found.answers) == {"1.1", "1.3"}
        assert [line for line in found.findings if "is not Python" in line] == [
            "a.ipynb, cell 3, line 1: is not Python (invalid syntax)"
        ]

    def test_what_only_looks_like_a_command_stays_as_it_is(self, tmp_path):
        found = written(
            tmp_path,
            {"source": 'answer_q_1_1 = """Why?\n% of what?\n!"""'},
            {"source": "for i in [1]:\n    # is this right?\n    %matplotlib inline\nanswer_q_1_2 = 'Read?'"},
            {"source": "import os\nos.path?\nanswer_q_1_3 = 'Read.'"},
        )
        assert [found.answers[q].text for q in ("1.1", "1.2", "1.3")] == ["Why?\n% of what?\n!", "Read?", "Read."]
        assert not [line for line in found.findings if "is not Python" in line]

    def test_name_and_date_and_accuracy_come_from_outputs_where_no_cell_says_them(self, tmp_path):
        text = "Student: Ann Smith (0042)\nEvaluation: 0.8351\nLast modified: 2020-04-02 10:11:12\n"
        found = written(tmp_path, {"source": "", "outputs": [{"output_type": "stream", "text": text}]})
        assert found.student == Student(name="Ann Smith", id="0042")
        assert found.evaluation_4_2 == 0.8351
        assert found.date.value == "2020-04-02 10:11:12" and "output" in found.date.source

    def test_plots_are_found_under_their_question_and_only_pngs(self, tmp_path):
        def output(content):
            return {"outputs": [{"data": {"image/png": base64.b64encode(content).decode()}}], "source": ""}

        png = b"\x89PNG\r\n\x1a\n0000"
        found = written(tmp_path, output(png), "## Question 3.2: activations", output(png), output(b"<svg onload>"))
        assert [plot.question for plot in found.plots] == ["3.2"]

    def test_many_plots_of_one_question_take_no_room_from_the_next(self, tmp_path):
        png = {"data": {"image/png": base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()}}
        found = written(
            tmp_path,
            "## Question 3.1",
            {"outputs": [png] * 45, "source": ""},
            "## Question 3.2",
            {"outputs": [png], "source": ""},
        )
        assert [plot.question for plot in found.plots] == ["3.1"] * 20 + ["3.2"]
        assert "25 of the plots of 3.1 are too large or too many to be in the report" in found.findings

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("{", "not a readable notebook"),
            ("[]", "not a readable notebook"),
            ('{"cells": 5}', "not a readable notebook"),
            ("[" * 100_000, "not a readable notebook"),
            (b"\xff\xfe\x00", "not UTF-8"),
        ],
    )
    def test_notebooks_that_cannot_be_read_are_named(self, tmp_path, content, said):
        path = tmp_path / "a.ipynb"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert any(said in line for line in read_written([path], []).findings)

    def test_of_two_notebooks_neither_is_guessed(self, tmp_path):
        paths = [write_notebook(tmp_path / name, {"source": "your_name = 'Ann'"}) for name in ("a.ipynb", "b.ipynb")]
        found = read_written(paths, [])
        assert found.student.name is None
        assert any("2 notebooks" in line and "Assignment3.ipynb" in line for line in found.findings)
        paths.append(write_notebook(tmp_path / "Assignment3.ipynb", {"source": "your_name = 'Bo'"}))
        assert read_written(paths, []).student.name == "Bo"

    def test_computed_empty_missing_and_latin_1_answers_are_told_apart(self, tmp_path):
        found = written(tmp_path, py=b"answer_q_1_1 = ''\nanswer_q_1_2 = str(5)\nanswer_q_1_3 = 'na\xefve'\n")
        told = "\n".join(found.findings)
        assert "answer_q_1_1 (answers.py) is empty" in told and "answer_q_1_2 (answers.py) is computed" in told
        assert "not UTF-8" in told and found.answers["1.3"].text == "naïve"
        assert "missing: answer_q_2_1, " in told

    def test_a_source_that_is_nested_too_deeply_is_one_line(self, tmp_path):
        found = written(tmp_path, py="answer_q_1_1 = " + "(" * 5000 + ")" * 5000)
        assert any("answers.py" in line and "not Python" in line for line in found.findings)


class TestCurves:
    def test_pickles_of_plain_numbers_and_of_numpy_s(self, tmp_path):
        for protocol in range(6):
            path = tmp_path / "model_1_1.p"
            path.write_bytes(pickle.dumps(CURVES | {"lr": [np.float32(0.5), np.float64(0.25)]}, protocol))
            content = read_pickle(path)
            assert content["lr"] == [0.5, 0.25] and check_curves(content, "x")["val_accuracy"] == CURVE

    def test_a_pickle_that_names_anything_else_is_refused_and_runs_nothing(self, tmp_path):
        marker = tmp_path / "ran"

        class Malicious:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        path = tmp_path / "model_1_1.p"
        for protocol in (0, 2, 4):
            path.write_bytes(pickle.dumps({"loss": [1.0], "x": Malicious()}, protocol))
            with pytest.raises(Refused, match=r"posix.system|nt.system"):
                read_pickle(path)
        for named in (eval, pickle.loads, np.ndarray, type, {"loss": slice(1)}):
            path.write_bytes(pickle.dumps(named))
            with pytest.raises(Refused, match="not unpickled"):
                read_pickle(path)
        assert not marker.exists()

    @pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04N", b"\x80\x03}q\x00(X\xff\xff\xff\x7floss"])
    def test_damaged_pickles_are_named(self, tmp_path, content):
        (tmp_path / "model_1_1.p").write_bytes(content)
        with pytest.raises(Refused, match=r"model_1_1\.p"):
            read_pickle(tmp_path / "model_1_1.p")

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"val_accuracy": [0.1, float("nan"), 0.3]}, "val_accuracy of epoch 2 is nan"),
            ({"val_loss": [1, 10**400, 1]}, "val_loss of epoch 2 is a number of 1,329 bits"),
            ({"loss": [1.0]}, "unequal length"),
            ({"loss": []}, "lacks the learning curve loss"),
            ({"val_accuracy": [0.1, 0.2, "high"]}, "epoch 3 is no number"),
            ({"val_accuracy": [10, 20, 30]}, "not between 0 and 1"),
            ({"val_loss": 5}, "lacks the learning curve val_loss"),
        ],
    )
    def test_curves_that_cannot_count_are_refused_with_the_reason(self, changed, said):
        with pytest.raises(Refused, match=said):
            check_curves(CURVES | changed, "model_1_1.json")

    def test_old_names_are_known(self):
        old = {"loss": [1], "acc": [0.5], "val_loss": [1], "val_acc": [0.6]}
        assert check_curves({"history": old}, "x")["val_accuracy"] == [0.6]

    def test_a_single_peak_does_not_count_and_a_steady_curve_s_best_epoch_does(self):
        steady = summarise(CURVES | {"val_accuracy": [0.5, 0.6, 0.7, 0.71, 0.72]}, 5, 0.025)
        assert (steady.counted, steady.erratic, steady.best_epoch) == (0.72, False, 5)
        rising = summarise(CURVES | {"val_accuracy": [0.19, 0.3, 0.41, 0.6]}, 5, 0.025)
        assert (rising.counted, rising.erratic) == (0.6, False)
        erratic = summarise(CURVES | {"val_accuracy": [0.5, 0.6, 0.9, 0.61, 0.62]}, 5, 0.025)
        assert (erratic.counted, erratic.erratic, erratic.best) == (0.62, True, 0.9)
