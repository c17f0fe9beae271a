"""Write the C source of `vultus._core` from the public headers: `write_binding.py core.h layers.h candidates.h _core.c`."""

from __future__ import annotations

import pathlib
import re
import sys

import cffi

BEGIN, END = "/* binding: begin */", "/* binding: end */"


def declarations(header: str) -> str:
    """Return the part of the header that cffi reads: plain C declarations between the two marks."""
    _, found, rest = header.partition(BEGIN)
    body, ended, _ = rest.partition(END)
    if not (found and ended):
        raise SystemExit(f"the header needs the marks {BEGIN} and {END}")
    return re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)


def main(*names: str) -> None:
    """Write the last file from the declarations of the others."""
    *headers, output = names
    ffi = cffi.FFI()
    for header in headers:
        ffi.cdef(declarations(pathlib.Path(header).read_text(encoding="utf-8")))
    ffi.set_source("vultus._core", '#include "vultus/core.h"')
    ffi.emit_c_code(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
