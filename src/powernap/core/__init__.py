"""The decisions, as pure functions of values: no clock, file, socket, random source or logging. Time comes in as an argument.

All instants are seconds of ``CLOCK_BOOTTIME`` (which also counts while the machine is suspended) as ``float``.
"""
