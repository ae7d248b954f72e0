"""`torchclinic checkup SCRIPT`."""

from pathlib import Path

import click

from torchclinic.cli.run import Outputs, launch_options


@click.command("checkup", context_settings={"allow_interspersed_args": False})
@launch_options
def command(
    script: tuple[str, ...],
    verbose: bool,
    is_module: bool,
    style: str,
    select: str,
    ignore: str,
    fail_on: str,
    json_file: Path | None,
    html_file: Path | None,
) -> int:
    """Run the first few steps of SCRIPT (and an evaluation, if one comes soon), stop it, and report.

    Exit code: the script's own if it failed, else 1 if something at or above --fail-on was found, else 0.
    """
    from torchclinic.observe.session import Session
    from torchclinic.running.checkup import FirstSteps

    session = Session(budget=1.0)
    session.wants_stop = FirstSteps()
    outputs = Outputs(script, is_module, style, select, ignore, fail_on, json_file, html_file, checkup=True, verbose=verbose)
    return outputs.run(session)
