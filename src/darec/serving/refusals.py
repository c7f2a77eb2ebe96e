"""Refusals of requests: a status and one line, ``{"error": "..."}``."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from darec.errors import DarecError, RunError, shortened
from darec.serving.schemas import Failure

_OTHER_TYPE: Final = re.compile("_type$|_parsing$|_from_float$")
"""pydantic's errors that say that a value has another type."""
_NAME: Final = re.compile("[a-z0-9_]+")
"""Places of errors that the request itself names; other parts are pydantic's names of types."""
LOG: Final = logging.getLogger("darec.serving")

_MEANINGS: Final = {
    401: "The token is missing or wrong.",
    404: "No such user or item.",
    405: "The method is not a documented one.",
    408: "The body did not arrive in time.",
    409: "This bundle does not support the request; the error says why.",
    413: "The body is too large.",
    422: "The request is not as documented, or names something that the bundle does not have.",
    503: "There are too many requests at once, or the request took too long.",
    507: "The log cannot be written.",
}


class RefusalError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        message: the reason, and what would be accepted.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of refusals for OpenAPI."""
    always = (401, 413, 422, 503, 408)
    return {
        status: {"model": Failure, "description": _MEANINGS[status]}
        for status in sorted({*statuses, *always})
    }


def answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer that refuses."""
    return JSONResponse({"error": shortened(message)}, status, headers)


def install(app: FastAPI) -> None:
    """Make an application answer every error in this form."""

    @app.exception_handler(RefusalError)
    def _refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RefusalError)
        return answer(error.status, str(error))

    @app.exception_handler(DarecError)
    def _asked_wrongly(_: Request, error: Exception) -> JSONResponse:
        return answer(503 if isinstance(error, RunError) else 422, str(error))

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == 400:  # FastAPI's message for JSON that is nested too deeply
            return answer(422, "the body is not valid JSON.")
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return answer(422, _told(error.errors()))

    @app.exception_handler(Exception)
    def _bug(_: Request, error: Exception) -> JSONResponse:
        return answer(500, "an error in the server; see its log.")


def _told(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the first error and its place.

    If a value may have several types, each of them reports an error; the one whose type the value has is taken.
    """
    first = next((one for one in errors if not _OTHER_TYPE.search(one["type"])), errors[0])
    where, *path = map(str, first["loc"])
    place = ".".join(part for part in path if _NAME.fullmatch(part)) or where
    return f"{shortened(place)}: {first['msg'].removeprefix('Value error, ')}."
