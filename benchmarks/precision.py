"""The gain of training in bfloat16, and its cost in accuracy.

    python benchmarks/precision.py              three seeds in each precision, 750 batches each
    python benchmarks/precision.py --length 4   four times as many

Only a processor with AMX or AVX512-bf16 has something to compare; elsewhere it says so in one line. Each precision has
a process of its own. Times are of model_2_2, a batch of its training; accuracies are of its network with a quarter of
the channels, on the validation digits. Writes `benchmarks/precision.md`.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from given import REAL_DIGITS

from svhn.backend import load_keras, use_precision, versions
from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.settings import BFLOAT16, FLOAT32

TABLE = Path(__file__).with_suffix(".md")
BATCH, BATCHES, WARM_UP, TIMED = 32, 750, 3, 12


def measure(precision: str, length: float) -> dict:
    """Processor seconds a batch of model_2_2's training, and the narrow network's accuracy with each seed."""
    from svhn.learning.batches import Batches
    from svhn.learning.comparison import Variant
    from svhn.learning.training import Schedule, build
    from svhn.notebook.cells import load_definitions

    digits = {"data": str(REAL_DIGITS)} if REAL_DIGITS.is_file() else {}
    names = load_definitions(None, "data", stop_training=False, precision=precision, **digits)
    model, seconds = build(names["build_model_2_2"], Schedule(1, BATCH, WARM_UP + TIMED)), []
    shown = Batches(names["augmented_split"][0], BATCH)
    for number in range(WARM_UP + TIMED):
        batch = shown[number]
        started = time.process_time()
        model.train_on_batch(*batch)
        seconds.append(time.process_time() - started)

    def build_narrow(steps: int = 1) -> object:
        return names["compile_classifier"](names["simplenet"]("narrow", narrowed=4), 2e-3, steps, weight_decay=0.02)

    variants = {precision: Variant(build_narrow, names["augmented_split"])}
    with tempfile.TemporaryDirectory() as folder:
        names["run_comparison"](
            "precision", variants, precision, folder, batch_size=BATCH, steps_per_epoch=BATCHES, length=length
        )
        stored = json.loads((Path(folder) / "precision.json").read_text(encoding="utf-8"))
    return {
        "seconds": statistics.median(seconds[WARM_UP:]),
        "batches": round(BATCHES * length),
        "validation": [run["val_accuracy"] for run in stored["variants"][precision].values()],
        "digits": names["split"].digits.description,
        "measured_on": len(names["y_val"]),
    }


def table(measured: dict[str, dict]) -> str:
    """The page, with the two precisions side by side."""
    first = measured[FLOAT32]
    lines = [
        "# Training in float32 and in bfloat16",
        "",
        f"Written by `benchmarks/precision.py` on {platform.machine()}, {os.cpu_count()} cores; "
        + ", ".join(f"{name} {number}" for name, number in versions().items())
        + ".",
        f"A batch of model_2_2's training has {BATCH} digits; its processor time is the median of {TIMED}. The network",
        f"of 2.2 with a quarter of the channels is trained for {first['batches']:,} batches with each of three seeds,",
        f"and measured on {first['measured_on']:,} validation digits of {first['digits']}.",
        "",
        "| precision | processor s a batch of model_2_2 | narrow network, each seed | mean |",
        "|---|---|---|---|",
    ]
    for precision, one in measured.items():
        each, mean = ", ".join(f"{share:.2%}" for share in one["validation"]), statistics.mean(one["validation"])
        lines.append(f"| {precision} | {one['seconds']:.3f} | {each} | {mean:.2%} |")
    faster = first["seconds"] / measured[BFLOAT16]["seconds"]
    return "\n".join([*lines, "", f"A batch is {faster:.2f} times as fast in bfloat16.", ""])


def main() -> int:
    """Measures each precision in a process of its own, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--length", type=float, default=1, help="of the trainings, 1 for 750 batches")
    parser.add_argument("--only", choices=(FLOAT32, BFLOAT16), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        with contextlib.redirect_stdout(sys.stderr):
            measured = measure(options.only, options.length)
        print(json.dumps(measured))
        return 0
    try:
        load_keras()
        use_precision(BFLOAT16)
    except SVHNError as error:
        print(f"precision: {error}", file=sys.stderr)
        return 2
    found = {}
    for precision in (FLOAT32, BFLOAT16):
        command = [sys.executable, __file__, "--only", precision, "--length", str(options.length)]
        found[precision] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    write_text(TABLE, table(found))
    print(TABLE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
