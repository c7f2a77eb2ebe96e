"""Reads the content of a pickle without running it.

A pickle is a program for a machine with a stack and a memo. This module is such a machine for the few operations that
``scipy.sparse`` matrices of numbers need. It notes a call and does not make it; it looks a name up in a table and does
not import it. Work and memory are bounded: each operation takes bytes of the file or one step, and there are at most
:data:`MOST_STEPS` of them. The results are never compared, hashed, printed or copied here, since a few hundred bytes
can describe a tuple with 2^60 paths through it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

MOST_STEPS: Final = 10_000
"""Most operations in a pickle. A matrix of any size has about 100, since an array is one string of bytes."""

_VALUES: Final = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "BINFLOAT", "FLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}  # fmt: skip
_CONSTANTS: Final[dict[str, Any]] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IDLE: Final = {"PROTO", "FRAME"}
_MARK: Final = object()


class RefusedError(Exception):
    """The pickle holds something that is not read here, or is damaged."""


@dataclass(frozen=True, eq=False, repr=False)
class Name:
    """A name in a pickle; it holds the kind that this reader knows the name as."""

    kind: str


@dataclass(eq=False, repr=False)
class Call:
    """A call that was noted and not made.

    Attributes:
        kind: the kind of the called name.
        arguments: the arguments of the call.
        state: the state that the result would get afterwards; None if there is none.
    """

    kind: str
    arguments: tuple[Any, ...]
    state: Any = None


def read_notes(data: bytes, names: Mapping[str, str]) -> Any:
    """Return the content of a pickle: numbers, strings, tuples, lists, dicts with text as keys, and :class:`Call`.

    Args:
        data: the pickle, of any protocol.
        names: the names that it may contain, such as ``"numpy.ndarray"``, and the kind of each.

    Raises:
        RefusedError: the pickle has another name, an operation that a matrix does not need or too many steps, or is
            damaged.
    """
    machine = _Machine(names)
    try:
        for steps, (operation, argument, _) in enumerate(pickletools.genops(BytesIO(data))):
            if steps > MOST_STEPS:
                raise RefusedError(f"it has more than {MOST_STEPS:,} steps, where a matrix has 100")
            machine.do(operation.name, argument)
        return machine.pop()
    except RefusedError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise RefusedError(f"it is damaged or is not a pickle ({error})") from error


class _Machine:
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def do(self, operation: str, argument: Any) -> None:
        """One step."""
        if operation in _VALUES:
            self.stack.append(argument)
        elif operation in _CONSTANTS:
            self.stack.append(_CONSTANTS[operation])
        elif operation in _TUPLES:
            items = [self.pop() for _ in range(_TUPLES[operation])]
            self.stack.append(tuple(reversed(items)))
        elif operation in _IDLE:
            pass
        else:
            step = getattr(self, f"do_{operation.lower()}", None)
            if step is None:
                raise RefusedError(f"it has a step {operation}, which no matrix needs")
            step(argument)

    def pop(self) -> Any:
        """Take the value on top."""
        top = self.stack.pop()
        if top is _MARK:
            raise ValueError("a mark where a value belongs")
        return top

    def since_mark(self) -> list[Any]:
        """Take the values above the last mark, and the mark itself."""
        items: list[Any] = []
        while (top := self.stack.pop()) is not _MARK:
            items.append(top)
        return items[::-1]

    def do_mark(self, _: None) -> None:
        self.stack.append(_MARK)

    def do_stop(self, _: None) -> None:
        if len(self.stack) != 1:
            raise ValueError("values are left over")

    def do_put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    do_binput = do_long_binput = do_put

    def do_memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def do_get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    do_binget = do_long_binget = do_get

    def do_empty_tuple(self, _: None) -> None:
        self.stack.append(())

    def do_tuple(self, _: None) -> None:
        self.stack.append(tuple(self.since_mark()))

    def do_empty_list(self, _: None) -> None:
        self.stack.append([])

    def do_list(self, _: None) -> None:
        self.stack.append(self.since_mark())

    def do_append(self, _: None) -> None:
        item = self.pop()
        self._top(list).append(item)

    def do_appends(self, _: None) -> None:
        items = self.since_mark()
        self._top(list).extend(items)

    def do_empty_dict(self, _: None) -> None:
        self.stack.append({})

    def do_dict(self, _: None) -> None:
        items = self.since_mark()
        self.stack.append({})
        self._set(items)

    def do_setitem(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._set([key, value])

    def do_setitems(self, _: None) -> None:
        self._set(self.since_mark())

    def do_global(self, name: str) -> None:
        self._name(name.replace(" ", "."))

    def do_stack_global(self, _: None) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is not text")
        self._name(f"{module}.{name}")

    def do_reduce(self, _: None) -> None:
        arguments, called = self.pop(), self.pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is not a name")
        self.stack.append(Call(called.kind, arguments))

    do_newobj = do_reduce

    def do_build(self, _: None) -> None:
        state = self.pop()
        self._top(Call).state = state

    def _name(self, name: str) -> None:
        if name not in self.names:
            raise RefusedError(f"it names {name}")
        self.stack.append(Name(self.names[name]))

    def _top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise TypeError(f"no {kind.__name__.lower()} where one is changed")
        return self.stack[-1]

    def _set(self, items: list[Any]) -> None:
        """Set pairs of key and value in the dict on top."""
        keys = items[::2]
        if not all(isinstance(key, str) for key in keys):
            raise TypeError("a key that is not text")
        self._top(dict).update(zip(keys, items[1::2], strict=True))
