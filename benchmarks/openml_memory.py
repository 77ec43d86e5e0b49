"""Memory and time of loading OpenML 41081 at full size, through the real client, from a server on this machine.

    python benchmarks/openml_memory.py [--rows 99289] [--format arff|parquet] [--reader-rows 1000 4000]

Each load runs in a process of its own, which reports its own peak resident memory. The alternative, the
client's own reader (`dataset.get_data()`), is measured at two small sizes and extrapolated along the line through them:
at full size it does not fit into an ordinary machine. The digits are noise, a little longer as text than photos are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from openml_server import OFFICIAL, OpenMLServer, noise, write_arff, write_parquet  # noqa: E402

FULL_ROWS = 99_289

LOAD = """
from svhn.data.openml_source import load_openml
digits = load_openml(Path(sys.argv[1]))
rows = len(digits)
"""

CLIENT_READER = """
import openml
openml.config.server = os.environ["OPENML_SERVER"]
pixels, classes, _, _ = openml.datasets.get_dataset(41081, download_data=True).get_data()
rows = len(pixels)
"""

MEASURED = """
import json, os, resource, sys, time
from pathlib import Path
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
status = Path("/proc/self/status")
if status.exists():
    # On Linux, the peak of getrusage includes that of the parent process.
    peak = 1024 * int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps(dict(rows=rows, seconds=seconds, gigabytes=peak / 1e9)))
"""


def measure(work: str, server: OpenMLServer, folder: Path) -> dict[str, float]:
    """Runs `work` in a process of its own: its rows, seconds (with imports) and peak resident gigabytes."""
    environment = os.environ | {
        "OPENML_SERVER": server.url,
        "OPENML_CACHE_DIR": str(folder / "client"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", MEASURED.format(work=work), str(folder / "data")]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def make_server(folder: Path, rows: int, parquet: bool) -> OpenMLServer:
    """Writes the data file and gives the server for it."""
    folder.mkdir()
    (folder / "client").mkdir()
    pixels, positions = noise(rows)
    if parquet:
        classes = pa.DictionaryArray.from_arrays(pa.array(positions.astype(np.int8)), pa.array(OFFICIAL))
        file = write_parquet(folder / "served.pq", pixels, classes)
        arff = write_arff(folder / "served.arff", pixels[:0], positions[:0])
        return OpenMLServer(arff, rows, parquet=file)
    file = write_arff(folder / "served.arff", pixels, positions)
    print(f"ARFF of {rows:,} rows: {file.stat().st_size / 1e9:.2f} GB", file=sys.stderr)
    return OpenMLServer(file, rows)


def report(name: str, figures: dict[str, float]) -> None:
    """Prints one line of the table."""
    print(f"{name:<38} {figures['rows']:>8,.0f} {figures['seconds']:>10.2f} {figures['gigabytes']:>10.2f}", flush=True)


def extrapolated(small: dict[str, float], large: dict[str, float], rows: int) -> dict[str, float]:
    """Seconds and gigabytes at `rows`, on the line through two measurements."""

    def at(name: str) -> float:
        return small[name] + (large[name] - small[name]) * (rows - small["rows"]) / (large["rows"] - small["rows"])

    return {"rows": rows, "seconds": at("seconds"), "gigabytes": at("gigabytes")}


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description="Memory and time of loading OpenML 41081.")
    parser.add_argument("--rows", type=int, default=FULL_ROWS)
    parser.add_argument("--format", choices=["arff", "parquet"], default="arff")
    parser.add_argument("--reader-rows", type=int, nargs=2, default=[1000, 4000], metavar=("SMALL", "LARGE"))
    options = parser.parse_args()
    parquet = options.format == "parquet"
    print(f"{'from ' + options.format:<38} {'rows':>8} {'seconds':>10} {'peak GB':>10}")
    with tempfile.TemporaryDirectory(prefix="openml-memory-") as scratch:
        folder = Path(scratch) / "ours"
        with make_server(folder, options.rows, parquet) as server:
            report("this package, cold", measure(LOAD, server, folder))
            report("this package, reopened", measure(LOAD, server, folder))
        points = []
        for rows in sorted(options.reader_rows):
            folder = Path(scratch) / f"client-{rows}"
            with make_server(folder, rows, parquet) as server:
                points.append(measure(CLIENT_READER, server, folder))
            report("the client's own reader", points[-1])
        report("the client's own reader, EXTRAPOLATED", extrapolated(*points, options.rows))


if __name__ == "__main__":
    main()
