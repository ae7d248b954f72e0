"""`torchclinic COMMAND`: finds the command, and is the one boundary where an exception becomes a sentence and an exit code."""

import sys
from importlib import import_module

import click

from torchclinic._version import __version__
from torchclinic.cli.plainly import write_plainly
from torchclinic.errors import ClinicError

# name -> one line for --help. The module of the same name in this package holds `command`; it is imported when it runs.
COMMANDS = {
    "lab": "Run the labs: every statement with theory, measurement and verdict.",
    "train": "Train a digit classifier; checkpoints every epoch, continued bit for bit.",
    "evaluate": "Test a trained run: accuracy, confusion, calibration.",
    "predict": "Say which digits image files show.",
    "inspect": "Look into checkpoints without executing anything: tensors, aliases, waste, oddities.",
    "stress": "Predict one image in eval and in train mode: why eval() is mandatory.",
    "run": "Run a training script unmodified, and say what is wrong with it.",
    "checkup": "Run only the first steps of a training script, and report.",
    "explain": "Explain a pasted error of PyTorch, or a rule.",
    "rules": "List the rules; print the document of one.",
    "exercise": "Practise on broken scripts: diagnose, repair, and be judged by what runs.",
}


WATCHING = ("run", "checkup")


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"torchclinic.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="torchclinic")
@click.pass_context
def cli(context: click.Context) -> None:
    """See why a PyTorch network fails, and prove the fix."""
    if context.invoked_subcommand not in WATCHING:  # while a script is watched its streams are its own
        write_plainly()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 = fine, 1 = something found, 2 = wrong use or bad input, 130 = interrupted."""
    try:
        code = cli.main(arguments, prog_name="torchclinic", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        click.echo(_sentence(error), err=True)
        code = error.exit_code
    except ClinicError as error:
        click.echo(f"torchclinic: {error}", err=True)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("torchclinic: interrupted", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _sentence(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return f"torchclinic: {error.format_message()}"
    return f"{context.command_path}: {error.format_message()} `{context.command_path} --help` says what there is."
