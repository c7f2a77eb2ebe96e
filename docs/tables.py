"""Writes what the docs take from elsewhere: the grid of pairs, each part's settings, what the theory's sweep found.

    python docs/tables.py

A test fails when a page is behind (tests/docs/test_tables.py).
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from darec.cli.settings import PLACE, ROLE, described
from darec.config import resolve_config
from darec.registry import ALIGNMENTS, BACKBONES, Registry, inapplicable

DOCS = Path(__file__).resolve().parent
FOLDERS = {"backbone": BACKBONES, "alignment": ALIGNMENTS}


def grid() -> str:
    """Backbones down, alignments across."""
    lines = [
        "| | "
        + " | ".join(f"[{name}](alignments/{name}.md)" for name in sorted(ALIGNMENTS.own))
        + " |",
        "|---|" + ":-:|" * len(ALIGNMENTS.own),
    ]
    refused = []
    for backbone in sorted(BACKBONES.own):
        cells = []
        for alignment in sorted(ALIGNMENTS.own):
            reason = inapplicable(backbone, alignment)
            cells.append("✗" if reason else "✓")
            if reason:
                refused.append(f"- {backbone} with {alignment}: {reason}")
        lines.append(f"| [{backbone}](backbones/{backbone}.md) | " + " | ".join(cells) + " |")
    if refused:
        lines += ["", "Refused by name, before anything runs:", "", *refused]
    return "\n".join(lines)


def divided() -> str:
    """Which parts several processes can train."""
    columns = ("by columns and by rows", "by columns alone", "by items", "by one process alone")
    lines = [f"| | {' | '.join(columns)} |", "|---|---|---|---|---|"]
    for kind, registry in FOLDERS.items():
        names: dict[str, list[str]] = {column: [] for column in columns}
        for name in sorted(registry.own):
            part = registry.get(name)
            ways = [getattr(part, way, False) for way in ("by_rows", "by_columns", "by_items")]
            names[columns[[*ways, True].index(True)]].append(name)
        cells = [
            ", ".join(f"[{name}]({kind}s/{name}.md)" for name in listed)
            for listed in names.values()
        ]
        lines.append(f"| {kind}s | {' | '.join(cells)} |")
    return "\n".join(lines)


def parts(kind: str, registry: Registry) -> str:
    """Each part in one line: what it is, where from, whether it needs text."""
    lines = [f"| {kind} | what it is | from | needs text |", "|---|---|---|---|"]
    for name in sorted(registry.own):
        part = registry.get(name)
        module = inspect.getdoc(inspect.getmodule(part)) or ""
        source = module.split("\n\n")[0].replace("\n", " ")
        what = (inspect.getdoc(part) or "").split("\n")[0].split(" (")[0].rstrip(".")
        text = "yes" if part.needs_text else "no"
        lines.append(f"| [{name}]({kind}s/{name}.md) | {what} | {source} | {text} |")
    return "\n".join(lines)


def settings(kind: str, name: str) -> str:
    """The part's own settings with default and meaning."""
    part = FOLDERS[kind].get(name)
    other = {} if kind == "backbone" or part.trained else {"backbone": "ease"}
    rows = described(resolve_config({kind: name, **other}))
    own = [row for row in rows if row["setting"].startswith(f"{kind}.")]
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for row in own:
        if row["setting"] != f"{kind}.name":
            meaning = linked(row["meaning"]).replace("|", "\\|").replace("``", "`")
            default = "null" if row["default"] is None else row["default"]
            lines.append(f"| `{row['setting']}` | {default} | {meaning} |")
    return "\n".join(lines) if len(lines) > 2 else "None."


def linked(meaning: str) -> str:
    """A field's docstring with links, from a page in a folder of docs, to the pages and files that it names."""
    meaning = re.sub(ROLE, r"`\1`", meaning)
    return re.sub(
        PLACE, lambda found: f"[{Path(found[0]).stem}]({_from_folder(found[0])})", meaning
    )


def _from_folder(place: str) -> str:
    """A path from the project's root, as a page in a folder of docs reaches it."""
    return f"../{place.removeprefix('docs/')}" if place.startswith("docs/") else f"../../{place}"


def swept() -> str:
    """What the committed run of ``darec theory sweep`` found, a line a method, as the command wrote it."""
    page = (DOCS / "theory" / "sweep" / "README.md").read_text()
    return "\n".join(line for line in page.splitlines() if line.startswith("- **"))


def replaced(page: str, mark: str, content: str) -> str:
    """The page with what stands between ``<!-- mark -->`` and ``<!-- end -->`` replaced."""
    before, _, rest = page.partition(f"<!-- {mark} -->")
    return (
        f"{before}<!-- {mark} -->\n\n{content}\n\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    )


def pages() -> dict[Path, str]:
    """Every page that has a part made from the code, as it should read."""
    theory = DOCS / "theory.md"
    found = {theory: replaced(theory.read_text(), "sweep", swept())}
    many = DOCS / "scale-out.md"
    found[many] = replaced(many.read_text(), "divided", divided())
    overview = DOCS / "grid.md"
    text = replaced(overview.read_text(), "grid", grid())
    for kind, registry in FOLDERS.items():
        text = replaced(text, f"{kind}s", parts(kind, registry))
        for name in sorted(registry.own):
            page = DOCS / f"{kind}s" / f"{name}.md"
            if page.is_file():
                found[page] = replaced(page.read_text(), "settings", settings(kind, name))
    return {overview: text, **found}


def main() -> None:
    """Write all pages."""
    for page, text in pages().items():
        if page.read_text() != text:
            page.write_text(text)
            print(page.relative_to(DOCS.parent), file=sys.stderr)


if __name__ == "__main__":
    main()
