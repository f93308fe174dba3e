"""One page of HTML that needs no other file: pictures, tables and checklists of an evaluation."""

import base64
from collections.abc import Iterable, Mapping
from html import escape

from scintilab.evaluate.checklist import filled
from scintilab.evaluate.drawn import Drawn
from scintilab.evaluate.evaluation import Evaluation
from scintilab.evaluate.figures import Picture, pictures
from scintilab.evaluate.tables import Published, Table, tables

WARNING = "AI result, not for diagnostic use, research only."
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1200px; margin: 2em auto; padding: 0 1em; }
figure { margin: 2em 0; } img { max-width: 100%; }
figcaption, caption { text-align: left; font-weight: 600; padding: 0.4em 0; }
div { overflow-x: auto; margin: 2em 0; } table { border-collapse: collapse; font-size: 13px; }
th, td { text-align: left; vertical-align: top; padding: 0.25em 0.9em 0.25em 0; border-bottom: 1px solid #ddd; }
"""


def report(
    name: str,
    evaluation: Evaluation,
    drawn: Drawn,
    *,
    published: Published | None = None,
    study: Mapping[str, str] | None = None,
) -> str:
    """Return the page of a model.

    Args:
        name: of the model, such as "metastasis 1.0.0".
        evaluation: what was measured of `drawn`.
        drawn: the scans, for the curves.
        published: what others reported, to stand beside.
        study: what only people can say, for the checklists.
    """
    return page(
        f"{name} on {evaluation.data}",
        pictures(evaluation, drawn, published),
        [*tables(evaluation, published), *filled(evaluation, study or {})],
    )


def page(title: str, pictures: Iterable[Picture], tables: Iterable[Table]) -> str:
    """Return a page of pictures and tables that says what it is not for."""
    return "\n".join(
        [
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n<p><strong>{WARNING}</strong></p>",
            *map(_figure, pictures),
            *map(_table, tables),
            "</body></html>\n",
        ]
    )


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(picture.alt)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<div><table><caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )
