"""Speaks when the observed process can no longer: after SIGKILL, or when memory ran out.

A second, small Python process (this file, run as a script; it imports nothing but the standard library) reads what the
observed one tells it through a pipe. If the pipe closes without a goodbye, it says what was known last, and writes the
latest report where the final one should have gone.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any


class LastWord:
    """The observed process's end of the pipe."""

    def __init__(self, json_file: Path | None) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(json_file or "")]
        self._listener = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2, start_new_session=True)
        assert self._listener.stdin is not None
        self._pipe: IO[bytes] | None = self._listener.stdin
        self._pid = os.getpid()
        self._told = 0.0
        os.register_at_fork(after_in_child=self._close)

    def due(self) -> bool:
        """Whether a second has passed since the last message."""
        return time.monotonic() - self._told > 1.0

    def tell(self, message: dict[str, Any]) -> None:
        """Update what is known: step, loss, findings (as lines), report (the whole JSON document)."""
        self._told = time.monotonic()
        self._write(json.dumps(message))

    def goodbye(self) -> None:
        """The final report has been delivered: nothing is left to say."""
        self._write('"bye"')
        if self._pipe is not None and os.getpid() == self._pid:
            self._close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._listener.wait(2)

    def _write(self, line: str) -> None:
        if self._pipe is not None and os.getpid() == self._pid:
            with contextlib.suppress(BrokenPipeError):
                self._pipe.write(line.encode() + b"\n")
                self._pipe.flush()

    def _close(self) -> None:
        """The process ends well, or is a forked child: it must not hold the pipe open."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def listen(json_file: str) -> None:
    """Read messages until the pipe closes; speak if there was no goodbye."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    known: dict[str, Any] = {}
    for line in sys.stdin:
        with contextlib.suppress(ValueError):
            message = json.loads(line)
            if message == "bye":
                return
            known.update(message)
    report = known.get("report")
    if json_file and report:
        Path(json_file).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    sys.stderr.write("\n".join(_words(known, json_file if report else "")) + "\n")


def _words(known: dict[str, Any], json_file: str) -> list[str]:
    if "step" not in known:
        return ["torchclinic: the script ended without a word (killed, or out of memory?) before its first step."]
    loss = f", at a loss of {known['loss']:.4g}" if known.get("loss") is not None else ""
    words = [f"torchclinic: the script ended without a word (killed, or out of memory?) after step {known['step']}{loss}."]
    findings = known.get("findings")
    if findings:
        words += ["Found until then:", *(f"  {finding}" for finding in findings)]
    elif findings is not None:
        words.append("Nothing was found until then.")
    return [*words, f"What was known is in {json_file}."] if json_file else words


if __name__ == "__main__":
    listen(sys.argv[1])
