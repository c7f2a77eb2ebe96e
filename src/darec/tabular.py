"""Results that are tables, for all table libraries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape
from typing import Any

import polars as pl

from darec.errors import ConfigError


class Tabular(ABC):
    """A result that is a table.

    In addition to the two methods it has Arrow's stream interface, so that ``pyarrow.table(result)``, DuckDB and others
    can read it directly; a notebook shows it as a table.
    """

    @abstractmethod
    def to_polars(self) -> pl.DataFrame:
        """The table as a frame of polars."""

    def to_pandas(self) -> Any:
        """The table as a frame of pandas.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError:
            raise ConfigError(
                "pandas is not installed: pip install pandas, or use to_polars()."
            ) from None
        frame = self.to_polars().to_pandas()
        for column, values in self.objects().items():
            frame[column] = values
        return frame

    def objects(self) -> Mapping[str, list[Any]]:
        """The values of columns whose type polars does not have, such as UUIDs, which are text there."""
        return {}

    def _repr_html_(self) -> str:
        return self.to_polars()._repr_html_()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_polars().__arrow_c_stream__(requested_schema)


def html_summary(title: str, figures: Mapping[str, object]) -> str:
    """A small table for notebooks: a title, and one row for each figure, all in plain text."""
    rows = (
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in figures.items()
    )
    return f"<table><caption>{escape(title)}</caption>{''.join(rows)}</table>"
