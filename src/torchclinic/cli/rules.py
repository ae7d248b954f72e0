"""`torchclinic rules [CODE]`."""

import click

from torchclinic.errors import InputError


@click.command("rules")
@click.argument("code", required=False)
def command(code: str | None) -> int:
    """List the rules and the kinds of errors, or print the document of the one that CODE names."""
    from torchclinic.error_notes.kind import kinds
    from torchclinic.rules.rule import discover

    modules = discover()
    if code is None:
        for module in modules:
            rule = module.RULE
            click.echo(f"{rule.code}  {rule.severity:<8}{rule.kind:<7}{rule.name}")
        for kind in (module.KIND for module in kinds()):
            click.echo(f"{kind.code}  {'error':<8}{'crash':<7}{kind.name}")
        return 0
    wanted = code.upper()
    for module in modules:
        if wanted in (module.RULE.code, module.RULE.name.upper()):
            click.echo(f"{module.RULE.code} {module.RULE.name} ({module.RULE.severity}, {module.RULE.kind})\n")
            click.echo(module.RULE.explanation.strip())
            return 0
    for kind in (module.KIND for module in kinds()):
        if wanted in (kind.code, kind.name.upper()):
            click.echo(f"{kind.code} {kind.name} (error, crash)\n")
            click.echo(kind.document.strip())
            return 0
    raise InputError(f"There is no rule {code}; `torchclinic rules` lists them.")
