"""Where a report goes: the terminal, a JSON file, an HTML file. Shared by every command that reports."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from torchclinic.errors import InputError
from torchclinic.report.model import SCHEMA
from torchclinic.report.results import Report

Function = TypeVar("Function", bound=Callable[..., Any])


def report_options(function: Function) -> Function:
    """Add `--json FILE` and `--html FILE`, given to the command as `json_file` and `html_file`."""
    for name, what in (("html", "as one page"), ("json", "as JSON")):
        path = click.Path(dir_okay=False, path_type=Path)
        option = click.option(
            f"--{name}", f"{name}_file", type=path, metavar="FILE", callback=_require_folder, help=f"Write the report {what}."
        )
        function = option(function)
    return function


def _require_folder(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Path | None:
    """A folder that cannot be written to is said before the work, not after it."""
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.BadParameter(f"cannot write into {path.parent}: {error.strerror}.") from error
        if not os.access(path.parent, os.W_OK):
            raise click.BadParameter(f"cannot write into {path.parent}.")
    return path


def write_report(report: Report, json_file: Path | None, html_file: Path | None) -> None:
    if json_file is not None:
        write_json(json_file, report.to_dict())
    if html_file is not None:
        from torchclinic.report.html import report_page

        write_text(html_file, report_page(report))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` with the schema in front."""
    write_text(path, json.dumps(with_schema(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def with_schema(content: dict[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, **content}


def write_text(path: Path, text: str) -> None:
    """Replace `path` whole or leave it as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf8", errors="backslashreplace")  # file names may hold lone surrogates
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise InputError(f"Cannot write {path}: {error.strerror}.") from error
