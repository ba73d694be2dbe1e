"""System calls that Python has no function for: the C library, its errors as ``OSError``, and the numbers of calls that it does not know.

Owns no call: each stands in the module that it serves.
"""

from __future__ import annotations

import ctypes
import os
import sys

from powernap.host.availability import UnavailableError, unavailable

libc = ctypes.CDLL(None, use_errno=True)


def failure(*what: str) -> OSError:
    """Why this thread's latest call failed, to be raised; ``what``: the file or the like that it was about."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), *what)


def checked(answer: int, *what: str) -> int:
    """What a call answered; ``OSError`` where it is negative."""
    if answer < 0:
        raise failure(*what)
    return answer


def syscall_number(
    call: str, numbers: dict[str, int], machine: str = "", bits: int = 64 if sys.maxsize > 2**32 else 32
) -> int:
    """The number of a system call, of a table by ``os.uname().machine``; ``UnavailableError`` where that is not in it.

    :param machine: this one unless told otherwise; ``bits``: the word size of the interpreter, this one's likewise.
    """
    machine = machine or os.uname().machine
    if machine == "x86_64" and bits == 32:
        machine = "i686"
    if machine not in numbers:
        raise UnavailableError(
            unavailable(f"{call}(2) is not known on {machine}", "report this machine to the PowerNap project")
        )
    return numbers[machine]
