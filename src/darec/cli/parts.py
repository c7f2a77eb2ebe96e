"""The common parts of commands that resolve parts: the option ``--plugin``, and the names of the parts in the help."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE|MODULE",
        help="Python file or module with your own parts. Repeat the option for several; DAREC_PLUGINS may list "
        "more.",
    ),
]


def with_plugins(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same command with the option ``--plugin``, which :class:`PartsCommand` handles."""

    @functools.wraps(command)
    def taking_plugins(**options: Any) -> Any:
        del options["plugin"]
        return command(**options)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Plugins
    )
    parameters = [*signature.parameters.values(), option]
    taking_plugins.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    taking_plugins.__annotations__ = {**command.__annotations__, "plugin": Plugins}
    return taking_plugins


def backbone_names(incomplete: str) -> list[str]:
    """The shell's suggestions for a backbone, or for the last of several with commas between."""
    from darec.registry import BACKBONES

    return _continued(incomplete, BACKBONES)


def alignment_names(incomplete: str) -> list[str]:
    """The shell's suggestions for an alignment, or for the last of several with commas between."""
    from darec.registry import ALIGNMENTS

    return _continued(incomplete, ALIGNMENTS)


def _continued(incomplete: str, names: Iterable[str]) -> list[str]:
    before, comma, _ = incomplete.rpartition(",")
    return [before + comma + name for name in names if name not in before.split(",")]


class PartsCommand(TyperCommand):
    """A command that resolves parts.

    Its help may contain ``{backbones}`` and ``{alignments}``, which are replaced by the names that are registered when
    the help is shown, and ``{more encoders}``, which is replaced by the encoders from outside the package, each after a
    comma.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Load the plugins first, because ``--help`` and the command itself name their parts."""
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for plugin in given.get("plugin") or ():
            from darec.registry.plugins import load_plugin

            load_plugin(plugin)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the names in it."""
        self._fill_in_names()
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The shell's suggestions for an option; some shells show its help beside them."""
        self._fill_in_names()
        return super().shell_complete(ctx, incomplete)

    def _fill_in_names(self) -> None:
        """Replace the placeholders by names."""
        from darec.registry import ALIGNMENTS, BACKBONES, ENCODERS

        more = [name for name in ENCODERS if name not in ENCODERS.own]
        names = {
            "{backbones}": ", ".join(BACKBONES),
            "{alignments}": ", ".join(ALIGNMENTS),
            "{more encoders}": "".join(f", {name}" for name in more),
        }
        for param in self.params:
            for token, listed in names.items():
                if getattr(param, "help", None):
                    param.help = param.help.replace(token, listed)  # type: ignore[attr-defined]
