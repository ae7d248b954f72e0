"""One function over many tasks: in this process, or unchanged on a Ray cluster (`pip install torchclinic[ray]`)."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from torchclinic.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")
Backend = Literal["local", "ray"]


def sweep(
    function: Callable[[Task], Result], tasks: Sequence[Task], *, backend: Backend = "local", workers: int | None = None
) -> list[Result]:
    """`function` of every task, in the order of the tasks. Each task seeds itself, so where it runs changes no bit.

    With `backend="ray"`, tasks run on the cluster Ray is connected to; if there is none, on `workers` local processes,
    which are stopped at the end. `function` must be importable by the workers (defined at the top of a module).

    Raises:
        InputError: Ray is asked for and not installed, or there is no such backend.
    """
    if backend == "local":
        return [function(task) for task in tasks]
    if backend != "ray":
        raise InputError(f"There is no backend {backend!r}; use 'local' or 'ray'.")
    try:
        import ray  # type: ignore[import-not-found]
    except ImportError as error:
        raise InputError("backend='ray' needs Ray; run `pip install torchclinic[ray]`.") from error
    return _on_ray(ray, function, tasks, workers)


def _on_ray(ray: Any, function: Callable[[Task], Result], tasks: Sequence[Task], workers: int | None) -> list[Result]:
    started = not ray.is_initialized()
    if started:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="warning")
    try:
        remote = ray.remote(num_cpus=1)(function)
        results: list[Result] = ray.get([remote.remote(task) for task in tasks])
        return results
    finally:
        if started:
            ray.shutdown()
