"""Every benchmark can be started; what it measures takes too long for a test."""

import subprocess
import sys

from conftest import ROOT


def test_every_benchmark_finds_what_it_imports():
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    program = f"import sys\nsys.path[:0] = ['benchmarks', {str(ROOT)!r}]\nimport {', '.join(names)}"
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
