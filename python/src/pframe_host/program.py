"""Finds the program."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from .errors import HostGone

NAME = "pframe-host"
#: Names another program than the one that came with this package.
VARIABLE = "PFRAME_PROGRAM"


def find_program() -> Path:
    """The program `pframe-host`: what the variable names, else what came with this package, else what PATH has."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    folders = [Path(sysconfig.get_path("scripts")), Path(sys.executable).parent]
    user = sysconfig.get_preferred_scheme("user")
    folders.append(Path(sysconfig.get_path("scripts", scheme=user)))
    for folder in folders:
        if (folder / NAME).is_file():
            return folder / NAME
    found = shutil.which(NAME)
    if found is None:
        looked = ", ".join(f"`{folder}`" for folder in folders)
        raise HostGone(f"`{NAME}` is in none of {looked}, nor in PATH; set {VARIABLE} to where it is")
    return Path(found)
