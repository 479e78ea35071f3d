from __future__ import annotations

from pathlib import Path

import pytest

from cloudq.errors import ConfigurationError
from cloudq.sqlite import locate
from cloudq.sqlite.location import network_file_system


def test_three_slashes_lead_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    location = locate("sqlite:///.cloudq/queue.db")
    monkeypatch.chdir("/")

    assert location.path == tmp_path / ".cloudq" / "queue.db"


def test_four_slashes_lead_from_the_root():
    assert locate("sqlite:////var/lib/shop/queue.db").path == Path("/var/lib/shop/queue.db")


def test_a_path_may_be_percent_encoded():
    assert locate("sqlite:////tmp/a%20b%3F.db").path == Path("/tmp/a b?.db")


def test_commits_are_synchronous_unless_told_otherwise():
    assert locate("sqlite:////tmp/q.db").synchronous == "full"
    assert locate("sqlite:////tmp/q.db?synchronous=FULL").synchronous == "full"
    assert locate("sqlite:////tmp/q.db?synchronous=normal").synchronous == "normal"


@pytest.mark.parametrize("url", ["sqlite://queue.db", "sqlite:queue.db", "sqlite:/queue.db", "sqlite://"])
def test_too_few_slashes_are_refused_with_the_right_spelling(url):
    with pytest.raises(ConfigurationError, match=r"write sqlite:///queue\.db .* sqlite:////queue\.db"):
        locate(url)


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "sqlite:////"])
def test_a_url_without_a_file_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"names no file: .* memory://"):
        locate(url)


@pytest.mark.parametrize("query", ["synchronous=off", "synchronous=", "timeout=5", "synchronous=full&x=1"])
def test_an_unknown_option_is_refused_with_the_known_one(query):
    with pytest.raises(ConfigurationError, match="the only option is synchronous=full"):
        locate(f"sqlite:////tmp/q.db?{query}")


MOUNTS = r"""/dev/vda / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/vdb /home/me/disk ext4 rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
you@host: /mnt/host fuse.sshfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/q.db", None),
        ("/home/me/q.db", "nfs4"),
        ("/home/me/disk/q.db", None),
        ("/homes/q.db", None),
        ("/mnt/my share/q.db", "cifs"),
        ("/mnt/host/deep/er/q.db", "fuse.sshfs"),
    ],
)
def test_the_nearest_mount_tells_whether_a_path_is_on_a_network(tmp_path, path, kind):
    (tmp_path / "mounts").write_text(MOUNTS)

    assert network_file_system(Path(path), tmp_path / "mounts") == kind


def test_without_a_table_of_mounts_nothing_is_known(tmp_path):
    assert network_file_system(Path("/home/q.db"), tmp_path / "absent") is None


def test_a_file_on_a_network_file_system_is_refused(monkeypatch):
    monkeypatch.setattr("cloudq.sqlite.location.network_file_system", lambda path: "nfs")

    with pytest.raises(ConfigurationError, match=r"network file system \(nfs\), where SQLite's locks"):
        locate("sqlite:////home/q.db")
