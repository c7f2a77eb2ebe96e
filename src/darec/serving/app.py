"""The application: its routes and middleware."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio.to_thread
import torch
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from darec.serving import api, refusals
from darec.serving.guard import Guard
from darec.serving.settings import ServingSettings
from darec.serving.state import Shop


def create_app(settings: ServingSettings) -> FastAPI:
    """Make the application for a bundle.

    Raises:
        DarecError: the bundle cannot be opened, or the log cannot be written.
    """
    shop = Shop(settings)
    app = FastAPI(
        title="darec",
        version=version("darec"),
        summary="Recommendations of a bundle.",
        docs_url=None,  # the pages of docs fetch scripts from other servers
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.shop = shop
    app.include_router(api.router)
    if settings.page:
        from darec.serving.page import routes

        app.include_router(routes.router)
        app.mount("/static", StaticFiles(directory=routes.HERE / "static"))
    refusals.install(app)
    app.add_middleware(Guard, settings=settings, metrics=shop.metrics)
    return app


def from_environment() -> FastAPI:
    """Make the application of a worker process."""
    torch.set_num_threads(1)
    return create_app(ServingSettings.from_environment())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    shop: Shop = app.state.shop
    anyio.to_thread.current_default_thread_limiter().total_tokens = shop.settings.threads
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    in_main = threading.current_thread() is threading.main_thread()
    if in_main:
        loop.add_signal_handler(signal.SIGHUP, asked.set)
    watching = asyncio.create_task(_watch(shop, asked))
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        if in_main:
            loop.remove_signal_handler(signal.SIGHUP)


async def _watch(shop: Shop, asked: asyncio.Event) -> None:
    """Open the bundle again when SIGHUP asks for it, or when its folder has changed."""
    every = shop.settings.watch or None
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), every)
        if asked.is_set() or shop.changed():
            asked.clear()
            # A thread of its own: a swap takes seconds, and the threads that answer must not wait.
            await asyncio.get_running_loop().run_in_executor(None, shop.reopen)
