"""A real PostgreSQL server for the tests: of their own, on a socket in a temporary folder, gone with them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

# Where Debian keeps them, beside the path.
_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name)
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, reversed(_FOLDERS))])
_USER = "postgres"  # the server refuses to run as root


def missing() -> str | None:
    """Why there can be no server here."""
    if find_spec("psycopg") is None:
        return "no psycopg: pip install 'psycopg[binary]'"
    if any(shutil.which(name, path=_PATH) is None for name in ("initdb", "postgres")):
        return "no PostgreSQL: apt-get install postgresql"
    if os.geteuid() == 0 and not any(entry.pw_name == _USER for entry in pwd.getpwall()):
        return f"root cannot run a PostgreSQL server, and there is no user {_USER}"
    return None


@contextmanager
def server() -> Iterator[str]:
    """Yields the URL of the new server, to which the name of a database is to be put in place of {}."""
    # Not pytest's folder: the path of a socket has to be short, and root's folders are closed to the server's user.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    data, user = folder / "data", _USER if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    running = None
    try:
        _run(["initdb", "--no-sync", "--auth=trust", "--username=bridgebench", "--encoding=UTF8", f"-D{data}"], user)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        command = [_found("postgres"), "-D", str(data), *options]
        running = subprocess.Popen(command, user=user, cwd=folder, stderr=subprocess.DEVNULL)
        _run(["pg_isready", "--timeout=60", f"--host={folder}"], user, tries=600)
        yield f"postgresql://bridgebench@/{{}}?host={folder}"
    finally:
        if running is not None:
            running.send_signal(signal.SIGINT)
            running.wait()
        shutil.rmtree(folder)


def _found(name: str) -> str:
    path = shutil.which(name, path=_PATH)
    assert path is not None
    return path


def _run(command: list[str], user: str | None, tries: int = 1) -> None:
    command = [_found(command[0]), *command[1:]]
    for last in [False] * (tries - 1) + [True]:
        done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if last:
            raise RuntimeError(f"{command[0]}: {done.stderr}")
        time.sleep(0.1)
