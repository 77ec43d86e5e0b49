"""From figures and judgement to sixteen marks and a total."""

import codecs
import csv
import io
from dataclasses import replace

import pytest
from made_records import a_measured, provenance

from svhn.errors import SVHNError
from svhn.grading.claims import compare, in_common
from svhn.grading.evidence import departures, doubts
from svhn.grading.facts import NO_CURVES, NO_MODEL, Answer, Model, NamedDigits, Recorded, Student, nothing_but
from svhn.grading.marks import Mark, mark_rows, total_of
from svhn.grading.pages.feedback import feedback_text
from svhn.grading.pages.manual import list_waiting, read_manual
from svhn.grading.pages.reports import Graded, claim_text, write_course, write_handin
from svhn.rubric.calibration import CALIBRATION, load_calibration
from svhn.rubric.questions import ROWS

# What is known of the course's calibration, from one hand-in that it graded.
KNOWN = {"1.1": (0.701, 6.0), "1.2": (0.754, 7.1), "1.3": (0.756, 7.1), "2.1": (0.945, 8.6), "2.2": (0.898, 5.9),
         "4.1": (0.808, 7.5), "4.2": (0.818, 7.0)}  # fmt: skip
VGG16 = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
DRAWN = NamedDigits(name="drawn, seed 1", real=False, fingerprint="other")
PROVENANCE = provenance(name="digits", validation=1000, test=1000)


@pytest.fixture(scope="module")
def calibration():
    return load_calibration()


def a_model(curve, measured, record=None, digits=1000, of=PROVENANCE, **more):
    counts = {"validation": digits, "test": digits}
    model = Model(
        curves={"val_accuracy": curve, "accuracy": curve, "loss": curve, "val_loss": curve},
        record=record,
        measured=a_measured(accuracy=measured, digits=counts, **more),
    )
    model.claims = compare(model, of)
    return model


def evidence_with(model, **more):
    """The evidence of a hand-in of which nothing but its `model_1_1` was read."""
    evidence = nothing_but("")
    return replace(evidence, models=evidence.models | {"model_1_1": model}, **more)


def mark_of(calibration, row, model):
    return next(mark for mark in mark_rows(evidence_with(model), calibration, {}) if mark.row.name == row)


class TestCalibration:
    def test_sixteen_rows_are_worth_forty_points(self):
        assert len(ROWS) == 16 and sum(row.points for row in ROWS) == 40
        assert {row.name: row.points for row in ROWS}["2.1 performance"] == 3.5
        assert sum(row.calibrated for row in ROWS) == len(KNOWN)

    @pytest.mark.parametrize("question", KNOWN)
    def test_the_known_points_are_met(self, calibration, question):
        share, mark = KNOWN[question]
        assert calibration.mark(question, share) == mark

    @pytest.mark.parametrize("question", KNOWN)
    def test_marks_rise_from_zero_to_ten(self, calibration, question):
        marks = [calibration.mark(question, share / 1000) for share in range(1001)]
        assert marks == sorted(marks) and (marks[0], marks[190], marks[-1]) == (0, 0, 10)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("window = 5", "window = 4", "window"),
            ("[70.1, 6.0]", "[70.1, 11.0]", "1.1"),
            ("[70.1, 6.0]", "[10.0, 6.0]", "1.1"),
            ("[curve]", "[curves]", "curve"),
            ("[marks]", "[marks", "no calibration"),
        ],
    )
    def test_a_calibration_that_is_none_is_named(self, tmp_path, old, new, said):
        path = tmp_path / "calibration.toml"
        path.write_text(CALIBRATION.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        with pytest.raises(SVHNError, match=said):
            load_calibration(path)


class TestClaims:
    def test_a_confirmed_curve_counts(self, calibration):
        model = a_model([0.5, 0.69, 0.701], {"validation": 0.695, "test": 0.7})
        assert [(claim.flagged, claim.contradicted) for claim in model.claims] == [(False, False)]
        mark = mark_of(calibration, "1.1 performance", model)
        assert (mark.value, mark.by) == (6.0, "calibration") and "70.1%" in mark.reason

    def test_more_than_one_point_is_flagged_but_chance_contradicts_nothing(self, calibration):
        model = a_model([0.5, 0.69, 0.701], {"validation": 0.675, "test": 0.7})
        assert [(claim.flagged, claim.contradicted) for claim in model.claims] == [(True, False)]
        assert mark_of(calibration, "1.1 performance", model).value == 6.0

    def test_a_model_that_does_not_do_what_is_claimed_gets_no_mark_by_itself(self, calibration):
        mark = mark_of(calibration, "1.1 performance", a_model([0.9, 0.95, 0.99], {"validation": 0.5, "test": 0.5}))
        assert mark.value is None and "withheld" in mark.reason

    def test_a_forged_plateau_before_a_true_last_epoch_gets_no_mark_by_itself(self, calibration):
        model = a_model([0.3, 0.5, *[0.97] * 6, 0.3], {"validation": 0.3, "test": 0.3})
        assert not any(claim.flagged for claim in model.claims)
        mark = mark_of(calibration, "1.1 performance", model)
        assert mark.value is None and "far less than its curve" in mark.reason
        graded = Graded("ann", evidence_with(model), [mark], {"model_1_1": calibration.summarise(model.curves)})
        assert graded.flags == ["model_1_1: its curve would count with 97.0%, and the stored file scores 30.0%"]

    @pytest.mark.parametrize(
        ("name", "changed", "said"),
        [
            ("model_1_1", {}, ""),
            ("model_1_1", {"kinds": ["BatchNormalization", "Dense", "PReLU"]}, ""),
            ("model_1_1", {"kinds": ["Conv2D", "Dense"], "convolutions": 3}, "has layers of the kind Conv2D, and 1.1"),
            (
                "model_1_3",
                {"kinds": ["Dense", "MultiHeadAttention"], "channels": 1},
                "kind MultiHeadAttention, and 1.3",
            ),
            ("model_2_1", {"channels": 1}, "has no convolution"),
            ("model_2_1", {"convolutions": 2}, "reads colour images, and 2.1 asks for grey ones"),
            ("model_1_2", {}, "reads colour images, and 1.2 asks for grey ones"),
            ("model_4_1", {"convolutions": 13, "kinds": ["Conv2D", "Dense"], "filters": VGG16}, ""),
            ("model_4_1", {"convolutions": 2, "filters": [16, 32]}, "has convolutions of 16, 32 filters, and 4.1 asks"),
            (
                "model_2_2",
                {"convolutions": 4, "channels": 1, "structure": "other"},
                "is another network than model_2_1, and 2.2",
            ),
            (
                "model_2_2",
                {"convolutions": 4, "channels": 1, "weights": "other's"},
                "has the very weights of model_2_1",
            ),
        ],
    )
    def test_a_model_is_the_one_that_its_question_asks_for(self, name, changed, said):
        models = {
            "model_2_1": Model(measured=a_measured(weights="other's")),
            name: Model(measured=a_measured(**changed)),
        }
        found = doubts(name, models)
        assert (found == []) if not said else (len(found) == 1 and said in found[0])

    @pytest.mark.parametrize(
        ("name", "changed", "epochs", "said"),
        [
            ("model_1_1", {}, 50, ""),
            ("model_1_1", {}, 51, "51 epochs, and 5 to 50 are allowed"),
            ("model_2_1", {}, 4, "4 epochs, and 5 to 100 are allowed"),
            ("model_1_1", {"channels": 1}, 9, "reads grey images"),
            ("model_1_1", {"dense": [64, 64, 10]}, 9, "dense layers of 64, 64, 10 units"),
            ("model_1_1", {"dense": [64, 10]}, 9, "three or more"),
            ("model_1_3", {"dense": [64, 64, 10], "channels": 1}, 9, ""),
        ],
    )
    def test_what_the_assignment_does_not_allow_is_told(self, name, changed, epochs, said):
        found = departures(name, Model(curves={"loss": [1.0] * epochs}, measured=a_measured(**changed)))
        assert (found == []) if not said else (len(found) == 1 and said in found[0])

    def test_what_is_doubted_gets_no_mark_by_itself(self, calibration):
        model = a_model([0.5, 0.69, 0.701], {"validation": 0.7, "test": 0.7})
        model.doubts = ["has convolutions"]
        mark = mark_of(calibration, "1.1 performance", model)
        assert mark.value is None and "the model has convolutions" in mark.reason

    @pytest.mark.parametrize("lift", [0.015, 0.025, 0.029])
    def test_an_epoch_that_the_stored_file_does_not_bear_out_is_flagged_and_counts_for_little(self, calibration, lift):
        model = a_model([0.5, *[0.701 + lift] * 4, 0.701], {"validation": 0.701, "test": 0.7}, digits=100_000)
        mark = mark_of(calibration, "1.1 performance", model)
        assert calibration.mark("1.1", 0.701) <= mark.value <= calibration.mark("1.1", 0.711)
        assert "71.1% counts" in mark.reason
        graded = Graded("ann", evidence_with(model), [], {"model_1_1": calibration.summarise(model.curves)})
        assert "its curve would count with" in graded.flags[0]

    @pytest.mark.parametrize("claimed", [0.3, 0.5, 0.97])
    def test_where_the_preprocessing_is_a_guess_the_figure_is_a_lower_bound_and_no_charge(self, calibration, claimed):
        model = a_model([claimed] * 5, {"validation": 0.25, "test": 0.25}, guessed=True)
        mark = mark_of(calibration, "1.1 performance", model)
        assert mark.value is None and "at least 25.0%" in mark.reason and "claimed" not in mark.reason
        (line,) = Graded("ann", evidence_with(model), []).flags
        assert "at least 25.0% measured" in line and "preprocessing is not known" in line

    def test_a_guess_that_confirms_the_claim_is_no_obstacle(self, calibration):
        model = a_model([0.701] * 5, {"validation": 0.7, "test": 0.7}, guessed=True)
        assert mark_of(calibration, "1.1 performance", model).value == 6.0

    def test_much_more_than_claimed_may_have_been_trained_on_these_digits(self):
        model = a_model([0.7] * 5, {"validation": 0.99, "test": 0.7})
        (line,) = Graded("ann", evidence_with(model), []).flags
        assert "may have been trained on the digits measured on" in line

    @pytest.mark.parametrize("words", ["the same", "unnamed", "None"])
    def test_a_record_s_own_words_steer_nothing(self, words):
        record = Recorded(data=NamedDigits(name=words, real=False, fingerprint="other"))
        model = a_model([0.9, 0.99], {"validation": 0.3, "test": 0.3}, record)
        (claim,) = model.claims
        assert not claim.same and not claim.comparable and f"claimed on other digits, {words}" in claim_text(claim)

    @pytest.mark.parametrize("curve", ["accuracy", "loss"])
    def test_a_gap_in_another_curve_is_no_obstacle_to_mark_or_page(self, calibration, tmp_path, curve):
        model = a_model([0.5, 0.69, 0.701], {"validation": 0.7, "test": 0.7})
        model.curves[curve] = [None, 0.6, 0.7]
        evidence = evidence_with(model, digits="digits", data=PROVENANCE)
        marks = mark_rows(evidence, calibration, {})
        figures = {"model_1_1": calibration.summarise(model.curves)}
        write_handin(Graded("ann", evidence, marks, figures), tmp_path)
        assert marks[0].value == 6.0 and (tmp_path / "report.html").read_text(encoding="utf-8").count("<polyline") == 3

    def test_a_file_of_the_best_epoch_is_compared_with_that(self):
        (claim,) = a_model([0.5, 0.8, 0.7], {"validation": 0.8, "test": 0.8}).claims
        assert claim.source == "its best epoch, 2 of 3" and not claim.flagged

    def test_a_record_s_test_accuracy_is_a_claim_too(self):
        record = Recorded(accuracy={"test": 0.9})
        claims = a_model([0.7, 0.7], {"validation": 0.7, "test": 0.7}, record).claims
        assert [claim.part for claim in claims if claim.flagged] == ["test"]

    def test_drawn_digits_prove_nothing_about_real_ones(self, calibration):
        record = Recorded(data=DRAWN)
        model = a_model([0.9, 0.99], {"validation": 0.3, "test": 0.3}, record)
        assert not model.claims[0].flagged and not model.claims[0].comparable
        mark = mark_of(calibration, "1.1 performance", model)
        assert mark.value is None and "drawn, seed 1" in mark.reason

    def test_without_digits_of_svhn_no_claim_is_believed(self, calibration):
        model = a_model([0.96, 0.97], {"validation": 0.1, "test": 0.1}, of=replace(PROVENANCE, real=False))
        mark = mark_of(calibration, "1.1 performance", model)
        assert mark.value is None and "the grader's digits are not SVHN" in mark.reason

    @pytest.mark.parametrize(
        ("stated", "base", "said"),
        [
            (0.818, a_model([0.8, 0.8], {"validation": 0.8, "test": 0.8}), None),
            (1.0, a_model([0.8, 0.8], {"validation": 0.8, "test": 0.8}), "model_4_1 itself reads 80.0% of the test"),
            (0.818, nothing_but("").models["model_4_1"], "no model_4_1 to compare"),
            (
                0.818,
                replace(a_model([0.9], {"validation": 0.9, "test": 0.9}), doubts=["has no convolution"]),
                "model_4_1 has no convolution",
            ),
            (0.818, a_model([0.8, 0.8], {"validation": 0.5, "test": 0.5}, guessed=True), "reads at least 50.0% of the"),
        ],
    )
    def test_neighbours_of_embeddings_read_no_more_than_the_network(self, calibration, stated, base, said):
        evidence = nothing_but("")
        evidence.evaluation_4_2, evidence.models["model_4_1"] = stated, base
        (mark,) = [mark for mark in mark_rows(evidence, calibration, {}) if mark.row.question == "4.2"]
        assert mark.value == (None if said else 7.0) and (said or "81.8%") in mark.reason

    @pytest.mark.parametrize(("found", "flagged"), [(0.9, False), (0.81, False), (0.805, True), (0.79, True)])
    def test_neighbours_that_are_said_to_read_a_little_more_than_the_network_are_flagged(
        self, calibration, found, flagged
    ):
        evidence = nothing_but("")
        evidence.evaluation_4_2 = 0.818
        evidence.models["model_4_1"] = a_model([found] * 5, {"validation": found, "test": found})
        marks = mark_rows(evidence, calibration, {})
        flags = Graded("ann", evidence, marks).flags
        said = f"4.2: its notebook states a test accuracy of 81.8%, and model_4_1 itself reads {found:.1%}"
        assert marks[-1].value == 7.0 and flags == ([said] if flagged else [])

    @pytest.mark.parametrize("shape", ["best and last", "plateau", "rising", "zigzag", "late", "one"])
    @pytest.mark.parametrize("lift", [0.005, 0.011, 0.025, 0.05, 0.25])
    @pytest.mark.parametrize("digits", [100, 1600, 20_000])
    @pytest.mark.parametrize("honest_end", [True, False])
    def test_no_shape_of_a_curve_gains_unflagged_over_a_point(self, calibration, shape, lift, digits, honest_end):
        """A file that scores 70 %, and a curve that says more somewhere; it may end with the truth."""
        true, high = 0.7, 0.7 + lift
        curve = {
            "best and last": [0.5, high, 0.6],
            "plateau": [0.5, *[high] * 30],
            "rising": [0.1, 0.3, 0.5, 0.6, 0.65, high],
            "zigzag": [0.5, high, 0.6, high, 0.6, high, 0.6],
            "late": [0.6] * 98 + [high],
            "one": [high],
        }[shape]
        model = a_model([*curve, true] if honest_end else curve, {"validation": true, "test": true}, digits=digits)
        figures = calibration.summarise(model.curves)
        evidence = evidence_with(model)
        mark = mark_rows(evidence, calibration, {})[0]
        chance = max(0.01, 2 * (true * (1 - true) / digits) ** 0.5)
        assert mark.value is None or mark.value <= calibration.mark("1.1", true + chance)
        assert bool(Graded("ann", evidence, [mark], {"model_1_1": figures}).flags) >= (figures.counted - true > 0.01)

    def test_what_two_hand_ins_share_is_told_of_curves_as_of_weights(self):
        curve = [0.5, 0.55, 0.61, 0.64, 0.66]
        ann, bob = (a_model(curve, {"validation": 0.66, "test": 0.6}, weights=who) for who in ("ann", "bob"))
        flat = [a_model([0.1] * 5, {"validation": 0.1, "test": 0.1}, weights=who) for who in ("cem", "dan")]
        models = dict(zip(("ann", "bob", "cem", "dan"), (ann, bob, *flat), strict=True))
        shared = in_common({name: evidence_with(model) for name, model in models.items()})
        told = "the hand-in has this in common with {}: the learning curves of model_1_1"
        assert shared == {"ann": [told.format("bob")], "bob": [told.format("ann")], "cem": [], "dan": []}
        many = {f"s{number}": evidence_with(ann) for number in range(9)}
        assert in_common(many)["s0"] == [
            "the hand-in has this in common with s1, s2, s3, s4, s5 and 3 more: the weights of model_1_1, the learning "
            "curves of model_1_1"
        ]

    def test_an_erratic_peak_does_not_count(self, calibration):
        model = a_model([0.5, 0.6, 0.845, 0.61, 0.62], {"validation": 0.62, "test": 0.62})
        mark = mark_of(calibration, "1.1 performance", model)
        assert "62.0%" in mark.reason and "erratic" in mark.reason and mark.value == calibration.mark("1.1", 0.62)


class TestTotals:
    def test_as_the_course_writes_it(self):
        total = total_of(Mark(row, 8.3, "person", "") for row in ROWS)
        assert total.text == "8.3/10 (33.2/40)"

    def test_what_is_not_marked_is_said_and_is_not_zero(self):
        marks = [Mark(row, 8.0 if row.name == "3.2" else None, "", "") for row in ROWS]
        text = total_of(marks).text
        assert (
            text.startswith("8.0/10 (3.2/4) over the 1 of 16 rows marked") and "36 of 40 points are still open" in text
        )
        assert total_of([]).text == "no row is marked yet"

    def test_every_table_rounds_alike(self, tmp_path):
        marks = [
            Mark(row, 10.0 if row.name in ("2.1 performance", "3.2", "3.3") else 6.0, "person", "Why.") for row in ROWS
        ]
        marks = [
            Mark(row, 9.0 if row.question == "4.1" else mark.value, "person", "")
            for row, mark in zip(ROWS, marks, strict=True)
        ]
        earned = sum(mark.points for mark in marks)
        marks[2] = Mark(ROWS[2], marks[2].value + (33 - earned) * 10 / ROWS[2].points, "person", "")
        graded = Graded("ann", replace(nothing_but(""), digits="digits"), marks)
        assert round(graded.total.earned, 6) == 33
        write_course([graded], tmp_path, "digits")
        assert graded.total.text.startswith("8.3/10") and "Total: 8.3/10" in feedback_text(graded)
        with (tmp_path / "grades.csv").open(encoding="utf-8", newline="") as file:
            assert next(csv.DictReader(file))["mark"] == "8.3"
        assert "mean mark so far 8.3/10" in (tmp_path / "index.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "﹢", "−"])
    def test_no_cell_starts_a_formula_however_the_table_is_split(self, tmp_path, sign, delimiter):
        before = ["", " ", "\t", "\r", "\n", '"', "'", ' " ', "\ufeff", "\u200b", "\u2028", "\u202e", "\x00", '"", "']
        texts = [f"{start}{middle}{sign}1+1" for start in ("", "Doe;", "Doe,", "Doe\t", "Doe|") for middle in before]
        blank = [Mark(row, None, "", "") for row in ROWS]
        handins = [
            Graded("ann", replace(nothing_but(""), student=Student(name=text, id=text)), blank) for text in texts
        ]
        write_course(handins, tmp_path, "digits")
        list_waiting(tmp_path / "manual.csv", {str(n): {"3.1": text} for n, text in enumerate(texts)}, [])
        for table in ("grades.csv", "manual.csv"):
            with (tmp_path / table).open(encoding="utf-8", newline="") as file:
                cells = [cell for row in csv.reader(file, delimiter=delimiter) for cell in row]
            found = [cell for cell in cells if cell.strip(' "\ufeff\u200b').startswith(sign)]
            assert not found and sum(sign in cell for cell in cells) >= len(texts)

    def test_what_a_person_marked_is_not_said_to_be_open(self):
        marks = [Mark(row, 7.0, "person", "for a person to mark; the written answer has 20 characters") for row in ROWS]
        assert "person to mark" not in feedback_text(Graded("ann", nothing_but(""), marks))

    def test_a_zero_is_a_mark(self):
        assert total_of(Mark(row, 0.0, "person", "") for row in ROWS).text == "0.0/10 (0.0/40)"


class TestManualMarks:
    def test_a_person_s_mark_stands_above_the_calibration_s(self, calibration):
        marks = mark_rows(nothing_but("x"), calibration, {"1.1 performance": (5.5, "Seen."), "3.1": (None, "Soon.")})
        by_row = {mark.row.name: mark for mark in marks}
        assert (by_row["1.1 performance"].value, by_row["1.1 performance"].by) == (5.5, "person")
        assert (by_row["3.1"].value, by_row["3.1"].comment) == (None, "Soon.")

    def test_the_table_says_what_waits_and_why_and_keeps_every_byte_that_a_person_wrote(self, calibration, tmp_path):
        path = tmp_path / "manual.csv"
        marks = mark_rows(nothing_but("x"), calibration, {})
        waits = {mark.row.name: mark.reason for mark in marks if mark.value is None}
        list_waiting(path, {"ann": waits}, ["ann"])
        with path.open(encoding="utf-8", newline="") as file:
            rows = {line["row"]: line["reason"] for line in csv.DictReader(file)}
        assert list(rows) == [row.name for row in ROWS] and "learning curves were not read" in rows["1.1 performance"]
        text = path.read_text(encoding="utf-8").replace("ann,3.1,,,", 'ann,3.1,7.5,"Clear, but short.",')
        path.write_text(text, encoding="utf-8")
        list_waiting(path, {"ann": waits}, ["ann"])
        assert path.read_text(encoding="utf-8") == text
        list_waiting(path, {"bob": {"3.1": "no; =1+1"}}, ["ann", "bob"])
        assert path.read_text(encoding="utf-8") == text + "bob,3.1,,,no; '=1+1\n"
        entered = read_manual(path, ["ann", "bob"])
        assert entered["ann"]["3.1"] == (7.5, "Clear, but short.") and entered["bob"]["3.1"] == (None, "")

    def test_a_line_goes_with_its_reason_and_not_with_what_a_person_wrote(self, tmp_path):
        path, own = tmp_path / "manual.csv", 'ann;"1.1 performance";;"Ask her";was;'
        # With the columns of an earlier grading in an order of the person's own, as Windows saves them.
        path.write_bytes(f"\ufeffhandin;row;mark;comment\r\n{own}\r\nann;3.1;;\r\nann;3.2;;\r\nbob;3.1;;".encode())
        list_waiting(path, {"ann": {"3.2": "an answer", "1.1 performance": "a doubt"}}, ["ann", "bob"])
        head = "\ufeffhandin;row;mark;comment;reason\r\n"
        assert path.read_bytes().decode() == f"{head}{own}\r\nann;3.2;;;an answer\r\nbob;3.1;;"
        list_waiting(path, {"ann": {}}, ["ann", "bob"])
        assert path.read_bytes().decode() == f"{head}{own}\r\nbob;3.1;;"
        path.write_text("row,handin,reason,comment,mark\n", encoding="utf-8")
        list_waiting(path, {"ann": {"3.1": "why"}}, ["ann"])
        assert path.read_text(encoding="utf-8") == "row,handin,reason,comment,mark\n3.1,ann,why,,\n"

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("shape", ["as it was", "sorted", "columns moved", "reason dropped", "padded", "retyped"])
    def test_as_spreadsheets_save_it_back(self, tmp_path, encoding, delimiter, end, shape):
        """Each with a mark and a comment typed in; the second grading keeps them and still lists what waits."""
        path, names = tmp_path / "manual.csv", ["0012", "Müller", "Zoë; Ann, 2"]
        waiting = {name: {"3.1": "an answer", "1.1 performance": "a doubt; '=1"} for name in names}
        list_waiting(path, waiting, names)
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        rows = [[*row[:2], "7,5", "Goed; maar, kort", row[4]] if row[1] == "3.1" else row for row in rows]
        if shape == "sorted":
            rows.sort(key=lambda row: row[1:], reverse=True)
        elif shape == "columns moved":
            head, rows = head[::-1], [row[::-1] for row in rows]
        elif shape == "reason dropped":
            head, rows = head[:4], [row[:4] for row in rows]
        elif shape == "padded":
            head = [*head, "", ""]
            rows = [[], ["", "", "", ""], *([*row, "", ""] for row in rows), [""] * 7, []]
        elif (
            shape == "retyped"
        ):  # As numbers, as dates, composed otherwise, and as UTF-8 seems to those who expect none.
            rows = [[{"0012": "12", "Müller": "Mu\u0308ller"}.get(row[0], row[0].encode().decode("cp1252")),
                     row[1].replace("3.1", {"0012": "3,1", "Müller": "03. Jan"}.get(row[0], "3-jan")), *row[2:]]
                    for row in rows]  # fmt: skip
        made = io.StringIO()
        csv.writer(made, delimiter=delimiter, lineterminator=end).writerows([head, *rows])
        content = made.getvalue().encode(encoding) if "be" not in encoding else (
            codecs.BOM_UTF16_BE + made.getvalue().encode("utf-16-be"))  # fmt: skip
        path.write_bytes(content)
        typed = {name: {"3.1": (7.5, "Goed; maar, kort"), "1.1 performance": (None, "")} for name in names}
        assert read_manual(path, names) == typed
        list_waiting(path, waiting, names)
        assert read_manual(path, names) == typed
        if shape not in ("reason dropped",):
            assert path.read_bytes() == content
        list_waiting(path, {name: {} for name in names}, names)
        assert read_manual(path, names) == {name: {"3.1": typed[name]["3.1"]} for name in names}

    @pytest.mark.parametrize("row", [row.name for row in ROWS if not row.aspect])
    def test_a_row_is_found_as_number_and_date_and_no_other_is_taken_for_it(self, tmp_path, row):
        path = tmp_path / "manual.csv"
        question, part = row.split(".")
        months = {"1": ["Jan", "jan", "janv."], "2": ["Feb", "feb", "févr."], "3": ["Mrz", "mrt", "Mär"]}[part]
        forms = [
            row,
            f"{question},{part}",
            f"0{question}.0{part}.2026",
            f"{question}/{part}/26",
            f"0{question}.0{part}.",
        ]
        for form in [
            *forms,
            *(f"0{question}. {month}" for month in months),
            *(f"{question}-{month}" for month in months),
        ]:
            path.write_text(f'handin,row,mark\nann,"{form}",7\n', encoding="utf-8")
            assert read_manual(path, ["ann"]) == {"ann": {row: (7, "")}}, form
        for other in (f"{row}7", f"1{row}", f"{question}.1{part}", f"{row} and more", f"2026-0{question}-0{part}"):
            path.write_text(f"handin,row,mark\nann,{other},7\n", encoding="utf-8")
            with pytest.raises(SVHNError, match="there is no row"):
                read_manual(path, ["ann"])

    @pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp1250", "utf-16-le", "utf-32"])
    def test_an_encoding_that_nothing_tells_is_refused_with_what_to_do(self, tmp_path, encoding):
        path = tmp_path / "manual.csv"
        path.write_bytes("handin,row,mark,comment\nann,3.1,8,Bonne idée\n".encode(encoding))
        with pytest.raises(SVHNError, match=r"CSV UTF-8|the first line must name the columns"):
            read_manual(path, ["ann"])

    @pytest.mark.parametrize("comment", ['"Great', '"Gr"eat'])
    def test_quotation_marks_that_are_not_closed_swallow_nobody_s_marks(self, tmp_path, comment):
        path = tmp_path / "manual.csv"
        path.write_text(f'handin,row,mark,comment\nann,3.1,8,{comment}\nbob,3.1,9,"Good."\n')
        with pytest.raises(SVHNError, match=r"manual\.csv, line 2: .*; close its quotation marks"):
            read_manual(path, ["ann", "bob"])

    def test_a_broken_first_line_is_named(self, tmp_path):
        path = tmp_path / "manual.csv"
        path.write_text('"handin,row,mark,comment\nann,3.1,8,x\n')
        with pytest.raises(SVHNError, match=r"manual\.csv, line 1"):
            read_manual(path, ["ann"])

    def test_as_a_european_spreadsheet_saves_it(self, tmp_path):
        path = tmp_path / "manual.csv"
        path.write_bytes("\ufeffhandin;row;mark;comment\r\nann;3.1;7,5;Goed\r\n".encode())
        assert read_manual(path, ["ann", "bob"]) == {"ann": {"3.1": (7.5, "Goed")}}
        list_waiting(path, {"ann": {"3.2": "an answer"}}, ["ann"])
        assert read_manual(path, ["ann", "bob"])["ann"]["3.2"] == (None, "")
        assert path.read_bytes().startswith("\ufeffhandin;row;mark;comment;reason\r\nann;3.1;7,5;Goed\r\n".encode())

    def test_leading_zeros_that_a_spreadsheet_lost_are_found_again(self, tmp_path):
        path = tmp_path / "manual.csv"
        names = ["0012345", "12346"]
        waiting = {name: {"3.1": "an answer", "3.2": "another"} for name in names}
        list_waiting(path, waiting, names)
        text = path.read_text(encoding="utf-8").replace("0012345,3.1,,", "0012345,3.1,8,").replace("0012345", "12345")
        path.write_text(text, encoding="utf-8")
        list_waiting(path, waiting, names)
        assert path.read_text(encoding="utf-8") == text
        assert read_manual(path, names)["0012345"]["3.1"] == (8, "")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("anne,3.1,8,", "line 2: there is no hand-in 'anne'"),
            ("ann,3.1,good,", "line 2: 'good' is no mark"),
            ("ann,3.1,11,", "from 0 to 10"),
            ("ann,3.1,nan,", "no mark"),
            ("ann,5.1,7,", "no row '5.1'"),
            ("ann,3.1,7,\nann,3.1,8,", "line 3: ann, 3.1 was marked before"),
            ("ann,3.1,7,5", "line 2: 7,5 are two cells here"),
            ("ann,3.1,8,Clear, but short", "line 2: it has more cells"),
            ("ann,3.1,8,\n,3.2,7,", "line 3: there is no hand-in '' to mark"),  # As merged cells are saved.
            ("ann,3.1,8,\n,3.2,,Fine", "line 3: there is no hand-in '' to mark"),
            ("ann,3.1,8,\nann,,7,", "line 3: there is no row ''"),
            ("ann,3.1,1_0,", "'1_0' is no mark"),
            ("ann,3.1,80%,", "'80%' is no mark"),
            ("ann,3.1,-1,", "'-1' is no mark"),
        ],
    )
    def test_a_slip_in_the_table_is_told_with_its_line(self, tmp_path, line, said):
        path = tmp_path / "manual.csv"
        path.write_text(f"handin,row,mark,comment\n{line}\n", encoding="utf-8")
        with pytest.raises(SVHNError, match=said):
            read_manual(path, ["ann", "bob"])


class TestFeedback:
    def feedback(self, calibration, model, **evidence):
        evidence = evidence_with(model, **{"texts_here": False} | evidence)
        figures = {"model_1_1": calibration.summarise(model.curves)} if model.curves else {}
        text = feedback_text(Graded("ann", evidence, mark_rows(evidence, calibration, {}), figures))
        return " ".join(text[text.index("Question 1.1") : text.index("Question 1.2")].split())

    def test_it_speaks_to_the_student(self, calibration):
        model = a_model([0.6, 0.701], {"validation": 0.7, "test": 0.7})
        answer = Answer(text="x" * 512, characters=512, limit=500, where="answers.py")
        assert self.feedback(calibration, model, answers={"1.1": answer}) == (
            "Question 1.1 Performance: Your best validation accuracy is 70.1%, in epoch 2 of 2. Explanation: Your "
            "answer has 512 characters, 12 over the limit. A person will mark this."
        )
        refused = Model(curves_refused="model_1_1.json: loss of epoch 1 is nan", refused="no model was handed in")
        said = self.feedback(calibration, refused)
        assert "Your learning curves could not be read: model_1_1.json: loss of epoch 1 is nan." in said
        assert "You handed in no model_1_1." in said and "No written answer of yours was read." in said

    @pytest.mark.parametrize(
        ("answers", "no_answer", "said"),
        [
            ({}, {}, "No written answer of yours was read."),
            ({}, {"1.1": "it is missing"}, "No written answer of yours was read."),
            ({}, {"1.1": "it is computed"}, "No written answer of yours was read: it is computed."),
            (
                {"1.1": Answer(text="", characters=0, limit=500, where="answers.py")},
                {},
                "Your written answer is empty.",
            ),
            ({"1.1": Answer(text="Yes.", characters=4, limit=500, where="answers.py")}, {}, ""),
        ],
    )
    def test_an_absent_an_unread_and_an_empty_answer_are_three_things(self, calibration, answers, no_answer, said):
        nothing = Model(curves_refused=NO_CURVES, refused=NO_MODEL)
        told = self.feedback(calibration, nothing, answers=answers, no_answer=no_answer)
        neither = "You handed in neither model_1_1 nor its learning curves."
        explanation = f"Explanation: {said} A person will mark this.".replace("  ", " ")
        assert told == f"Question 1.1 Performance: {neither} A person will mark this. {explanation}"

    def test_less_than_the_curve_s_best_counts_and_that_is_said(self, calibration):
        model = a_model([0.70, 0.72, 0.695], {"validation": 0.695, "test": 0.69}, digits=1_000_000)
        said = self.feedback(calibration, model)
        assert "Your best validation accuracy is 72.0%" in said and "Of that 70.5% counts" in said

    @pytest.mark.parametrize(
        "model",
        [
            a_model([0.96, 0.97], {"validation": 0.1, "test": 0.1}),
            a_model([0.9, 0.99], {"validation": 0.3, "test": 0.3},
                    Recorded(data=DRAWN)),
            replace(a_model([0.9, 0.99], {"validation": 0.3, "test": 0.3}), claims=[]),
            Model(curves_refused="it took longer than 120 s", curves_here=True, refused="it took longer than 600 s",
                  here=True),
        ],
    )  # fmt: skip
    def test_what_follows_from_the_grader_s_digits_limits_and_faults_is_not_the_student_s(self, calibration, model):
        said = self.feedback(calibration, model, texts_here=True)
        assert said == "Question 1.1 Performance: A person will mark this. Explanation: A person will mark this."

    def test_a_hand_in_that_cannot_be_opened_is_said_once(self, calibration):
        evidence = replace(nothing_but("the archive is damaged"), unopened="the archive is damaged")
        text = feedback_text(Graded("ann", evidence, mark_rows(evidence, calibration, {})))
        assert text.count("Your hand-in could not be opened: the archive is damaged.") == text.count("damaged") == 1
