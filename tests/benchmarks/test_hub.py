"""Data sets of the Hub, served here by a small server that speaks as much of the Hub's protocol as is asked for."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from safeeraser.benchmarks.reading.hub import located
from tests.benchmarks import sources

COMMIT = "0123456789abcdef0123456789abcdef01234567"
READ = """
import json, sys
from pathlib import Path
from safeeraser.benchmarks import read
from safeeraser.errors import UserError
try:
    found = read(Path(sys.argv[1]), sys.argv[2])
except UserError as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"name": found.name, "hash": found.hash, "ids": [example.id for example in found.examples]}))
"""


class Hub(BaseHTTPRequestHandler):
    """Serves the files of `folder` as the data set Owner/Data at one commit."""

    folder: ClassVar[Path]
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(f"{self.command} {path}")
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        names = {file.relative_to(self.folder).as_posix(): file for file in files}
        place = f"/datasets/Owner/Data/resolve/{COMMIT}/"
        if path.startswith("/api/datasets/Owner/Data/tree/"):
            self._json(
                [
                    {"type": "file", "path": name, "size": file.stat().st_size, "oid": "0"}
                    for name, file in names.items()
                ]
            )
        elif path.startswith("/api/datasets/Owner/Data"):
            siblings = [{"rfilename": name} for name in names]
            self._json({"id": "Owner/Data", "_id": "0", "sha": COMMIT, "siblings": siblings, "tags": []})
        elif path.startswith(place) and path.removeprefix(place) in names:
            content = names[path.removeprefix(place)].read_bytes()
            self._send(200, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT})
        else:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """The address of a Hub with one data set: XSTest, and a file that nobody asks for."""
    Hub.folder = sources.xstest(tmp_path / "served")
    (Hub.folder / "large.bin").write_bytes(b"not asked for")
    Hub.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def read(data: str, address: str, cache: Path, name: str = "xstest") -> dict[str, Any]:
    """What a process of its own makes of a data set: the Hub's address is read when its library is imported."""
    environment = os.environ | {"HF_ENDPOINT": address, "SAFEERASER_CACHE": str(cache), "NO_PROXY": "127.0.0.1"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_ETAG_TIMEOUT": "2", "HF_HOME": str(cache / "hf")}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", READ, data, name]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cache.parent, check=True)
    return dict(json.loads(done.stdout))


def test_a_data_set_is_fetched_once_and_known_by_its_commit(hub: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    fetched = read("Owner/Data", hub, cache)
    assert fetched["name"] == f"Owner/Data@{COMMIT[:12]}"
    assert fetched["ids"] == ["validation/1/decoupled", "validation/2/forget"]
    assert not any("large.bin" in line for line in Hub.asked if line.startswith("GET"))
    again = read(f"Owner/Data@{COMMIT}", "http://127.0.0.1:9", cache)  # no network is needed
    assert again == fetched
    missing = read("Owner/Nothing", hub, cache)["error"]
    assert missing.startswith("Owner/Nothing: neither a folder here nor a data set that could be fetched")


def test_a_folder_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert located(Path("owner/name"), ()) == (Path("owner/name"), "name")
    assert located(Path("owner/forget_10"), ()) == (Path("owner/forget_10"), "owner/forget_10")
    assert located(tmp_path / "none", ()) == (tmp_path / "none", "none")


def test_a_part_of_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAFEERASER_CACHE", str(tmp_path))
    folder = tmp_path / "hub" / "Owner--Data" / COMMIT
    folder.mkdir(parents=True)
    name = f"Owner/Data@{COMMIT[:12]}"
    assert located(Path(f"Owner/Data@{COMMIT}/forget_10"), ()) == (folder / "forget_10", f"{name}/forget_10")
    assert located(Path(f"Owner/Data@{COMMIT}"), ()) == (folder, name)
