"""The cost of the whole notebook with stored models and its report, beside a student's procedure of 2020.

    python benchmarks/full_size.py                        at all of SVHN's 99,289 digits
    python benchmarks/full_size.py --digits 1000 3000     at other numbers
    python benchmarks/full_size.py --precision float32 auto     also in bfloat16, where the processor has it
    python benchmarks/full_size.py --alone                this project alone, to try a change; writes nothing

Digits are repeated to the number asked for: only cost is measured, and no accuracy. Both run one after the other in the
same run, each with nothing kept from before. Writes `benchmarks/full_size.md` and `full_size.png`, of this run alone.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import psutil
from given import REAL_DIGITS

from svhn.backend import versions
from svhn.data.sources import load_digits
from svhn.digits import Digits
from svhn.errors import SVHNError
from svhn.files import atomic_path, write_text
from svhn.settings import FLOAT32, PRECISIONS

ROOT = Path(__file__).resolve().parents[1]
TABLE, PLOT = ROOT / "benchmarks" / "full_size.md", ROOT / "benchmarks" / "full_size.png"
ALL = 99_289
OURS, STUDENT = "this project", "procedure of 2020"
# The parts of the project that a run needs; it has an empty `data/` beside them.
NEEDED = ("Assignment3.ipynb", "answers.py", "svhn", "models")
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Cost:
    """The cost of one work.

    Attributes:
        work: Which.
        digits: On how many.
        processor: Seconds of all its processes, on all cores.
        memory: Peak resident bytes of all its processes together; pages that two share count twice.
    """

    work: str
    digits: int
    processor: float
    memory: int


def tiled(digits: Digits, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Repeats the given digits up to a count: images (count, 32, 32, 3) and labels (count,)."""
    rows = np.arange(count) % len(digits)
    return digits.images[rows], digits.labels[rows]


def measure(work: str, count: int, command: list[str], folder: Path) -> Cost:
    """Runs a command in a folder to its end, and watches it and its children.

    Raises:
        SVHNError: It fails.
    """
    before, peak = resource.getrusage(resource.RUSAGE_CHILDREN), 0
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT, env=environment(folder))
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(_resident(one) for one in _family(watched)))
            time.sleep(LOOK_SECONDS)
    if process.returncode:
        last = (folder / "said").read_text(errors="replace").strip().splitlines()[-1:]
        raise SVHNError(f"{work} at {count:,} digits failed: {''.join(last)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(work, count, seconds, peak)


def environment(folder: Path) -> dict[str, str]:
    """This process's environment without the project's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SVHN_")} | {
        "PYTHONPATH": str(folder)
    }


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def compare(digits: Digits, count: int, precisions: Sequence[str], alone: bool = False) -> Iterator[Cost]:
    """Runs the notebook in each precision and the procedure of 2020 on a number of digits, one after the other."""
    for work in (*(f"{OURS}, {precision}" for precision in precisions), *([] if alone else [STUDENT])):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for name in NEEDED:
                (folder / name).symlink_to(ROOT / name)
            (folder / "data").mkdir()
            images, labels = tiled(digits, count)
            np.savez(folder / "digits.npz", X=images, y=labels, real=digits.real)
            precision = work.rpartition(" ")[2]
            ours = ["-m", "svhn", "run", "--data", "digits.npz", "--out", "out", "--precision", precision]
            student = [str(ROOT / "benchmarks" / "procedure_2020.py"), "digits.npz", "models"]
            command = [sys.executable, *(student if work == STUDENT else ours)]
            yield measure(work, count, command, folder)


def table(costs: Iterable[Cost], digits: Digits) -> str:
    """The page: the machine, the digits, and the two side by side."""
    lines = [
        "# What the notebook costs, and what a student's procedure of 2020 does",
        "",
        "Written by `benchmarks/full_size.py`: the notebook with stored models and its report, in each precision, and",
        "`benchmarks/procedure_2020.py` on the same digits, in one run. Digits are repeated to their number, so",
        f"that only cost is measured: {digits.description}. On {processor()}, {os.cpu_count()} cores; "
        + ", ".join(f"{name} {number}" for name, number in versions().items())
        + ".",
        "Nothing here is extrapolated. Processor seconds are those of all processes; other work on these cores makes",
        "them somewhat more. Memory is the peak of what all processes hold together, what they share counted in each.",
        "",
        "| digits | work | processor s | peak GiB |",
        "|---|---|---|---|",
    ]
    for cost in costs:
        memory = f"{cost.memory / 2**30:.2f}"
        lines.append(f"| {cost.digits:,} | {cost.work} | {cost.processor:,.0f} | {memory} |")
    return "\n".join([*lines, "", f"![The same, drawn]({PLOT.name})", ""])


def plot(costs: list[Cost]) -> None:
    """Draws cost over the number of digits."""
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for work in dict.fromkeys(cost.work for cost in costs):
        own = sorted((cost for cost in costs if cost.work == work), key=lambda cost: cost.digits)
        counts = [cost.digits for cost in own]
        panels[0].plot(counts, [cost.processor for cost in own], marker="o", label=work)
        panels[1].plot(counts, [cost.memory / 2**30 for cost in own], marker="o", label=work)
    panels[0].set(xlabel="digits", ylabel="processor seconds")
    panels[1].set(xlabel="digits", ylabel="peak memory, GiB")
    for panel in panels:
        panel.set_xlim(left=0)
        panel.set_ylim(0, 1.08 * panel.dataLim.ymax)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False)
    with atomic_path(PLOT) as temporary:
        figure.savefig(temporary, dpi=120)


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> int:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--digits", type=int, nargs="+", default=[ALL], metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=[FLOAT32], help="of the notebook (default: float32)"
    )
    parser.add_argument("--alone", action="store_true", help="leave out the procedure of 2020, and write nothing")
    parser.add_argument("--source", help="of the digits to repeat (default: the given real ones, else drawn ones)")
    options = parser.parse_args()
    try:
        digits = load_digits(options.source or (REAL_DIGITS if REAL_DIGITS.is_file() else "drawn"), ROOT / "data")
        costs: list[Cost] = []
        for count in options.digits:
            for cost in compare(digits, count, options.precision, options.alone):
                costs.append(cost)
                print(cost, flush=True)
                if options.alone:
                    continue
                # After each: at the largest number one may take an hour, and be stopped.
                write_text(TABLE, table(costs, digits))
                plot(costs)
    except SVHNError as error:
        print(f"full_size: {error}", file=sys.stderr)
        return 2
    if not options.alone:
        print(TABLE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
