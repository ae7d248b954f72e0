"""Fetch a file: several mirrors, resume, checksum, and the target is whole or absent.

What has arrived of an interrupted download waits in the folder `.partial` beside the target and is continued next time.
"""

import gzip
import hashlib
import http.client
import shutil
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torchclinic.errors import DataError

Listener = Callable[[int, int | None], None]  # bytes so far, bytes in all if known
CHUNK_NBYTES = 1 << 16


class _MirrorError(Exception):
    """One mirror did not deliver; the next may."""


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    sha256: str,
    unpack: bool = False,
    timeout_seconds: float = 30.0,
    listen: Listener | None = None,
) -> Path:
    """Download `target` from the first of `urls` that delivers it, and return it.

    `sha256` is the digest of the content, or its first digits (as file names of torch hub carry them), after
    decompression if `unpack` (gzip). A target that already has it is left alone. Without `listen` a progress bar is
    shown if stderr is a terminal.

    Raises: DataError, in one sentence, if no mirror delivers the content; the target is then absent or as it was.
    """
    if target.is_file() and _digest(target).startswith(sha256):
        return target
    partial = target.parent / ".partial" / f"{target.name}{'.gz' if unpack else ''}"
    failures = []
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                with progress_bar(target.name) if listen is None else _given(listen) as report:
                    _deliver(url, partial, target, sha256, unpack, timeout_seconds, report)
                return target
            except _MirrorError as failure:
                failures.append(f"{_host(url)}: {failure}")
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}.") from error
    finally:
        _remove_if_empty(partial.parent)
    raise DataError(f"Could not fetch {target.name} ({'; '.join(failures)}).")


@contextmanager
def progress_bar(description: str) -> Iterator[Listener]:
    """A listener that draws on stderr if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def _given(listen: Listener) -> Iterator[Listener]:
    yield listen


def _deliver(url: str, partial: Path, target: Path, sha256: str, unpack: bool, timeout_seconds: float, listen: Listener) -> None:
    resumed = _download(url, partial, timeout_seconds, listen)
    if _install(partial, target, sha256, unpack):
        return
    if resumed:  # what an earlier try had left, perhaps from another mirror, did not fit: now all from this one
        _download(url, partial, timeout_seconds, listen)
        if _install(partial, target, sha256, unpack):
            return
    raise _MirrorError("what arrived is not the expected file (wrong SHA-256)")


def _download(url: str, partial: Path, timeout_seconds: float, listen: Listener) -> bool:
    """Fill `partial` from `url`; True if it continues what was there."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "torchclinic"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as response:
            resumed: bool = response.status == http.client.PARTIAL_CONTENT
            if resumed and not _starts_at(response, have):
                raise _MirrorError("it sent another part of the file than was asked for")
            done = have if resumed else 0
            total = _total(response, done)
            with partial.open("ab" if resumed else "wb") as file:
                while chunk := response.read(CHUNK_NBYTES):
                    file.write(chunk)
                    done += len(chunk)
                    listen(done, total)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return True  # everything had arrived, or more than there is: the checksum decides
        raise _MirrorError(f"HTTP {error.code}") from error
    except urllib.error.URLError as error:
        raise _MirrorError(f"{error.reason}") from error
    except (http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise _MirrorError(f"{type(error).__name__} {error}".strip()) from error
    if total is not None and done < total:
        raise _MirrorError(f"the connection ended after {done} of {total} bytes; the next try continues there")
    return resumed


def _starts_at(response: http.client.HTTPResponse, offset: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return str(content_range).startswith(f"bytes {offset}-")


def _total(response: http.client.HTTPResponse, already: int) -> int | None:
    length = response.headers.get("Content-Length")
    return already + int(length) if length and length.isdigit() else None


def _install(partial: Path, target: Path, sha256: str, unpack: bool) -> bool:
    """Move the checked content into place, or delete what was fetched and return False."""
    content = partial.with_name(f"{partial.name}.content")
    try:
        if unpack:
            with gzip.open(partial) as source, content.open("wb") as file:
                shutil.copyfileobj(source, file)
        else:
            partial.replace(content)
        if _digest(content).startswith(sha256):
            content.replace(target)
            return True
    except (EOFError, gzip.BadGzipFile, zlib.error):
        pass  # not what was expected, like any other wrong content
    finally:
        partial.unlink(missing_ok=True)
        content.unlink(missing_ok=True)
    return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc or url
