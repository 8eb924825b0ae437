"""Arrays inside a frozen dataclass: the type's own, C-contiguous and read-only.

A dataclass that is frozen does not freeze what its fields point to; a caller who kept an array could still
change a model or an account that others hold.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np


def own_arrays(instance: Any) -> None:
    """Replace every array of a frozen dataclass by a read-only C-contiguous copy; call it in ``__post_init__``.

    An array that is both already is kept: ``dataclasses.replace`` copies nothing twice.
    """
    for field in fields(instance):
        value = getattr(instance, field.name)
        if isinstance(value, np.ndarray) and (value.flags.writeable or not value.flags.c_contiguous):
            copy = np.array(value, order="C")
            copy.flags.writeable = False
            object.__setattr__(instance, field.name, copy)
