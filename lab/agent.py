"""Runs in the guest: does what comes over a virtio-serial port, and answers. Owns nothing but the port and its children.

One request a line, as JSON: ``{"id": 7, "argv": [...]}``, ``{"id": 8, "call": "module:function", "args": [...]}`` or ``{"id": 9, "kill": 7}``.
One answer a line, when the child has ended: ``{"id": 7, "status": 0, "out": "...", "err": "...", "value": ...}``. Requests run side by
side. A *call* runs in a fork of this process: no interpreter starts, which takes seconds on an emulated processor.
"""

# imported once, for every call
import collections.abc  # noqa: F401
import contextlib  # noqa: F401
import dataclasses  # noqa: F401
import errno
import importlib
import json
import os
import re  # noqa: F401
import select
import signal
import socket  # noqa: F401
import subprocess  # noqa: F401
import sys
import time
import traceback

PORT = "/dev/virtio-ports/lab"
OUTPUT = "/run/lab"
REMEMBERED = 64
"""Answers that can be told again."""
CODE = ("/code/src", "/code/tests", "/code")


def output(number, name):
    """Where a child's output goes."""
    return f"{OUTPUT}/{number}.{name}"


def start(request):
    """The process of a request, with its output in files."""
    number = request["id"]
    pid = os.fork()
    if pid:
        return pid
    status = 127
    try:
        os.setsid()
        for fd, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY))):
            path = output(number, name) if fd else "/dev/null"
            opened = os.open(path, flags | (os.O_CREAT | os.O_TRUNC if fd else 0), 0o600)
            os.dup2(opened, fd)
            os.close(opened)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        os.environ["HOME"] = "/root"
        if "argv" in request:
            os.execvp(request["argv"][0], request["argv"])
        status = call(number, request["call"], request.get("args", []))
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def call(number, target, arguments):
    """Call a function of the code disk; its value goes to a file."""
    sys.path[:0] = [path for path in CODE if path not in sys.path]
    module, _, name = target.partition(":")
    value = getattr(importlib.import_module(module), name)(*arguments)
    with open(output(number, "value"), "w", encoding="utf-8") as file:
        json.dump(value, file)
    return 0


def taken(number, name):
    """What a file of a child holds; then it is gone."""
    path = output(number, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            content = file.read()
    except FileNotFoundError:
        return ""
    os.unlink(path)
    return content


def answer(number, status):
    """What is told of a child that has ended."""
    value = taken(number, "value")
    return {
        "id": number,
        "status": os.waitstatus_to_exitcode(status),
        "out": taken(number, "out"),
        "err": taken(number, "err"),
        "value": json.loads(value) if value else None,
    }


def say(port, document):
    """One line, all of it; the port takes as much as the other side has room for."""
    data = b"\n" + json.dumps(document).encode() + b"\n"
    while data:
        try:
            data = data[os.write(port, data) :]
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise
            select.select([], [port], [], 1)


def reap(children, told, port):
    """Tell of every child that has ended."""
    for number, pid in list(children.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del children[number]
            told[number] = answer(number, status)
            say(port, told[number])
    for number in list(told)[:-REMEMBERED]:
        del told[number]


def heed(line, children, told, port):
    """One request."""
    try:
        request = json.loads(line)
    except ValueError:
        return
    number = request.get("id")
    if "kill" in request:
        pid = children.get(request["kill"])
        if pid:
            os.killpg(pid, signal.SIGKILL)
    elif number in told:
        say(port, told[number])
    elif number in children:
        return
    elif "argv" in request or "call" in request:
        children[number] = start(request)
    else:
        say(port, {"id": number, "status": 0, "out": "", "err": "", "value": None})


def main():
    """Serve for ever."""
    os.makedirs(OUTPUT, exist_ok=True)
    woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while not os.path.exists(PORT):
        time.sleep(0.1)  # udev makes it
    port = os.open(PORT, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    children: dict[int, int] = {}
    told: dict[int, dict] = {}
    buffer = b""
    while True:
        ready, _, _ = select.select([port, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        reap(children, told, port)
        if port in ready:
            try:
                got = os.read(port, 65536)
            except BlockingIOError:
                continue
            if not got:
                time.sleep(0.05)  # nobody is connected
                continue
            buffer += got
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                heed(line, children, told, port)


if __name__ == "__main__":
    main()
