"""What was asked before: values by key, the least recently used leaves first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


def kept(store: OrderedDict[Hashable, T], key: Hashable, most: int, make: Callable[[], T]) -> T:
    """The value of *key*, made when it is not there; the least recently used leaves first."""
    if key not in store:
        made = make()
        store[key] = made
        while len(store) > most:
            store.popitem(last=False)
    store.move_to_end(key)
    return store[key]
