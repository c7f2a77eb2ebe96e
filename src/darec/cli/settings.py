"""``darec settings``: list every setting of a pair, with its default and its meaning."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from darec.cli.output import Format
from darec.cli.parts import alignment_names, backbone_names

if TYPE_CHECKING:
    from darec.config import RunConfig

ROLE: Final = r":[a-z]+:`(?:~[\w.]*\.)?([\w.]+)`"
"""A Sphinx role; the listing shows its group."""
PLACE: Final = r"(?:docs|tests|benchmarks)/[\w./-]*\w"
"""A page or file of the project that is not in an installed package."""
_ROLE: Final = re.compile(ROLE)
_ASIDE: Final = re.compile(rf"\s*\((?:see )?(?:{ROLE}|{PLACE})\)", re.IGNORECASE)
_SEE: Final = re.compile(rf"\s*See {PLACE}\.")


def command(
    backbone: Annotated[
        str, typer.Option(autocompletion=backbone_names, help="{backbones}.")
    ] = "lightgcn",
    alignment: Annotated[
        str, typer.Option(autocompletion=alignment_names, help="{alignments}.")
    ] = "darec",
    loss: Annotated[str, typer.Option(help="Ranking loss: bpr or softmax.")] = "bpr",
    format: Annotated[Format, typer.Option(help="Output format of the list.")] = Format.TABLE,
) -> None:
    """List the settings that --set and --config accept.

    Each setting of the pair is shown with its default and its meaning.
    """
    from rich.table import Table

    from darec.cli.output import print_json
    from darec.config import resolve_config
    from darec.console import Console

    config = resolve_config({"backbone": backbone, "alignment": alignment, "loss": loss})
    rows = [{**row, "meaning": plain(row["meaning"])} for row in described(config)]
    if format is Format.JSON:
        print_json(rows)
        return
    table = Table(title=f"settings of {backbone} + {alignment}", title_justify="left")
    table.add_column("setting", no_wrap=True)
    table.add_column("default")
    table.add_column("meaning")
    for row in rows:
        default = "null" if row["default"] is None else str(row["default"])
        table.add_row(row["setting"], default, row["meaning"])
    Console().print(table)


def described(config: RunConfig) -> list[dict[str, Any]]:
    """``setting`` (its dotted key), ``default`` (its value in ``config``) and ``meaning`` of every setting."""
    from pydantic import BaseModel

    rows: list[dict[str, Any]] = []
    for section, part in config:
        if isinstance(part, BaseModel):
            values = part.model_dump(mode="json")
            rows += [
                {
                    "setting": f"{section}.{name}",
                    "default": values[name],
                    "meaning": " ".join((field.description or "").split()),
                }
                for name, field in type(part).model_fields.items()
            ]
        else:  # a section that is absent
            meaning = " ".join((type(config).model_fields[section].description or "").split())
            rows.append({"setting": section, "default": part, "meaning": meaning})
    return rows


def plain(meaning: str) -> str:
    """A field's docstring as plain text, without markup and without references to files of the project."""
    meaning = _ASIDE.sub("", meaning)
    meaning = _SEE.sub("", meaning)
    return _ROLE.sub(r"\1", meaning).replace("``", "")
