"""Work of ours that runs the user's Python runs in a copy of the process: whatever it changes ends with the copy.

A model's forward may count its calls, draw from generators of its own, read an iterator, write a file. A forked child has
all of that in memory that nobody else sees; its open files lead nowhere, and what would reach outside of it is refused.
"""

import gc
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import torch
from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.values import tensors_in

Result = TypeVar("Result")
SECONDS = 10.0
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_REACHING = (
    "os.chmod os.chown os.exec os.fork os.kill os.link os.mkdir os.posix_spawn os.remove os.rename os.rmdir os.spawn os.symlink "
    "os.system os.truncate os.utime shutil. signal.pthread_kill socket. sqlite3.connect subprocess.Popen tempfile."
)
_REFUSED = tuple(_REACHING.split())
_gave_up: list[str] = []  # why no copy is made any more


class Refused(BaseException):
    """What the copy wanted would be seen outside of it. No `except Exception` of the user's stops this."""


def beside(model: nn.Module, arguments: object, work: Callable[[], Result]) -> Result:
    """What `work` gives, which may call `model` with `arguments`; it must be plain data.

    Raises:
        InputError: no copy of the process can be made, and the model is not made of torch's own modules alone; or the copy
            has reached for something outside of it, or has not answered in time.
    """
    reason = _impossible(model, arguments)
    if not reason:
        return _in_a_copy(work)
    if all(type(module).__module__.partition(".")[0] == "torch" for module in model.modules()):
        with torch._C._EnableTorchFunction():
            return work()  # nothing of the user's runs
    raise InputError(f"an extra pass would run the script's own code, and {reason}")


def _impossible(model: nn.Module, arguments: object) -> str:
    """Why no copy of the process can do the work; empty if one can."""
    if _gave_up:
        return _gave_up[0]
    if not sys.platform.startswith("linux"):
        return f"a copy of the process is not safe on {sys.platform}"
    tensors: list[Tensor] = [*model.parameters(), *model.buffers(), *tensors_in(arguments)]
    if mapped := _written_through_memory():
        return f"{mapped} is mapped into memory to be written"
    devices = {tensor.device.type for tensor in tensors} - {"cpu"}
    return f"a copy of the process has no {devices.pop()} device" if devices else ""


def _written_through_memory() -> str:
    """A file, or memory that other processes share, that a write to memory changes; what torch shares with workers apart."""
    for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
        _, rights, *_, path = line.split(maxsplit=5) if line.count(" ") > 5 else (*line.split(), "")
        if rights.startswith("rw") and rights.endswith("s") and path.startswith("/") and not path.startswith("/dev/"):
            return path.removesuffix(" (deleted)")
    return ""


def _in_a_copy(work: Callable[[], Result]) -> Result:
    answers, out = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(work, out)
    os.close(out)
    answer = _read(answers, time.monotonic() + SECONDS)
    os.close(answers)
    if answer is None:
        os.kill(child, signal.SIGKILL)
        _gave_up.append(f"a copy of the process did not answer within {SECONDS:g} s")
    with suppress(ChildProcessError):  # the script does not wait for its children
        os.waitpid(child, 0)
    if not answer:
        raise InputError(_gave_up[0] if answer is None else "the copy of the process in which it was tried has died")
    kind, value = pickle.loads(answer)
    if kind == "done":
        result: Result = value
        return result
    raise InputError(value) if kind == "refused" else RuntimeError(value)


def _read(pipe: int, until: float) -> bytes | None:
    """All that comes; None if the end has not come in time."""
    parts: list[bytes] = []
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        if poll.poll(1000 * left):
            part = os.read(pipe, 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None


# -- in the copy --------------------------------------------------------------------------------------------------------


def _answer(work: Callable[[], Any], out: int) -> NoReturn:
    try:
        _shut_in(out)
        torch.set_num_threads(1)  # the threads of the pool have stayed behind
        answer: tuple[str, Any]
        try:
            with torch._C._EnableTorchFunction():
                answer = "done", work()
        except (InputError, Refused) as error:
            answer = "refused", str(error)
        except BaseException as error:  # noqa: BLE001 - it has to be told to whoever waits
            answer = "failed", f"{type(error).__name__}: {error}"
        data = pickle.dumps(answer)
        while data:
            data = data[os.write(out, data) :]
    finally:
        os._exit(0)


def _shut_in(out: int) -> None:
    """Nothing that happens from here on is seen outside: by tracers, in files, on screens or on wires."""
    sys.setprofile(None)
    sys.settrace(None)
    threading.setprofile(None)
    gc.disable()  # finalizers of the user's
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if number not in (out, nowhere):
            os.dup2(nowhere, number)
    _no_file_grows()
    sys.addaudithook(_refuse)


def _no_file_grows() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES and path != os.devnull:
            raise Refused(f"an extra pass would open {path!r} to write")
    elif event.startswith(_REFUSED):
        raise Refused(f"an extra pass would call {event}")
