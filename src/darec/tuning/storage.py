"""The storage of a study, and the running trials of other processes.

A study is stored in a journal file or an SQL database, and any number of processes on any machines may work on it. Each
trial records the process that runs it and the time of its last heartbeat. A trial whose process was killed is therefore
recognised: immediately on the same machine, and after :data:`SILENCE` on other machines.
"""

from __future__ import annotations

import math
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from darec.errors import ConfigError, RunError
from darec.files import json_value
from darec.lock import Lock

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.storages.journal import JournalFileOpenLock
    from optuna.trial import FrozenTrial

SILENCE = 900.0
"""Seconds without a heartbeat after which a trial of another machine counts as dead."""
BEAT = 60.0
"""Seconds between two heartbeats."""
NEED_EXTRA = "darec tune needs an extra: pip install 'darec[tune]'."


def open_storage(where: str | Path) -> BaseStorage:
    """Open or create the storage of studies.

    Args:
        where: an SQL URL such as ``postgresql://host/db`` or ``sqlite:///file.db``, or the path of a journal file.

    Raises:
        ConfigError: optuna or the database's driver is not installed, or the database cannot be reached.
        RunError: the file is not a journal.
    """
    try:
        from optuna.storages import JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise ConfigError(NEED_EXTRA) from None
    if "://" in str(where):
        try:
            return RDBStorage(str(where))
        except (ImportError, SQLAlchemyError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise ConfigError(f"--storage {where}: {first}") from error
    path = Path(where)
    if path.is_dir():
        raise ConfigError(f"--storage {path} is a folder: name a file or an SQL URL.")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _JournalLock(path)
    try:
        if path.is_file() and path.stat().st_size:
            with path.open() as file:
                json_value(file.readline())["op_code"]  # before it is changed
            lock.acquire()
            lock.release()
        storage = JournalStorage(
            JournalFileBackend(str(path), lock_obj=cast("JournalFileOpenLock", lock))
        )
        storage.get_all_studies()
        return storage
    except (
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:  # Optuna reads the later lines
        raise RunError(f"{path} is not a journal of studies: choose another file.") from error


class _JournalLock:
    """Optuna's interface to the lock of the journal."""

    def __init__(self, journal: Path) -> None:
        self.journal, self.lock = journal, Lock(journal.with_name(f".{journal.name}.lock"))

    def acquire(self) -> bool:
        """Wait for the lock, then remove the incomplete line of a process that was killed while it wrote."""
        self.lock.acquire(wait=math.inf)
        with self.journal.open("rb+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Release the lock."""
        self.lock.release()


def this_worker() -> str:
    """Name of this process: host, process id and start time, because ids are used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def alive(trial: FrozenTrial) -> bool:
    """Whether a process is working on a running trial."""
    host, _, process = str(trial.user_attrs.get("worker", "")).partition(":")
    if host == socket.gethostname():
        pid, _, started = process.partition(":")
        return _started(int(pid)) == started
    begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get("beat", begun)) < SILENCE


def _started(pid: int) -> str | None:
    """Start time of a process in units of the system; None if it has ended."""
    try:
        # proc(5): the command, in brackets, may contain any character; field 3 is the state, field 22 the start time.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        try:  # without /proc, as on macOS, only the id is compared
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return "running"
    return None if fields[0] == "Z" else fields[19]
