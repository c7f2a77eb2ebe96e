"""``darec serve``: serve a bundle over HTTP, as an API and a page."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated, Final

import typer

from darec.terminal import echo

PACKAGES: Final = ("fastapi", "uvicorn", "jinja2", "prometheus_client")


def command(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle, made by 'darec export'.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all addresses of the machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0 chooses a free one and prints it.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Number of processes that answer requests.")
    ] = 1,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder in which feedback and new items are stored; BUNDLE.log by default.",
        ),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Environment variable with the token that clients must send."
        ),
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the page at /.")] = True,
    watch: Annotated[
        float,
        typer.Option(
            min=0,
            max=86400,
            help="Seconds between two checks whether the bundle has changed. With 0, only SIGHUP opens it again.",
        ),
    ] = 1.0,
    max_body: Annotated[
        int, typer.Option(min=1024, max=1 << 30, help="Largest size of a request's body, in bytes.")
    ] = 1 << 20,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, max=3600, help="Longest time that a request may take, in seconds."),
    ] = 30.0,
    access_log: Annotated[
        bool,
        typer.Option("--access-log", help="Print one line for each request on standard error."),
    ] = False,
) -> None:
    """Serve a bundle over HTTP, as an API and a page.

    The API is described at /openapi.json, and the page is at /. The signal SIGHUP makes the server open the bundle
    again.
    """
    from darec.errors import ConfigError

    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(name.replace("_", "-") for name in missing)
        raise ConfigError(f"darec serve needs {names}: pip install 'darec[serve]'")
    token = None
    if token_env is not None:
        token = os.environ.get(token_env)
        if not token:
            raise ConfigError(
                f"--token-env {token_env}: the variable is empty or not set in the environment. Set it to the "
                "token."
            )
    from darec.export.bundle import open_bundle
    from darec.serving.log import check_logs
    from darec.serving.server import bind, log_folder, serve, url_of
    from darec.serving.settings import ServingSettings

    bound = bind(host, port)
    opened = repr(open_bundle(bundle))
    folder = log or log_folder(bundle)
    check_logs(folder)
    settings = ServingSettings(
        bundle=str(bundle),
        log=str(folder),
        token=token,
        page=page,
        watch=watch,
        max_body=max_body,
        timeout=timeout,
    )
    echo(f"{opened.strip('<>')}: serving on {url_of(bound)}", err=True)
    serve(settings, bound, workers, access=access_log)
    echo("darec: stopped.", err=True)
