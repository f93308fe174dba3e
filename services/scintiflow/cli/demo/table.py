"""The demo's table: what each model said of each study, and how often that is what was simulated."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from scintiflow.cli.demo.seen import Seen


def table(seen: Sequence[Seen]) -> Table:
    """Return what came of each study, a column a model; below a study's name stands what a reader must know of it."""
    labels = {model: finding["label"] for each in seen for model, finding in each.findings.items()}
    rows = Table("study", *labels.values(), "at the PACS", "seconds", box=SIMPLE_HEAD, pad_edge=False)
    for each in seen:
        name = "\n".join([each.case.name, *(f"[dim]{caveat}[/]" for caveat in each.caveats)])
        results = f"{len(each.received)} results" if each.received else "nothing"
        rows.add_row(name, *(_answer(each, model) for model in labels), results, f"{each.study['seconds']:.2f}")
    return rows


def agreement(seen: Sequence[Seen]) -> str:
    """Return how many answers are as the patients were simulated, in a sentence."""
    answers = [
        (finding["positive"], each.case.truth(model)) for each in seen for model, finding in each.findings.items()
    ]
    judged = [said == truth for said, truth in answers if said is not None and truth is not None]
    return f"{sum(judged)} of {len(judged)} answers are as the patients were simulated, those with * are not."


def _answer(seen: Seen, model: str) -> str:
    """Return a model's answer in words, with an asterisk where the patient was simulated otherwise."""
    finding = seen.findings[model]
    if finding["probability"] is None:
        return "no result"
    word = "[red]present[/]" if finding["positive"] else "[green]absent[/] "
    wrong = seen.case.truth(model) not in (None, finding["positive"])
    return f"{word} {finding['probability']:.2f}{' *' if wrong else ''}"
