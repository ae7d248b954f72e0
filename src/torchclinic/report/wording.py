"""What every renderer says in words: the verdict of a report, the values of a claim, the place of a finding."""

from collections.abc import Sequence

from torchclinic.report.model import SEVERITIES, Claim, Finding, NotChecked, PlainReport
from torchclinic.units import format_number

FOUND = "Found"
CHECKED = "Checked and found fine"
NOT_CHECKED = "Could not be checked"
NOT_APPLICABLE = "Does not apply"
NOTHING = "Nothing."


def verdict(report: PlainReport) -> str:
    """One line: how many claims hold, how many findings of which severity."""
    parts = []
    if report.claims:
        parts.append(_claims_verdict(report.claims))
    counts = {severity: sum(f.severity == severity for f in report.findings) for severity in SEVERITIES}
    if report.findings:
        found = ", ".join(_counted(count, severity) for severity, count in counts.items() if count)
        parts.append(f"Found: {found}.")
    elif not report.claims:
        parts.append("No findings.")
    if report.not_checked:
        parts.append(f"Could not be checked: {len(report.not_checked)}.")
    return " ".join(parts)


def grouped(items: Sequence[NotChecked]) -> list[tuple[str, str]]:
    """Reasons, and the codes that share each."""
    codes: dict[str, list[str]] = {}
    for item in items:
        codes.setdefault(item.reason, []).append(item.code)
    return [(reason, ", ".join(alike)) for reason, alike in codes.items()]


def claim_values(claim: Claim) -> tuple[str, str]:
    """Predicted and measured, with as many digits as it takes to tell them apart."""
    values = claim.predicted, claim.measured
    if values[0] == values[1] or not all(isinstance(value, int | float) for value in values):
        return _value(values[0]), _value(values[1])
    for digits in range(4, 17):
        predicted, measured = (_value(value, digits) for value in values)
        if predicted != measured:
            break
    return predicted, measured


def expectation(claim: Claim) -> str:
    """What theory allows: `2.303 ± 0.1`, `≥ 0.98`, `≤ 1 + 0.001 s`."""
    predicted, _ = claim_values(claim)
    tolerance = format_number(claim.tolerance)
    if claim.relation == "==":
        text = predicted
    elif claim.relation == "≈":
        text = f"{predicted} ± {tolerance}"
    else:
        slack = {"≥": "−", ">": "−", "≤": "+", "<": "+"}[claim.relation]
        text = f"{claim.relation} {predicted}" + (f" {slack} {tolerance}" if claim.tolerance else "")
    return f"{text} {claim.unit}".rstrip()


def measurement(claim: Claim) -> str:
    """What was measured, with its unit."""
    return f"{claim_values(claim)[1]} {claim.unit}".rstrip()


def place(finding: Finding) -> str:
    """Where a finding was made: module, line of the script, step."""
    step = "" if finding.step is None else f"step {finding.step}"
    return " · ".join(filter(None, (finding.place or finding.where, finding.line, step)))


def failed_claims(report: PlainReport) -> tuple[Claim, ...]:
    return tuple(claim for claim in report.claims if not claim.passed)


def _claims_verdict(claims: tuple[Claim, ...]) -> str:
    held = sum(claim.passed for claim in claims)
    if held == len(claims):
        return f"All {_counted(held, 'claim')} hold." if held > 1 else "The claim holds."
    return f"{held} of {_counted(len(claims), 'claim')} hold, {len(claims) - held} failed."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 or noun == "info" else f"{count} {noun}s"


def _value(value: object, digits: int = 4) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else format_number(value, digits)
