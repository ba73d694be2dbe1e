"""Changes of files, as the real kernel tells them."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from deadserver import DeadServer
from keeper import run
from loop_ears import until
from powernap.daemon.watched_files import WatchedFiles
from powernap.host.inotify import Inotify


class Watch:
    """What was heard. Make it in a coroutine."""

    def __init__(self, *paths: Path) -> None:
        self.heard = 0
        self.files = WatchedFiles(self._hear)
        self.trouble = self.files.watch(map(str, paths))

    def _hear(self) -> None:
        self.heard += 1

    async def hears(self, doing: Callable[[], object]) -> bool:
        """Whether that is a change: the kernel has told all when it returns, so the loop hears it in its next round."""
        self.heard = 0
        doing()
        for _ in range(3):
            await asyncio.sleep(0)
        return bool(self.heard)


def watching(*parts: str) -> Callable[[Callable[[Watch, Path], Coroutine[None, None, None]]], Callable[[Path], None]]:  # fmt: skip
    """Decorates a coroutine as a test of a watch over this path below ``tmp_path``."""

    def decorate(test: Callable[[Watch, Path], Coroutine[None, None, None]]) -> Callable[[Path], None]:
        def claim(tmp_path: Path) -> None:
            (tmp_path / "there").mkdir()
            path = tmp_path.joinpath(*parts)

            async def work() -> None:
                watch = Watch(path)
                try:
                    assert watch.trouble == ""
                    await test(watch, path)
                finally:
                    watch.files.close()

            run(work())

        claim.__doc__ = test.__doc__
        return claim

    return decorate


@watching("there", "file")
async def test_a_file_that_comes_changes_and_goes_is_heard(watch: Watch, path: Path) -> None:
    """Each of them; and one that is put in its place."""
    other = path.with_name("other")
    assert await watch.hears(lambda: path.write_text("x"))
    assert await watch.hears(lambda: path.write_text("y"))
    assert await watch.hears(lambda: path.chmod(0o600))
    assert not await watch.hears(lambda: other.write_text("z"))
    assert await watch.hears(lambda: other.replace(path))
    assert await watch.hears(path.unlink)


@watching("there")
async def test_whatever_happens_in_a_directory_is_heard(watch: Watch, path: Path) -> None:
    """Any file of it, and its own end."""
    assert await watch.hears(lambda: (path / "any").write_text("x"))
    assert await watch.hears((path / "any").unlink)
    assert await watch.hears(path.rmdir)


@watching("not", "yet", "file")
async def test_what_is_not_there_yet_is_heard_of_from_above(watch: Watch, path: Path) -> None:
    """A directory on the way to it comes; watched again, the next one is."""
    assert not await watch.hears((path.parents[2] / "something").mkdir)
    for directory in (path.parents[1], path.parent):
        assert await watch.hears(directory.mkdir)
        assert watch.files.watch([str(path)]) == ""
    assert await watch.hears(lambda: path.write_text("x"))


@watching("there", "file")
async def test_the_end_of_its_directory_is_heard(watch: Watch, path: Path) -> None:
    """Also where only one name of it is of interest."""
    assert await watch.hears(path.parent.rmdir)


@watching("there", "link")
async def test_a_link_that_leads_elsewhere_is_heard(watch: Watch, path: Path) -> None:
    """As timedatectl changes /etc/localtime."""
    path.with_name("new").symlink_to("/usr/share/zoneinfo/UTC")
    assert await watch.hears(lambda: path.with_name("new").replace(path))


@watching("there", "file")
async def test_watching_others_forgets_the_first(watch: Watch, path: Path) -> None:
    """And closed, nothing is heard."""
    other = path.with_name("other")
    watch.files.watch([str(other)])
    assert not await watch.hears(lambda: path.write_text("x"))
    assert await watch.hears(lambda: other.write_text("x"))
    watch.files.close()
    watch.files.close()
    assert not await watch.hears(other.unlink)


@watching("there", "file")
async def test_events_that_were_lost_count_as_a_change(watch: Watch, path: Path) -> None:
    """More than the kernel keeps (fs.inotify.max_queued_events) happened meanwhile."""
    assert path.parent.exists()
    assert watch.files._ours(-1, 0x4000, "")
    assert not watch.files._ours(next(iter(watch.files.owners[""])), 0x2, "other")


def full(number: int) -> Callable[..., object]:
    """What raises this error."""

    def fail(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("what", "number"), [("__init__", errno.EMFILE), ("watch", errno.ENOSPC), ("watch", errno.ENOMEM)]
)
def test_a_limit_that_is_reached_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int
) -> None:
    """Of instances, or of watches: they are the whole user's, so a test that used them up would end others."""
    monkeypatch.setattr(Inotify, what, full(number))

    async def claim() -> None:
        watch = Watch(tmp_path)
        assert watch.trouble == os.strerror(number)
        watch.files.close()

    run(claim())


def test_a_directory_that_goes_while_it_is_to_be_watched_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is watched."""
    real = Inotify.watch
    monkeypatch.setattr(
        Inotify,
        "watch",
        lambda self, path, mask: full(errno.ENOENT)() if path.endswith("gone") else real(self, path, mask),
    )
    (tmp_path / "gone").mkdir()
    (tmp_path / "stays").mkdir()

    async def claim() -> None:
        watch = Watch(tmp_path / "gone", tmp_path / "stays", Path("relative"))
        assert watch.trouble == ""
        (tmp_path / "stays" / "x").touch()
        await until(lambda: watch.heard)
        watch.files.close()

    run(claim())


@watching("there", "file")
async def test_watched_again_nothing_is_lost_in_between(watch: Watch, path: Path) -> None:
    """What is waiting to be heard still is, and the watch is the same one."""
    before = watch.files.inotify, dict(watch.files.owners[""])
    os.close(os.open(path, os.O_CREAT))
    assert watch.files.watch([str(path)]) == ""
    assert (watch.files.inotify, watch.files.owners[""]) == before
    assert await watch.hears(lambda: None)


# ------------------------------------------------------------ placed in threads


def in_thread(work: Callable[[], object]) -> threading.Thread:
    """Begun."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


async def ended(thread: threading.Thread) -> None:
    """While the loop goes on."""
    await until(lambda: not thread.is_alive())


@watching("there", "file")
async def test_each_owner_has_his_own_paths(watch: Watch, path: Path) -> None:
    """One that wants others now takes nothing from those who want the same directory; the last one's end is its end."""
    files, other, away = watch.files, path.with_name("other"), str(path.parents[1])
    files.owners.clear()
    for owner, each in (("a", path), ("b", other)):
        await ended(in_thread(lambda owner=owner, each=each: files.place(owner, [str(each)])))  # type: ignore[misc]
    assert await watch.hears(lambda: path.write_text("x"))
    assert await watch.hears(lambda: other.write_text("x"))
    await ended(in_thread(lambda: files.place("a", [away + "/elsewhere"])))
    assert not await watch.hears(lambda: path.write_text("y"))
    assert await watch.hears(lambda: other.write_text("y"))
    shared = set(files.owners["b"])
    await ended(in_thread(lambda: files.place("b", [away + "/elsewhere"])))
    await until(lambda: not shared & files.standing)
    assert not await watch.hears(lambda: other.write_text("z"))
    assert await watch.hears((path.parents[1] / "elsewhere").mkdir)


def test_a_server_that_is_gone_holds_up_one_thread_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others want is watched meanwhile; when it is back, its own is."""
    for name in ("dead", "there", "beside"):
        (tmp_path / name).mkdir()
    server = DeadServer(monkeypatch, str(tmp_path / "dead"))

    async def claim() -> None:
        heard: list[int] = []
        files = WatchedFiles(lambda: heard.append(1))
        assert files.begin() == ""
        hung = in_thread(lambda: files.place("far", [str(tmp_path / "beside"), str(tmp_path / "dead/file")]))
        await until(lambda: server.waiting)
        await ended(in_thread(lambda: files.place("near", [str(tmp_path / "there")])))
        (tmp_path / "there/x").touch()
        await until(lambda: heard)
        server.back.set()
        await ended(hung)
        for name in ("dead/file", "beside/file"):
            heard.clear()
            (tmp_path / name).touch()
            await until(lambda: heard)
        files.close()
        assert files.inotify is None

    run(claim())
    assert server.touched == []


def test_closed_while_a_thread_hangs_the_descriptor_is_closed_by_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before that its number must not become another's: the thread would watch something in there."""
    server = DeadServer(monkeypatch, str(tmp_path / "dead"))
    (tmp_path / "dead").mkdir()
    answers: list[str] = []

    async def claim() -> None:
        files = WatchedFiles(lambda: None)
        assert files.place("a", []) == "nothing is watched yet"
        files.begin()
        inotify = files.inotify
        assert inotify is not None
        hung = in_thread(lambda: answers.append(files.place("a", [str(tmp_path / "dead")])))
        await until(lambda: server.waiting)
        files.close()
        files.close()
        os.fstat(inotify.fd)
        assert files.place("b", [str(tmp_path)]) == ""
        os.fstat(inotify.fd)
        assert files.begin() == ""
        server.back.set()
        await ended(hung)
        assert (answers, files.inotify) == ([""], None)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(inotify.fd)

    run(claim())
