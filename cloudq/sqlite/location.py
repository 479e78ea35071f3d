"""Where the file of a `sqlite:///` URL lies, and whether a database can live there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from urllib.parse import parse_qsl, unquote

from cloudq.errors import ConfigurationError

__all__ = ["Location", "locate"]

_SCHEME = "sqlite:///"

NETWORK_FILE_SYSTEMS = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
"""On which write-ahead logging doesn't work. Source: SQLite, Write-Ahead Logging, section 1, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Location:
    """A database file and how hard its commits are.

    Args:
        path: Absolute, so that a later change of directory leads to no other file.
        synchronous: Whether a commit survives a power cut (full) or a crash of the process only (normal).
    """

    path: Path
    synchronous: Literal["full", "normal"] = "full"


def locate(url: str) -> Location:
    """Read `sqlite:///relative/path` or `sqlite:////absolute/path`, with `?synchronous=normal` or without.

    Raises:
        ConfigurationError: The URL is misspelt, or the path lies on a network file system.
    """
    address, _, query = url.partition("?")
    path = unquote(address.removeprefix(_SCHEME))
    if not address.startswith(_SCHEME):
        name = address.removeprefix("sqlite:").lstrip("/") or "queue.db"
        raise ConfigurationError(
            f"{url!r}: write {_SCHEME}{name} for a path from the project's folder, {_SCHEME}/{name} for "
            "one from the root."
        )
    if path in {"", "/", ":memory:"}:
        raise ConfigurationError(
            f"{url!r} names no file: write {_SCHEME}queue.db, or memory:// for what need not last."
        )
    location = Location(Path.cwd() / path, _synchronous(url, query))
    if kind := network_file_system(location.path):
        raise ConfigurationError(
            f"{url!r}: {location.path} lies on a network file system ({kind}), where SQLite's locks don't "
            "hold: choose a local path, or a broker that has a server."
        )
    return location


def _synchronous(url: str, query: str) -> Literal["full", "normal"]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    mode = options.pop("synchronous", "full").lower()
    if options or mode not in {"full", "normal"}:
        raise ConfigurationError(
            f"{url!r}: the only option is synchronous=full (the default) or synchronous=normal."
        )
    return cast("Literal['full', 'normal']", mode)


def network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """The kind of the network file system on which a path lies; None on a local one, or where it isn't known.

    Args:
        path: Absolute; it need not be there yet.
        mounts: The kernel's table of mounts.
    """
    try:
        table = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return None  # no Linux
    above = {str(parent) for parent in (path.resolve(), *path.resolve().parents)}
    # The kernel writes blanks in a mount point as octal. Source: getmntent(3), read 2026-11.
    kinds = {fields[1].replace(r"\040", " "): fields[2] for fields in table if len(fields) > 2}
    nearest = max((point for point in kinds if point in above), key=len, default="")
    kind = kinds.get(nearest, "")
    return kind if kind in NETWORK_FILE_SYSTEMS else None
