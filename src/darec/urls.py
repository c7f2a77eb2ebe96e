"""URLs without credentials, which may be stored, printed and logged."""

from __future__ import annotations

import logging
import re
from typing import Final

# A URL that was taken for a path has one slash; one letter and a slash is a drive of Windows.
_URL: Final = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}:/{1,2})(\S+)", re.IGNORECASE)
_CLOSING: Final = "\"'`<>)],.;:"
"""Characters that end a quotation or a sentence and are not part of a URL."""
_HARMLESS: Final = ("api-version=",)
"""Query parameters that are not secret and that a server may need."""


def without_credentials(text: str) -> str:
    """The text with user, password, query and fragment removed from every URL.

    Everything before the last ``@`` is removed, because a password may contain an unescaped ``/``, ``?`` or ``@``.
    """
    return _URL.sub(lambda url: url[1] + _bare(url[2]), text)


def _bare(whole: str) -> str:
    rest = whole.rstrip(_CLOSING)
    closing = whole[len(rest) :]
    place, _, query = rest.rpartition("@")[2].partition("#")[0].partition("?")
    kept = "&".join(part for part in query.split("&") if part.startswith(_HARMLESS))
    return (f"{place}?{kept}" if kept else place) + closing


class _Quiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_credentials(record.getMessage()), ()
        return True


def quiet_logs(*loggers: str) -> None:
    """Make these loggers write URLs without credentials."""
    for name in loggers:
        logger = logging.getLogger(name)
        if not any(isinstance(filter_, _Quiet) for filter_ in logger.filters):
            logger.addFilter(_Quiet())
