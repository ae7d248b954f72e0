"""Downloads from a server of our own that behaves, and misbehaves, on demand."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from torchclinic.data.download import fetch
from torchclinic.errors import DataError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server serves and what it was asked. `cut` breaks the connection after so many bytes, once."""

    body: bytes = CONTENT
    cut: int | None = None
    ranges: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.path, asked))
        if "missing" in handler.path:
            handler.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start >= len(self.body):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        handler.send_header("Content-Length", str(len(self.body) - start))
        handler.end_headers()
        stop = len(self.body) if self.cut is None else self.cut
        self.cut = None
        handler.wfile.write(self.body[start:stop])


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/file"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(Site()) as running:
        yield running


def test_a_fetched_file_is_there_alone_and_whole(site, tmp_path):
    seen = []
    target = fetch([site.url], tmp_path / "file", sha256=SHA256, listen=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert files_below(tmp_path) == ["file"]
    assert list(tmp_path.iterdir()) == [target]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_prefix_of_the_digest_is_enough_and_an_existing_file_is_not_fetched_again(site, tmp_path):
    for _ in range(2):
        fetch([site.url], tmp_path / "file", sha256=SHA256[:8])
    assert len(site.requests) == 1


def test_an_existing_file_with_another_digest_is_replaced(site, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    assert fetch([site.url], tmp_path / "file", sha256=SHA256).read_bytes() == CONTENT


def test_gzip_is_unpacked_and_the_digest_is_that_of_the_content(tmp_path):
    with serving(Site(body=gzip.compress(CONTENT))) as site:
        assert fetch([site.url], tmp_path / "file", sha256=SHA256, unpack=True).read_bytes() == CONTENT
    assert files_below(tmp_path) == ["file"]


def test_a_cut_connection_leaves_no_target_and_the_next_try_continues(tmp_path):
    with serving(Site(cut=1000)) as site:
        with pytest.raises(DataError, match=r"after 1000 of 512000 bytes"):
            fetch([site.url], tmp_path / "file", sha256=SHA256)
        assert not (tmp_path / "file").exists()
        assert fetch([site.url], tmp_path / "file", sha256=SHA256).read_bytes() == CONTENT
    assert [asked for _, asked in site.requests] == [None, "bytes=1000-"]
    assert files_below(tmp_path) == ["file"]


def test_a_server_that_ignores_ranges_sends_everything_again(tmp_path):
    with serving(Site(cut=1000, ranges=False)) as site:
        assert fetch([site.url, site.url], tmp_path / "file", sha256=SHA256).read_bytes() == CONTENT
    assert files_below(tmp_path) == ["file"]


def test_the_second_mirror_continues_what_the_first_broke_off(site, tmp_path):
    with serving(Site(cut=5000)) as first:
        assert fetch([first.url, site.url], tmp_path / "file", sha256=SHA256).read_bytes() == CONTENT
    assert site.requests == [("/file", "bytes=5000-")]


@pytest.mark.parametrize("left", [b"wrong" * 100, CONTENT + b"more", CONTENT], ids=["other", "longer", "complete"])
def test_what_an_earlier_try_left_never_spoils_the_result(site, tmp_path, left):
    (tmp_path / ".partial").mkdir()
    (tmp_path / ".partial" / "file").write_bytes(left)
    assert fetch([site.url], tmp_path / "file", sha256=SHA256).read_bytes() == CONTENT
    assert files_below(tmp_path) == ["file"]


def test_a_missing_file_on_one_mirror_is_found_on_the_next(site, tmp_path):
    fetch([site.url.replace("file", "missing"), site.url], tmp_path / "file", sha256=SHA256)
    assert [path for path, _ in site.requests] == ["/missing", "/file"]


def test_wrong_content_everywhere_is_one_sentence_and_leaves_nothing(site, tmp_path):
    with pytest.raises(DataError, match=r"^Could not fetch file \(127\.0\.0\.1:\d+: .*wrong SHA-256.*\)\.$"):
        fetch([site.url], tmp_path / "file", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_page_instead_of_gzip_is_wrong_content(site, tmp_path):
    with pytest.raises(DataError, match="wrong SHA-256"):
        fetch([site.url], tmp_path / "file", sha256=SHA256, unpack=True)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_one_sentence(tmp_path):
    with serving(Site()) as gone:
        pass
    with pytest.raises(DataError, match=r"^Could not fetch file \(.*refused.*; .*HTTP 404\)\.$"), serving(Site()) as site:
        fetch([gone.url, site.url.replace("file", "missing")], tmp_path / "file", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(site, tmp_path):
    (tmp_path / "plain").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"^Cannot write "):
        fetch([site.url], tmp_path / "plain" / "file", sha256=SHA256)
