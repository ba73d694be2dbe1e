"""Opens the lab's guest for a person: ``python -m lab.shell``, or ``make lab-shell``."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import time
from collections.abc import Iterator

from lab import installed
from lab.errors import LabError
from lab.guest import Guest, thawed

CONSOLE = "stdio,mux=on,signal=off"
LOGIN = """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear --keep-baud 115200 %I $TERM
"""
GREETING = """
This is root of the lab's guest: 4 processors (2 cores with 2 threads), 2 frequency policies, C-states, a power meter, SATA and SCSI disks,
USB keyboard and mouse, sound, two network cards, suspend to RAM. powernapd is installed and stopped; nothing of what you do here stays.

  powernap                                           what this machine can do
  sed -i 's/^mode.*/mode = "act"/' /etc/powernap/powernap.toml   lets the daemon act
  systemctl start powernapd; powernap watch          the daemon
  cat /sys/bus/acpi/drivers/power_meter/*/power1_average   microwatts; follows the P-states
  rtcwake -m mem -s 10                               sleep, woken by the clock after 10 s

Ctrl-a c  opens QEMU's monitor and closes it again. There:
  sendkey a          a key of the USB keyboard            system_wakeup    wakes the sleeping guest
  mouse_move 5 0     the mouse                            system_reset     the reset button
  o /h 0xe2 900      all but the processors draws 90.0 W  device_del keyboard   keys go to PS/2 then, which wakes from sleep
poweroff leaves; so does Ctrl-a x, at once.
"""


def main() -> int:
    """The program: 0 the guest was left, 1 it cannot be opened, 2 there is no terminal."""
    if not sys.stdin.isatty():
        print("lab-shell is a console for a person: run it in a terminal", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        with (
            _terminal(),
            thawed(lambda text: _say(f"{time.monotonic() - began:5.0f} s  {text}"), CONSOLE) as guest,
        ):
            _log_in(guest)
            guest.process.wait()
    except LabError as error:
        print(f"the lab cannot be opened: {error}", file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    """A line, also while QEMU has the terminal in raw mode."""
    print(text, end="\r\n", flush=True)


def _log_in(guest: Guest) -> None:
    """A login on the console, as large as the terminal is."""
    installed.install(guest)
    size = os.get_terminal_size()
    guest.write("/etc/motd", GREETING)
    guest.write("/root/.profile", f"stty rows {size.lines} cols {size.columns}\n")
    guest.run("mkdir", "-p", "/etc/systemd/system/serial-getty@ttyS0.service.d").text()
    guest.write("/etc/systemd/system/serial-getty@ttyS0.service.d/lab.conf", LOGIN)
    guest.shell("systemctl daemon-reload; systemctl start --no-block serial-getty@ttyS0").text()


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    """The terminal as it was afterwards, however QEMU ended."""
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


if __name__ == "__main__":
    sys.exit(main())
