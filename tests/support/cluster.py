"""A PostgreSQL of a test's own, which may be killed: the machine's is somebody else's."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_PROGRAMS = Path("/usr/lib/postgresql")
_PATIENCE_SECONDS = 60


def programs() -> Path:
    """Where the newest PostgreSQL's programs are, as Debian lays them down."""
    found = sorted(_PROGRAMS.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "There are no programs of PostgreSQL here: they come with the package postgresql."
    return found[-1].parent


def _account() -> str | None:
    """Whose it is: PostgreSQL does not run as root."""
    return "postgres" if os.geteuid() == 0 else None


@dataclass
class Cluster:
    """One cluster on a port of its own. It trusts whoever is on this machine, and is thrown away."""

    folder: Path
    port: int
    _postmaster: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def base(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def url(self, name: str) -> str:
        return f"{self.base}/{name}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._postmaster = subprocess.Popen(  # noqa: S603 -- PostgreSQL's own
            [
                *(programs() / "postgres", "-D", self.folder / "data", "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
                # So seldom that what is not flushed with its commit is still in memory at the end.
                *("-c", "wal_writer_delay=10s", "-c", "shared_buffers=16MB"),
                # Nobody who is just coming holds up its end for longer.
                *("-c", "authentication_timeout=5s"),
                # What the system was given outlives all our processes: to flush it shows nothing here.
                *("-c", "fsync=off"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=_account(),
            cwd=self.folder,
        )
        ready = f"{programs()}/pg_isready -q -h 127.0.0.1 -p {self.port} -t {_PATIENCE_SECONDS}"
        while subprocess.run(ready.split(), check=False).returncode:  # noqa: S603 -- as above
            assert self._postmaster.poll() is None, "PostgreSQL did not start."

    def kill(self) -> None:
        """Kill it and every process of it at once, as a machine does that loses power."""
        assert self._postmaster is not None
        postmaster = psutil.Process(self._postmaster.pid)
        # Stopped first, so that it begins nobody else meanwhile.
        postmaster.suspend()
        for process in [*postmaster.children(recursive=True), postmaster]:
            process.kill()
        self._postmaster.wait(_PATIENCE_SECONDS)
        self._postmaster = None

    def stop(self) -> None:
        """Stop it as a restart does: whoever is connected is cut off, and everything is written."""
        assert self._postmaster is not None
        self._postmaster.send_signal(signal.SIGINT)
        self._postmaster.wait(_PATIENCE_SECONDS)
        self._postmaster = None

    @property
    def runs(self) -> bool:
        return self._postmaster is not None


@contextmanager
def own_cluster(port: int) -> Iterator[Cluster]:
    """Make a cluster and start it; it is gone at the end of the block."""
    with _folder() as folder:
        _run(
            *("initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"),
            *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"),
            cwd=folder,
        )
        with _started(Cluster(folder, port)) as cluster:
            yield cluster


@contextmanager
def standby_of(primary: Cluster, port: int) -> Iterator[Cluster]:
    """Make a standby of a cluster, which follows it, and start it; it is gone at the end of the block."""
    with _folder() as folder:
        _run(
            *("pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-D", folder / "data"),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
            cwd=folder,
        )
        with _started(Cluster(folder, port)) as cluster:
            yield cluster


@contextmanager
def _folder() -> Iterator[Path]:
    # Not in a folder of the tests: those can be entered by us alone.
    folder = Path(tempfile.mkdtemp(prefix="ringside-cluster-"))
    account = _account()
    if account is not None:
        os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(cluster: Cluster) -> Iterator[Cluster]:
    try:
        cluster.start()
        yield cluster
    finally:
        if cluster.runs:
            cluster.kill()


def _run(program: str, *arguments: str | Path, cwd: Path) -> None:
    subprocess.run(  # noqa: S603 -- as above
        [programs() / program, *arguments], check=True, stdout=subprocess.DEVNULL, user=_account(), cwd=cwd
    )
