"""Hand-ins that nbgrader would give zeros for a fault of this machine: they get no marks, and are named."""

from typing import Any

import nbformat
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade

from svhn.errors import SVHNError, one_line
from svhn.rubric.performance import LACKS_ROOM


class RefuseFaults(NbGraderPreprocessor):
    """A step between execution and marks, because nbgrader gives no points for a cell that failed."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: dict[str, Any]) -> tuple[nbformat.NotebookNode, dict]:
        """Passes a notebook on as it is.

        Raises:
            SVHNError: A measuring cell failed, which no hand-in makes it do, or a cell ran out of time, memory or disk.
                nbgrader then writes no mark, names the hand-in and goes on with the next one.
        """
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        for number, cell in enumerate(code, start=1):
            for output in cell.outputs:
                said = f"{output.get('ename')}: {output.get('evalue')}"
                ran_out = said.startswith("CellTimeoutError") or LACKS_ROOM.search(said)
                if output.output_type == "error" and (is_grade(cell) or ran_out):
                    name = cell.metadata.get("nbgrader", {}).get("grade_id") or f"code cell {number}"
                    student = resources.get("nbgrader", {}).get("student", "a hand-in")
                    fault = f"{student} gets no marks: {name} failed ({one_line(said)}); mend that and autograde again"
                    self.log.error(fault)
                    raise SVHNError(fault)
        return nb, resources
