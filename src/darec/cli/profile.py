"""``darec profile``: ask a language model to describe items and users."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from darec.cli.output import Format
from darec.terminal import echo

if TYPE_CHECKING:
    from darec.text.profiles import CostEstimate, ProfileReport
    from darec.text.profiles.schema import Kind

SHOWN = 10


def command(
    data: Annotated[Path, typer.Argument(help="Dataset folder, made by 'darec import'.")],
    model: Annotated[str, typer.Option(help="Name of the model on the server.")],
    items: Annotated[bool, typer.Option("--items", help="Describe the items.")] = False,
    users: Annotated[
        bool,
        typer.Option(
            "--users",
            help="Describe the users, from their training items. The default is both items and users.",
        ),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(
            help="Address of the server, such as http://127.0.0.1:8000/v1. The default is OPENAI_BASE_URL, or "
            "OpenAI if that is not set."
        ),
    ] = None,
    key_env: Annotated[
        str, typer.Option(help="Environment variable with the API key.")
    ] = "OPENAI_API_KEY",
    name: Annotated[
        str | None,
        typer.Option(help="Name of the set of profiles. The default is the model's name."),
    ] = None,
    item_template: Annotated[
        Path | None, typer.Option(help="Jinja2 template of the items' prompts.")
    ] = None,
    user_template: Annotated[
        Path | None, typer.Option(help="Jinja2 template of the users' prompts.")
    ] = None,
    reviews: Annotated[
        Path | None,
        typer.Option(
            help="JSONL file with user_id, item_id and text of reviews. Only reviews of training pairs are used."
        ),
    ] = None,
    in_flight: Annotated[
        int, typer.Option(min=1, help="Number of requests sent at the same time.")
    ] = 8,
    price: Annotated[
        str | None,
        typer.Option(
            metavar="IN:OUT",
            help="Price in dollars per million tokens read and written, such as 0.15:0.60.",
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, help="Most dollars that this command may cost; needs --price."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Largest number of prompts to send.")
    ] = None,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Send only the prompts that failed before.")
    ] = False,
    json_mode: Annotated[
        str,
        typer.Option(
            "--json", metavar="schema|object|none", help="How the server is made to answer in JSON."
        ),
    ] = "schema",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show three prompts and the estimated cost; send nothing."),
    ] = False,
    batch_out: Annotated[
        Path | None,
        typer.Option(
            help="Write the requests to a batch file for the vendor's batch service; send nothing."
        ),
    ] = None,
    batch_in: Annotated[
        Path | None, typer.Option(help="Read the answers from the batch service's result file.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Send only the I-th of N parts. Other machines can send the other parts.",
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Send nothing; join the N parts of --shard.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting, such as max_tokens=300: temperature, max_tokens, max_characters, max_items, "
            "max_item_characters, timeout, retries, attempts or body.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show progress.")] = False,
    format: Annotated[Format, typer.Option(help="Output format of the report.")] = Format.TABLE,
) -> None:
    """Ask a language model to describe items and users.

    The model runs on any OpenAI-compatible server. Every answer is stored when it arrives. If the command is stopped,
    run it again: it sends only the prompts that have no answer yet or that have changed. The API key is read from the
    environment.
    """
    from darec.cli.output import print_json
    from darec.errors import ConfigError
    from darec.overrides import parse_override
    from darec.text.profiles import Price, Profiler
    from darec.urls import without_credentials

    if sum([dry_run, batch_out is not None, batch_in is not None]) > 1:
        raise ConfigError("--dry-run, --batch-out and --batch-in cannot be combined: choose one.")
    if merge and (shard or dry_run or batch_out is not None or batch_in is not None):
        raise ConfigError(
            "--merge cannot be combined with --shard, --dry-run, --batch-out or --batch-in."
        )
    named: dict[str, Any] = {
        "base_url": base_url,
        "key_env": key_env,
        "item_template": item_template,
        "user_template": user_template,
        "reviews": reviews,
        "in_flight": in_flight,
        "json_mode": json_mode,
    }
    kinds: list[Kind] = []
    if items or not users:
        kinds.append("item")
    if users or not items:
        kinds.append("user")
    profiler = Profiler(
        data,
        model,
        kinds=kinds,
        settings={
            **named,
            **dict(parse_override(setting, example="max_tokens=300") for setting in settings or []),
        },
        name=name,
        only_failed=only_failed,
        limit=limit,
        price=Price.parse(price) if price else None,
        budget=budget,
        shard=shard,
    )
    if dry_run:
        estimate = profiler.estimate()
        print_json(estimate.to_dict()) if format is Format.JSON else _print_estimate(estimate)
        return
    if batch_out is not None:
        count = profiler.batch_out(batch_out)
        if format is Format.JSON:
            print_json({"requests": count, "path": str(batch_out)})
        else:
            echo(f"{count:,} requests in {batch_out}")
        return
    try:
        if merge:
            report = profiler.merge()
        else:
            report = profiler.batch_in(batch_in) if batch_in else profiler.run(progress=not quiet)
    except KeyboardInterrupt:
        again = shlex.join(["darec", *sys.argv[1:]])
        # The URL in the command holds a password, which must not be shown.
        again = again if again == without_credentials(again) else "the same command"
        echo(f"darec: interrupted. All answers are kept; continue with: {again}", err=True)
        raise typer.Exit(130) from None
    print_json(report.to_dict()) if format is Format.JSON else _print_report(report)
    if report.stopped or report.unanswered or not report.profiles:
        raise typer.Exit(1)


def _print_estimate(estimate: CostEstimate) -> None:
    for number, prompt in enumerate(estimate.prompts, 1):
        echo(f"--- prompt {number}, {prompt.kind} {prompt.id}")
        for message in prompt.messages:
            echo(f"[{message['role']}]\n{message['content']}\n", lines=True)
    echo(f"requests         {estimate.requests:,} ({estimate.reused:,} profiles exist already)")
    echo(f"tokens read      about {estimate.tokens_in:,}")
    echo(f"tokens written   about {estimate.tokens_out:,}, at most {estimate.most_tokens_out:,}")
    if estimate.cost is None:
        echo("cost             unknown: give --price IN:OUT")
    else:
        echo(f"cost             about ${estimate.cost:,.4f}, at most ${estimate.most:,.4f}")


def _print_report(report: ProfileReport) -> None:
    for notice in report.notices:
        echo(f"note: {notice}", err=True)
    if report.stopped:
        echo(f"stopped: {report.stopped}", err=True)
    failed, unanswered = report.failed, report.unanswered
    for title, rows, remedy in (
        ("failed", failed, "--only-failed sends them again"),
        ("without an answer", unanswered, "run the same command again to send them"),
    ):
        if rows:
            echo(f"{len(rows)} {title}; {remedy}:", err=True)
            for kind, identifier, reason in rows[:SHOWN]:
                echo(f"  {kind} {identifier}: {reason}", err=True)
            if len(rows) > SHOWN:
                echo(f"  and {len(rows) - SHOWN} more (--format json lists all)", err=True)
    rate = f" ({report.new / report.seconds:.3g} a second)" if report.new else ""
    figures = {
        "items": f"{report.items:,}",
        "users": f"{report.users:,}",
        "profiles": f"{report.profiles:,}: {report.new:,} new{rate}, {report.reused:,} from before",
        "failed": f"{len(failed):,}",
        "unanswered": f"{len(unanswered):,}",
        "not asked": f"{report.left:,}",
        "tokens": f"{report.tokens_in:,} read, {report.tokens_out:,} written",
        "cost": "unknown: give --price IN:OUT" if report.cost is None else f"${report.cost:,.4f}",
        "profiles in": str(report.path),
    }
    for label, value in figures.items():
        echo(f"{label:<16} {value}")
