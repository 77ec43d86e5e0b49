"""Grading a course: the sample hand-ins, hostile ones, reruns, interruptions, and the pages people get."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, assert_one_clear_line, require

import svhn.grading.evidence
import svhn.grading.grade
from svhn.data.laid_out import measured_digits
from svhn.data.protocol import split_digits
from svhn.data.sources import load_digits
from svhn.errors import SVHNError
from svhn.files import only_one
from svhn.grading.evidence import examine
from svhn.grading.examination import Job, examine_one
from svhn.grading.facts import Execution
from svhn.grading.grade import grade
from svhn.grading.handins import opened
from svhn.grading.marks import mark_rows
from svhn.grading.pages.feedback import feedback_text
from svhn.grading.pages.reports import Graded
from svhn.rubric.calibration import load_calibration
from svhn.rubric.questions import ROWS

SAMPLES = ROOT / "tests/handins"
SCRIPT = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def digits():
    # The digits that the sample hand-ins learned from and make claims about.
    return load_digits("drawn", ROOT / "data")


@pytest.fixture(scope="module")
def samples(digits, tmp_path_factory):
    out = tmp_path_factory.mktemp("graded")
    return out, {
        one.name: one for one in grade([SAMPLES / name for name in ("broken", "good", "old_layout")], digits, out)
    }


def evidence_of(out, name):
    return json.loads((out / name / "evidence.json").read_text(encoding="utf-8"))


def small_handin(folder, name="Ann", answer="Yes."):
    folder.mkdir(parents=True)
    text = f"your_name = {name!r}\nstudent_id = '1'\nanswer_q_1_1 = {answer!r}\n"
    (folder / "answers.py").write_text(text, encoding="utf-8")
    return folder


class TestSamples:
    def test_each_gets_its_files_and_the_course_its_table(self, samples):
        out, graded = samples
        assert list(graded) == ["broken", "good", "old_layout"]
        for name in graded:
            assert {path.name for path in (out / name).iterdir()} >= {"report.html", "feedback.txt", "evidence.json"}
        with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
            table = {row["handin"]: row for row in csv.DictReader(file)}
        assert table["good"]["name"] == "Visser, Noor" and table["good"]["rows_marked"] == "5"
        assert table["good"]["1.1 explanation"] == "" and float(table["good"]["2.2 performance"]) > 0

    def test_the_good_one_is_what_it_claims_to_be(self, samples):
        out, graded = samples
        evidence = evidence_of(out, "good")
        # The other two samples were made from it, and a base as large as VGG16's is not committed.
        assert evidence["findings"] == [] and graded["good"].flags == [
            "model_1_2: its curve would count with 61.9%, and the stored file scores 59.4%, which may be chance",
            "model_2_2: its curve would count with 88.4%, and the stored file scores 86.9%, which may be chance",
            "model_4_1 has convolutions of 8, 8 filters, and 4.1 asks for VGG16's base",
            "the hand-in has this in common with broken: the weights of model_1_1, the learning curves of model_1_1",
            "the hand-in has this in common with old_layout: answer 1.1, answer 1.2, answer 1.3",
        ]
        assert len(evidence["answers"]) == 10 and evidence["evaluation_4_2"] == 0.555
        for model in evidence["models"].values():
            assert all(claim["same"] for claim in model["claims"]) and len(model["claims"]) == 2
            record_test = model["record"]["accuracy"]["test"]
            assert model["measured"]["accuracy"]["test"] == pytest.approx(record_test, abs=0.002)

    def test_the_old_layout_is_measured_too(self, samples):
        out, graded = samples
        evidence = evidence_of(out, "old_layout")
        assert evidence["student"] == {"name": "Jansen, Bo", "id": "7654321"}
        assert set(evidence["answers"]) == {"1.1", "1.2", "1.3"}
        for name in ("model_1_1", "model_1_2"):
            model = evidence["models"][name]
            assert model["measured"]["outputs"] == "OpenML class index"
            assert (
                model["measured"]["accuracy"]["validation"]
                == pytest.approx(model["curves"]["val_accuracy"][-1], abs=0.002)
                or model["claims"]
            )
        # It does not say that it is of these digits, which are not SVHN: nothing tells whether its claims are true.
        reasons = {mark.row.name: mark.reason for mark in graded["old_layout"].marks}
        assert all(mark.value is None for mark in graded["old_layout"].marks)
        assert "the grader's digits are not SVHN" in reasons["1.1 performance"]

    def test_the_broken_one_says_what_is_missing_and_withholds_only_those_marks(self, samples):
        out, graded = samples
        told = "\n".join(evidence_of(out, "broken")["findings"])
        for words in ("Assignment3.ipynb is not a readable notebook", "answers.py is not UTF-8",
                      "model_1_1: model_1_1.json: val_accuracy of epoch 1 is nan", "unequal length",
                      "model_1_3: model_1_3.keras cannot be loaded", "model_2_1: there is no model file",
                      "model_2_2.json is not readable JSON", "model_4_1: neither model nor learning curves",
                      "answer_q_1_2 (answers.py) is computed", "answer_q_2_1 (answers.py) is empty"):  # fmt: skip
            assert words in told
        assert all(mark.value is None for mark in graded["broken"].marks)
        text = (out / "broken/feedback.txt").read_text(encoding="utf-8")
        assert "no row is marked yet" in text and "model_1_1.json: val_accuracy of epoch 1 is nan." in " ".join(
            text.split()
        )
        with (out / "manual.csv").open(encoding="utf-8", newline="") as file:
            waiting = {line["row"]: line["reason"] for line in csv.DictReader(file) if line["handin"] == "broken"}
        assert list(waiting) == [row.name for row in ROWS] and all(waiting.values())

    def test_no_page_holds_a_traceback(self, samples):
        out, _ = samples
        for path in [*out.rglob("*.html"), *out.rglob("*.txt"), *out.rglob("evidence.json")]:
            text = path.read_text(encoding="utf-8")
            assert "Traceback" not in text and "please report this" not in text

    def test_feedback_has_the_course_s_shape(self, samples):
        lines = (samples[0] / "good/feedback.txt").read_text(encoding="utf-8").splitlines()
        assert lines[1] == "Student: Visser, Noor (1234567)"
        assert [line[:16].strip() for line in lines[3:19]] == [row.name for row in ROWS]
        assert sum("not yet marked" in line for line in lines) == 11
        assert any(re.match(r"Total: \d+\.\d/10 \(\d+\.\d/10\) over the 5 of 16 rows marked", line) for line in lines)
        assert sum(line.startswith("Question ") for line in lines) == 10

    def test_the_report_shows_answers_curves_and_the_plots_of_part_3(self, samples):
        page = (samples[0] / "good/report.html").read_text(encoding="utf-8")
        for number in ("1.1", "4.2"):
            assert f"Answer {number} <small>" in page
        assert page.count("<polyline") == 18 and page.count("Plot stored in the notebook") == 3
        assert (samples[0] / "good/plots/3.2-1.png").read_bytes().startswith(b"\x89PNG")
        assert "brightest where the strokes" in page and "of 500 characters, from answers.py" in page

    def test_full_marks_by_a_person_complete_the_total_without_measuring_again(self, samples, digits, tmp_path):
        out = tmp_path / "graded"
        shutil.copytree(samples[0], out)
        before = (out / "good/evidence.json").stat().st_mtime_ns
        table = (out / "manual.csv").read_text(encoding="utf-8")
        assert "good,4.1 performance,,," in table  # Whose network is doubted.
        (out / "manual.csv").write_text(re.sub(r"^(good,[^,]+),,,", r'\1,8.0,"Well said.",', table, flags=re.M))
        (graded,) = grade([SAMPLES / "good"], digits, out)
        assert graded.total.complete and re.fullmatch(r"\d\.\d/10 \(\d\d\.\d/40\)", graded.total.text)
        assert (out / "good/evidence.json").stat().st_mtime_ns == before
        assert "Well said." in (out / "good/feedback.txt").read_text(encoding="utf-8")


class TestHostileTexts:
    def test_what_a_hand_in_says_stays_text(self, digits, tmp_path):
        small_handin(tmp_path / "course/<b>&", name=SCRIPT, answer=f"{SCRIPT}\x1b[31m\u202e")
        small_handin(tmp_path / "course/bo", name="=HYPERLINK(1)\nX", answer="half a pair: \ud83d")
        (tmp_path / "course/bo" / os.fsdecode(b"model_1_1\xff.h5")).write_bytes(b"no model")
        graded = grade([tmp_path / "course"], digits, tmp_path / "out", limit=10)
        assert [one.name for one in graded] == ["_b__", "bo"]
        for page in (tmp_path / "out").rglob("*.html"):
            text = page.read_text(encoding="utf-8")
            assert SCRIPT not in text
        evidence = evidence_of(tmp_path / "out", "bo")
        assert evidence["answers"]["1.1"]["text"] == "half a pair: ?"
        assert "model_1_1?.h5 cannot be loaded" in evidence["models"]["model_1_1"]["refused"]
        assert "&lt;script&gt;" in (tmp_path / "out/_b__/report.html").read_text(encoding="utf-8")
        assert "\x1b" not in (tmp_path / "out/_b__/feedback.txt").read_text(encoding="utf-8")
        with (tmp_path / "out/grades.csv").open(encoding="utf-8", newline="") as file:
            assert [row["name"] for row in csv.DictReader(file)] == [SCRIPT, "'=HYPERLINK(1) X"]


class TestReruns:
    @pytest.fixture
    def course(self, tmp_path):
        for name in ("ann", "bob", "cem"):
            small_handin(tmp_path / "course" / name, name=name)
        return tmp_path / "course", tmp_path / "out"

    def times(self, out):
        return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/evidence.json")}

    def test_only_what_changed_is_graded_again(self, course, digits):
        folder, out = course
        grade([folder], digits, out, limit=10)
        first = self.times(out)
        grade([folder], digits, out, limit=10)
        assert self.times(out) == first
        (folder / "bob/answers.py").write_text("your_name = 'Robert'", encoding="utf-8")
        (out / "cem/evidence.json").write_text('{"format": 1, "key', encoding="utf-8")
        graded = grade([folder], digits, out, limit=10)
        second = self.times(out)
        assert second["ann"] == first["ann"] and second["bob"] != first["bob"]
        assert [one.evidence.student.name for one in graded] == ["ann", "Robert", "cem"]
        grade([folder], digits, out, limit=11)
        assert self.times(out)["ann"] != first["ann"]

    def test_where_nothing_changed_nothing_heavy_is_loaded(self, course, digits):
        folder, out = course
        (folder / "dan.zip").write_bytes(b"no archive")
        first = grade([folder], digits, out, limit=10)
        program = "import sys; from svhn.__main__ import main; status = main(sys.argv[1:])\n"
        program += "print(status, sorted({'keras', 'tensorflow', 'sklearn', 'nbformat'} & set(sys.modules)))"
        arguments = ["grade", folder, "--out", out, "--limit", "10", "--data", "drawn"]
        process = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
        lines = process.stdout.splitlines()
        assert lines[-1] == "0 []", process.stderr
        assert [line.split()[0] for line in lines[2:6]] == [one.name for one in first] == ["ann", "bob", "cem", "dan"]

    def test_a_fault_inside_one_hand_in_is_one_line_there_and_the_others_go_on(self, course, digits, monkeypatch):
        folder, out = course

        def examine(handin, *rest):
            if handin.folder.name == "bob":
                raise ZeroDivisionError("of all\nthings")
            return genuine(handin, *rest)

        genuine = svhn.grading.evidence.examine
        monkeypatch.setattr(svhn.grading.evidence, "examine", examine)
        graded = grade([folder], digits, out, limit=10)
        assert [one.evidence.student.name for one in graded] == ["ann", None, "cem"]
        page = (out / "bob/report.html").read_text(encoding="utf-8")
        assert "the grader failed at it (ZeroDivisionError: of all things); please report this" in page
        monkeypatch.undo()
        assert grade([folder], digits, out, limit=10)[1].evidence.student.name == "bob"

    def test_a_result_that_cannot_be_written_costs_no_other_hand_in(self, course, digits):
        folder, out = course
        out.mkdir()
        (out / "bob").write_text("in the way")
        with pytest.raises(SVHNError, match=r"1 of 3 hand-ins were not graded \(bob: cannot write"):
            grade([folder], digits, out, limit=10)
        first = self.times(out)
        assert set(first) == {"ann", "cem"} and "cem" in (out / "index.html").read_text(encoding="utf-8")
        (out / "bob").unlink()
        assert [one.name for one in grade([folder], digits, out, limit=10)] == ["ann", "bob", "cem"]
        assert self.times(out)["ann"] == first["ann"]

    @pytest.mark.parametrize("edited", [{"answers": {"1.1": 3}}, {"findings": "none"}, {"models": {}}])
    def test_evidence_edited_into_another_shape_is_made_anew(self, course, digits, edited):
        folder, out = course
        first = grade([folder], digits, out, limit=10)
        evidence = evidence_of(out, "bob")
        (out / "bob/evidence.json").write_text(json.dumps(evidence | edited), encoding="utf-8")
        assert [one.evidence for one in grade([folder], digits, out, limit=10)] == [one.evidence for one in first]

    def test_a_fault_in_marking_one_hand_in_is_one_line_there_and_the_others_go_on(self, course, digits, monkeypatch):
        folder, out = course

        def mark_rows(evidence, *rest):
            if evidence.student.name == "bob":
                raise ZeroDivisionError("of all\nthings")
            return genuine(evidence, *rest)

        genuine = svhn.grading.grade.mark_rows
        monkeypatch.setattr(svhn.grading.grade, "mark_rows", mark_rows)
        ann, bob, cem = grade([folder], digits, out, limit=10)
        assert (ann.student, cem.student) == ("ann (1)", "cem (1)")
        assert "the grader failed at it (ZeroDivisionError" in bob.evidence.findings[0]

    def test_an_executor_s_findings_are_shown_and_its_fault_is_contained(self, course, digits):
        folder, out = course

        def execute(handin, results):
            if handin.name == "bob":
                raise OSError("no sandbox")
            (results / "executed.ipynb").write_text("{}")
            findings = ["it tried <b>the network</b>"]
            return Execution(ran=True, seconds=1.5, findings=findings, notebook="executed.ipynb")

        graded = grade([folder], digits, out, limit=10, execute=execute)
        assert graded[0].evidence.execution.seconds == 1.5
        page = (out / "ann/report.html").read_text(encoding="utf-8")
        assert "it tried &lt;b&gt;the network&lt;/b&gt;" in page and 'href="executed.ipynb"' in page
        assert "it could not be run (OSError: no sandbox)" in (out / "bob/report.html").read_text(encoding="utf-8")

    def test_a_wrong_mark_is_told_before_anything_is_measured(self, course, digits):
        folder, out = course
        out.mkdir()
        (out / "manual.csv").write_text("handin,row,mark,comment\nann,3.1,great,\n", encoding="utf-8")
        with pytest.raises(SVHNError, match="line 2"):
            grade([folder], digits, out)
        assert not (out / "ann").exists()

    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
    def test_a_run_that_is_killed_or_stopped_goes_on_where_it_was(self, course, digits, sent, status):
        folder, out = course
        for name in ("ann", "bob", "cem"):
            shutil.copytree(SAMPLES / "good/models", folder / name / "models")
        process = subprocess.Popen(
            [sys.executable, "-m", "svhn", "grade", folder, "--out", out, "--data", "drawn", "--workers", "1"],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            # Tests in the background of a shell inherit that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while process.poll() is None and not (out / "ann/evidence.json").exists():
            time.sleep(0.05)
        process.send_signal(sent)
        assert process.wait() == status
        first = self.times(out)
        assert "ann" in first and "cem" not in first and not (out / "grades.csv").exists()
        graded = grade([folder], digits, out)
        assert self.times(out)["ann"] == first["ann"]
        assert [len(one.evidence.models["model_2_2"].claims) for one in graded] == [2, 2, 2]
        assert (out / "index.html").exists()
        kinds, models = ("weights", "learning curves"), ("1_1", "1_2", "1_3", "2_1", "2_2", "4_1")
        works = ", ".join(f"the {kind} of model_{model}" for model in models for kind in kinds)
        assert graded[1].flags[-1] == f"the hand-in has this in common with ann, cem: {works}"


class TestUnread:
    @pytest.mark.parametrize(
        ("name", "model"),
        [("models.zip", "model_1_1"), ("net.h5", "model_1_1"), ("model_4_1.pt", "model_4_1"),
         ("model_4_1.h5", "model_4_1"), ("Model 4.1/saved_model.pb", "model_4_1"), ("old/model_4_1.h5", "model_4_1")],
    )  # fmt: skip
    def test_what_may_be_in_an_unread_file_is_not_called_missing(self, digits, tmp_path, name, model):
        path = small_handin(tmp_path / "ann") / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(100_000_001 if name == "model_4_1.h5" else 5)
        with measured_digits(split_digits(digits), 10) as measured, opened(tmp_path / "ann") as handin:
            evidence = examine(handin, measured)
        told = name.partition("/")[0]
        assert told in evidence.models[model].refused
        assert name.endswith(".h5") or told in evidence.models[model].curves_refused
        assert not any("neither" in line and model in line for line in evidence.findings)
        assert sum(told in line for line in evidence.findings) == 1
        page = feedback_text(Graded("ann", evidence, mark_rows(evidence, load_calibration(), {})))
        assert f"You handed in no {model}" not in " ".join(page.split())


class TestLimits:
    def test_one_hand_in_has_one_time_for_all_its_files_and_says_where_it_ended(self, digits, tmp_path):
        small_handin(tmp_path / "ann")
        shutil.copytree(SAMPLES / "good/models", tmp_path / "ann/models")
        with measured_digits(split_digits(digits), 10) as measured, opened(tmp_path / "ann") as handin:
            spent = examine(handin, measured, seconds=0)
        reasons = {model.refused for model in spent.models.values()}
        assert reasons == {"the 0 s that one hand-in may take were used up"} and not spent.faults
        assert all(model.here and model.curves_here for model in spent.models.values())
        assert "answers.py could not be read: the 0 s that one hand-in may take were used up" in spent.findings

    def test_a_grading_that_goes_on_is_not_joined_by_a_second_one(self, digits, tmp_path):
        small_handin(tmp_path / "ann")
        with only_one(tmp_path / "out", "grading"), pytest.raises(SVHNError, match="another grading writes to"):
            grade([tmp_path / "ann"], digits, tmp_path / "out", limit=10)
        assert grade([tmp_path / "ann"], digits, tmp_path / "out", limit=10)[0].name == "ann"

    @pytest.fixture
    def disk(self, tmp_path):
        """A disk of a few blocks, and what makes it larger."""
        require(hasattr(os, "geteuid") and os.geteuid() == 0, "only root may mount a disk")
        folder = tmp_path / "disk"
        folder.mkdir()

        def mount(*options):
            command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder]
            return subprocess.run(command, capture_output=True, text=True).returncode == 0

        require(mount("size=20k"), "no disk can be mounted here")
        yield folder, lambda size: mount("remount", f"size={size}")
        subprocess.run(["umount", "--lazy", folder], check=True)

    def test_a_full_disk_costs_nothing_that_was_written_and_a_later_run_goes_on(self, digits, tmp_path, disk):
        folder, enlarge = disk
        names = [f"student-{number}" for number in range(8)]
        for name in names:
            small_handin(tmp_path / "course" / name, name=name)
        with pytest.raises(SVHNError, match="No space left on device; free some space"):
            grade([tmp_path / "course"], digits, folder / "out", limit=10, workers=1)
        written = {path: path.read_bytes() for path in folder.rglob("evidence.json")}
        assert 0 < len(written) < len(names) and all(map(json.loads, written.values()))
        assert not list(folder.rglob(".*.tmp*"))
        assert enlarge("10m")
        graded = grade([tmp_path / "course"], digits, folder / "out", limit=10, workers=1)
        assert [one.evidence.student.name for one in graded] == names
        assert all(path.read_bytes() == content for path, content in written.items())

    def test_where_there_is_no_room_to_unpack_the_hand_in_is_not_to_blame(self, digits, tmp_path, disk, monkeypatch):
        folder, enlarge = disk
        small_handin(tmp_path / "course/ann")
        (tmp_path / "course/ann/model_1_1.h5").write_bytes(os.urandom(100_000))
        shutil.make_archive(str(tmp_path / "course/ann"), "zip", tmp_path / "course/ann")
        shutil.rmtree(tmp_path / "course/ann")
        with measured_digits(split_digits(digits), 10) as measured:
            job = Job("these", tmp_path / "out", measured)
            monkeypatch.setattr("tempfile.tempdir", str(folder))
            with pytest.raises(SVHNError, match=r"cannot unpack it .*free some space or set TMPDIR"):
                examine_one("ann", tmp_path / "course/ann.zip", job)
            assert not (tmp_path / "out").exists() and enlarge("10m")
            examine_one("ann", tmp_path / "course/ann.zip", job)
        assert evidence_of(tmp_path / "out", "ann")["student"]["name"] == "Ann"


class TestWorkInCommon:
    def test_long_answers_to_the_word_are_told_with_whose_they_are_and_short_ones_are_not(self, digits, tmp_path):
        words = "The dense network reads fewer digits than the convolutional one, for it shares no weights over places."
        for name, answer in {"ann": words, "bob": words.replace(" ", "\n ").upper(), "cem": words[:-40]}.items():
            small_handin(tmp_path / "course" / name, answer=answer)
        for name in ("dee", "eva"):
            small_handin(tmp_path / "course" / name)
        graded = grade([tmp_path / "course"], digits, tmp_path / "out", limit=10)
        assert [one.flags for one in graded] == [
            ["the hand-in has this in common with bob: answer 1.1"],
            ["the hand-in has this in common with ann: answer 1.1"],
            [], [], [],
        ]  # fmt: skip
        assert "in common with bob" in (tmp_path / "out/ann/report.html").read_text(encoding="utf-8")
        assert "bob" not in (tmp_path / "out/ann/feedback.txt").read_text(encoding="utf-8")


class TestCommand:
    def test_it_says_where_everything_is(self, command, tmp_path):
        small_handin(tmp_path / "ann")
        (tmp_path / "empty").mkdir()
        process = command(
            "grade", tmp_path / "ann", tmp_path / "empty", "--out", tmp_path / "out", "--data", "drawn", "--limit", 10
        )
        assert process.returncode == 0, process.stderr
        for words in ("ann    no row is marked yet", "index.html", "grades.csv", "manual.csv", "are not SVHN"):
            assert words in process.stdout
        assert "grading: 100%" in process.stderr

    def test_a_missing_folder_is_one_clear_line(self, command, tmp_path):
        assert_one_clear_line(command("grade", tmp_path / "nowhere"), "nowhere", "no such hand-in")


class TestBrowser:
    def dom(self, page, tmp_path):
        require(shutil.which("chromium"), "chromium is not installed")
        return subprocess.run(
            [
                "chromium",
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=2000",
                "--dump-dom",
                page.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout

    def test_the_index_sorts_by_name_and_by_number_and_finds(self, samples, tmp_path):
        page = (samples[0] / "index.html").read_text(encoding="utf-8")
        clicks = """<script>
            const rows = () => [...document.querySelectorAll("tbody tr:not([hidden])")];
            const names = () => rows().map((row) => row.cells[0].textContent);
            const heads = document.querySelectorAll("th button"), said = [];
            heads[0].click(); heads[0].click(); said.push(names().join());
            heads[5].click(); said.push(names().join());
            const box = document.querySelector("input");
            box.value = "visser"; box.dispatchEvent(new Event("input")); said.push(names().join());
            document.title = said.join(";");
        </script></body>"""
        clicked = tmp_path / "index.html"
        clicked.write_text(page.replace("</body>", clicks), encoding="utf-8")
        title = re.search(r"<title>(.*?)</title>", self.dom(clicked, tmp_path))[1]
        assert title == "old_layout,good,broken;broken,old_layout,good;good"

    def test_a_report_runs_no_script_whatever_is_in_it(self, samples, tmp_path):
        page = (samples[0] / "good/report.html").read_text(encoding="utf-8")
        spoiled = tmp_path / "report.html"
        spoiled.write_text(page.replace("</body>", f"{SCRIPT}</body>"), encoding="utf-8")
        assert "<title>good: report</title>" in self.dom(spoiled, tmp_path)
