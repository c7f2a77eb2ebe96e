"""Runs the notebooks of the gallery and keeps what they show: ``python docs/gallery/run.py [NAME ...]``.

The cells run one after the other in this process, in an empty folder, so no kernel is needed. What a cell prints, and
the value of its last line, become its outputs; a drawing becomes SVG.
"""

from __future__ import annotations

import ast
import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

GALLERY: Final = Path(__file__).resolve().parent


def executed(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The notebook with new outputs; it runs in the working folder. An error of a cell is passed on."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            place = f"{name}, cell {number}"
            cell |= {
                "execution_count": number,
                "outputs": _outputs(cell["source"], namespace, place),
            }
    return notebook


def _outputs(
    source: str | list[str], namespace: dict[str, Any], place: str
) -> list[dict[str, Any]]:
    """Run a cell."""
    tree = ast.parse("".join(source), place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(tree, place, "exec", dont_inherit=True), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), place, "eval"), namespace)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        lines = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines})
    if value is not None:
        outputs.append({"output_type": "display_data", "metadata": {}, "data": _shown(value)})
    return outputs


def _shown(value: Any) -> dict[str, str]:
    """What a notebook shows of a value: text, and HTML or SVG where it has such."""
    from darec.report.drawing import svg

    data = {"text/plain": repr(value)}
    if hasattr(value, "savefig"):
        return {"text/plain": "<Figure>", "image/svg+xml": svg(value)}
    if hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_()
    return data


def main() -> None:
    """Run those that are named, or all."""
    for name in sys.argv[1:] or sorted(path.stem for path in GALLERY.glob("*.ipynb")):
        path = GALLERY / f"{name}.ipynb"
        notebook = json.loads(path.read_text())
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            made = executed(notebook, path.name)
            os.chdir(GALLERY)
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
