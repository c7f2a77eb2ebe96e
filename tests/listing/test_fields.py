"""Fields of items: kept by the import with their types, and conditions over them."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import darec
from darec.data.item_fields import item_fields
from darec.errors import ConfigError, DataError
from darec.listing.fields import LONGEST, ItemFields

FRAME = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "price": [10.0, 60.0, None, 49.5],
        "in_stock": [True, True, False, None],
        "genres": [["RPG", "Indie"], ["Action"], None, []],
        "brand": ["Acme", "Brix", None, "acme"],
        "Release Date": ["2014-01-02", "2015-03-01", "2016-01-01", None],
    }
)
CATALOGUE = pl.DataFrame(
    {"item_id": FRAME["item_id"], "title": ["A", "B", "C", None], "text": ["x", None, "y z", "x"]}
)
FIELDS = ItemFields(CATALOGUE, FRAME.lazy(), "shop")


def met(condition: str) -> str:
    return "".join(FRAME["item_id"].filter(pl.Series(FIELDS.where(condition))))


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("in_stock = true and price < 50", "a"),
        ("in_stock", "ab"),
        ("not in_stock", "c"),
        ("price < 50 or price is null", "acd"),
        ("price between 10 and 50", "ad"),
        ("'RPG' = any(genres)", "a"),
        ("array_length(genres) > 0", "ab"),
        ("lower(brand) = 'acme'", "ad"),
        ("brand like 'A%' or brand in ('Brix')", "ab"),
        ("\"Release Date\" >= '2015-01-01'", "bc"),
        ("item_id <> 'a' and title is not null", "bc"),
        ("text = 'x'", "ad"),
        ("price > avg(price)", "bd"),
        ("true", "abcd"),
        ("1 = 2", ""),
    ],
)
def test_conditions_mean_what_sql_means(condition: str, items: str) -> None:
    assert met(condition) == items


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("prise < 50", "no field 'prise': did you mean 'price'"),
        ("price <", "is not a condition"),
        ("price << 30", "no operator '<<' is known here"),
        ("brand = '<<' and price ^ 3 > 1", r"no operator '\^' is known here"),
        ("~price > 3", "no operator '~' is known here"),
        ("", "is not a condition"),
        ("price < 50; drop table items", "is not a condition"),
        ("select * from items", "is not a condition"),
        ("read_csv('x')", "is not a condition"),
        ("(" * 500 + "true", "is not a condition"),
        ("price < 'x'", "does not fit the fields .* price is a number"),
        ("brand < 5", "brand is text"),
        ("genres = 'RPG'", "genres is a list"),
        ("brand ~ '('", "does not fit"),
        ("price", "is a number and not a condition"),
        ("brand", "is text and not a condition"),
        ("null", "is null and not a condition"),
        ("price < 1 or " * 200 + "true", f"at most {LONGEST:,} are allowed"),
    ],
)
def test_what_is_no_condition_is_refused(condition: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FIELDS.where(condition)


def test_without_further_fields_the_remedy_is_told() -> None:
    with pytest.raises(
        ConfigError, match="no field 'price', but item_id, title, text only: import"
    ):
        ItemFields(CATALOGUE, None, "old").where("price < 3")
    assert ItemFields(CATALOGUE).where("title = 'B'").tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["1", " 22", None, "-3"], [1, 22, None, -3]),
        (["1.5", "2", "", ".5e3"], [1.5, 2.0, None, 500.0]),
        (["007", "7"], ["007", "7"]),
        (["1", "x"], ["1", "x"]),
        (["12345678901234567890", "1"], [1.2345678901234567e19, 1.0]),
        (["True", "false", None], [True, False, None]),
        ([1.0, math.nan], [1.0, None]),
        ([Decimal("1.50"), None], [1.5, None]),
        ([datetime.date(2020, 1, 2)], [datetime.date(2020, 1, 2)]),
        ([["a", "b"], []], [["a", "b"], []]),
        ([{"a": 1}], [{"a": 1}]),
        ([None, ""], [None, ""]),
    ],
)
def test_values_get_the_type_they_have(values: list[Any], kept: list[Any]) -> None:
    table = pl.DataFrame({"item_id": [str(n) for n in range(len(values))], "f": values})
    assert item_fields(table)["f"].to_list() == kept


def test_mixed_values_become_text_or_lists() -> None:
    mixed = pl.Series("a", ["RPG", ["x", 2], None, 3.0], dtype=pl.Object)
    plain = pl.Series("b", ["x", 2, None, {"k": 1}], dtype=pl.Object)
    other = pl.Series("c", [b"1", b"2", None, b"3"])
    kept = item_fields(pl.DataFrame([pl.Series("item_id", list("abcd")), mixed, plain, other]))
    assert kept["a"].to_list() == [["RPG"], ["x", "2"], None, ["3"]]
    assert kept["b"].to_list() == ["x", "2", None, "k: 1"]
    assert kept.columns == ["item_id", "a", "b"]


def shop(tmp_path: Path, **options: Any) -> Any:
    (tmp_path / "log.csv").write_text(
        "user_id,item_id\n" + "".join(f"u{n % 5},i{n % 7}\n" for n in range(35))
    )
    (tmp_path / "items.csv").write_text(
        "item_id,title,price,in_stock,sku\n"
        + "".join(f"i{n},Thing {n},{n}.5,{'true' if n % 2 else 'FALSE'},00{n}\n" for n in range(9))
    )
    return darec.load_dataset(tmp_path / "log.csv", items=tmp_path / "items.csv", **options)


def test_the_import_keeps_them_with_the_items(tmp_path: Path) -> None:
    memory = shop(tmp_path)
    disk = shop(tmp_path, out=tmp_path / "data")
    again = darec.load_dataset(tmp_path / "data")
    for data in (memory, disk, again, again.merged(), again.save(tmp_path / "copy")):
        assert data.fields.types["price"] == pl.Float64
        assert data.fields.types["in_stock"] == pl.Boolean
        assert data.fields.types["sku"] == pl.String
        chosen = [
            data.items.ids[row] for row in data.fields.where("in_stock and price > 2").nonzero()[0]
        ]
        assert chosen == ["i3", "i5"]
    none = shop(tmp_path, ignore_columns=["price"])
    assert "price" not in none.fields.types
    bare = darec.load_dataset([("u1", "a"), ("u1", "b"), ("u2", "a"), ("u2", "b")])
    assert list(bare.fields.types) == ["item_id", "title", "text"]


def test_a_dataset_replaced_meanwhile_is_noticed(tmp_path: Path) -> None:
    data = shop(tmp_path, out=tmp_path / "data")
    shop(tmp_path, out=tmp_path / "data", overwrite=True, k_core=2, keep_cold_items=True)
    with pytest.raises(DataError, match="were replaced in the meantime"):
        data.fields.where("price > 2")
    (tmp_path / "data" / "items_fields.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read"):
        darec.load_dataset(tmp_path / "data").fields.where("price > 2")


def test_held_out_items_take_their_fields_with_them(tmp_path: Path) -> None:
    data = shop(tmp_path, split="cold-items", cold_share=0.3)
    assert len(data.items) < 7
    prices = data.fields.columns(["price"])["price"].to_list()
    assert prices == [float(one.removeprefix("i")) + 0.5 for one in data.items.ids]
