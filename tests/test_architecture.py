"""The layers of the package: what a part may import is below it, so that no arrow runs upward and none in a circle.

docs/architecture.md draws them. A new module or folder is placed here, above all that it imports.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import darec

PACKAGE = Path(darec.__file__).parent

# From the bottom up: a module or folder imports those before it.
LAYERS = (
    "urls",
    "limits",
    "wording",
    "errors",
    "tabular",
    "types",
    "dimensions",
    "progress",
    "terminal",
    "console",
    "meter",
    "spreadsheet",
    "processes",
    "seeding",
    "terms",
    "memory",
    "files",
    "lock",
    "swap",
    "keywords",
    "yaml_input",
    "overrides",
    "settings",
    "numerics",
    "graph",
    "scoring",
    "ids",
    "listing",
    "data",
    "registry",
    "known_settings",
    "config",
    "losses",
    "text",
    "backbones",
    "alignments",
    "model",
    "runtime",
    "search",
    "evaluation",
    "training",
    "model_card",
    "run_record",
    "run_folder",
    "run",
    "fitting",
    "together",
    "refitting",
    "recommended",
    "api",
    "automatic",
    "recommender",
    "cold",
    "export",
    "serving",
    "report",
    "diagnose",
    "theory",
    "tuning",
    "compare",
    "visualize",
    "updating",
    "testing",
    "cli",
    "__main__",
)


def modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ("darec", *file.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(file.read_text())


def imported(tree: ast.AST, *, at_import: bool = False) -> Iterator[str]:
    """Modules of the package that a module imports, for annotations alone too.

    ``at_import``: only what is imported when the module is.
    """
    for node in ast.iter_child_nodes(tree):
        typed = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if at_import and (typed or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("darec"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "darec":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node, at_import=at_import)


def layer(module: str) -> str:
    return module.split(".")[1]


def test_every_module_has_a_layer() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py"}
    there |= {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    there -= {"__init__"}
    assert not there - set(LAYERS), "place it in LAYERS, above all that it imports"
    assert not set(LAYERS) - there, "it is there no more"
    assert len(set(LAYERS)) == len(LAYERS)


def test_no_import_runs_upward() -> None:
    height = {name: number for number, name in enumerate(LAYERS)}
    upward = [
        f"{module} imports {wanted}"
        for module, tree in modules()
        if module != "darec"  # its names are loaded when they are first asked for
        for wanted in imported(tree)
        if height[layer(wanted)] > height[layer(module)]
    ]
    assert not upward


def test_no_module_is_imported_in_a_circle() -> None:
    trees = dict(modules())
    needs = {
        module: {
            name if name in trees else name.rpartition(".")[0]
            for name in imported(tree, at_import=True)
        }
        - {module}
        for module, tree in trees.items()
    }
    TopologicalSorter(needs).prepare()  # CycleError names the circle


def test_what_serves_needs_neither_training_nor_data() -> None:
    """A bundle is opened by what stands below the data, whatever it imports in turn, at whatever time."""
    trees = dict(modules())
    reached = set[str]()
    todo = ["darec.export.bundle", "darec.export.manifest", "darec.export.postgres.store"]
    todo += [module for module in trees if module.startswith("darec.serving")]
    while todo:
        module = todo.pop()
        reached.add(module)
        names = (
            name if name in trees else name.rpartition(".")[0] for name in imported(trees[module])
        )
        todo += [name for name in names if name not in reached and name != "darec"]
    height = {name: number for number, name in enumerate(LAYERS)}
    above = {name for name in reached if height[layer(name)] >= height["data"]}
    # The registry finds encoders by name; those import neither.
    assert {layer(name) for name in above} == {"export", "serving", "registry"}
    assert not above & {"darec.export.write", "darec.export.indexing"}


def test_an_encoder_needs_no_dataset() -> None:
    """As where a bundle is served, which builds one by itself."""
    trees = dict(modules())
    assert not list(imported(trees["darec.text"], at_import=True))
    for name in ("minilm", "sentence_transformers", "tfidf"):
        assert not any(
            layer(one) == "data" for one in imported(trees[f"darec.text.encoders.{name}"])
        )


def test_an_upward_import_would_be_seen() -> None:
    inside = "def f():\n    from darec.cli.main import main\n"
    typed = "if TYPE_CHECKING:\n    from darec.run import Run\n"
    assert list(imported(ast.parse(inside))) == ["darec.cli.main.main"]
    assert list(imported(ast.parse(inside), at_import=True)) == []
    assert list(imported(ast.parse(typed))) == ["darec.run.Run"]
    assert list(imported(ast.parse(typed), at_import=True)) == []
    assert list(imported(ast.parse("import darec.api"))) == ["darec.api"]


def test_alignments_and_backbones_do_not_know_each_other() -> None:
    for module, tree in modules():
        for one, other in (("alignments", "backbones"), ("backbones", "alignments")):
            if module.startswith(f"darec.{one}."):
                assert not any(layer(wanted) == other for wanted in imported(tree)), module


def test_no_part_imports_a_sibling() -> None:
    """One component, one file: only what a kind has in common is shared."""
    common = {"backbones": {"base", "blocks", "closed_form", "views"}, "alignments": {"base"}}
    for module, tree in modules():
        kind, _, part = module.removeprefix("darec.").partition(".")
        if kind in common and part:
            own = part.partition(".")[0]
            wanted = [name.split(".") for name in imported(tree)]
            others = {path[2] for path in wanted if path[1] == kind} - common[kind] - {own}
            assert not others, f"{module} imports {sorted(others)}"
