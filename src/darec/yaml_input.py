"""Read YAML of unknown origin within limits; errors name the line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from darec.errors import ConfigError

MOST_BYTES: Final = 100_000
MOST_DEPTH: Final = 20


def parse_yaml(text: str, where: str) -> Any:
    """The value of a YAML document.

    It refuses anchors and aliases, with which a few lines can expand to gigabytes, documents larger than
    :data:`MOST_BYTES`, nesting deeper than :data:`MOST_DEPTH`, repeated keys, and tags that make other than plain
    values.

    Args:
        text: the document.
        where: its name in errors, such as ``"settings.yaml"``.

    Raises:
        ConfigError: the document is refused or is not YAML; the error names the line if there are several.
    """
    _check_size(text, where)
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None and "\n" in text.strip() else ""
        reason = error.problem or error.context
    except yaml.YAMLError as error:
        line, reason = "", " ".join(str(error).split())
    except (
        ValueError,
        OverflowError,
    ) as error:  # a date with a 13th month, a number of 5,000 digits
        line, reason = "", str(error)
    raise ConfigError(f"{where}{line} is not accepted as YAML: {reason}.")


def read_yaml(file: Path) -> Any:
    """The value of a YAML file in UTF-8; see :func:`parse_yaml`.

    Raises:
        ConfigError: the errors of :func:`parse_yaml`; or the file does not exist or has another encoding.
    """
    try:
        with file.open("rb") as handle:
            data = handle.read(MOST_BYTES + 1)
        _check_size(data, str(file))
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"no config file {file}: check the path.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not YAML in UTF-8: {error}.") from error
    return parse_yaml(text, str(file))


def _check_size(data: bytes | str, where: str) -> None:
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{where} is larger than {MOST_BYTES:,} bytes, too large for settings.")


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(
                problem="anchors and aliases (& and *) are refused, write the value out or in quotes",
                problem_mark=event.start_mark,
            )
        if self.depth >= MOST_DEPTH:
            raise yaml.composer.ComposerError(
                problem=f"it is nested deeper than {MOST_DEPTH} levels",
                problem_mark=event.start_mark,
            )
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)
