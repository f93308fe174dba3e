"""A dashboard: rows of panels, placed side by side in Grafana's grid of 24 columns, as classic JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders.dashboard import Dashboard as DashboardBuilder
from grafana_foundation_sdk.builders.dashboard import DatasourceVariable
from grafana_foundation_sdk.builders.dashboard import Row as RowBuilder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import GridPos

from k8s.monitoring.panel import Panel

_COLUMNS = 24


@dataclass(frozen=True)
class Row:
    """Panels that belong together; all are of the same height."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Dashboard:
    """What one page of Grafana shows."""

    uid: str
    title: str
    description: str
    rows: Sequence[Row]

    def json(self) -> str:
        """Return it as Grafana imports it."""
        page = DashboardBuilder(self.title).uid(self.uid).description(self.description)
        page.tags(["scintiflow"]).editable().timezone("browser").refresh("30s").time("now-6h", "now")
        page.with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        for number, (row, place, panel) in enumerate(self._placed(), start=1):
            if panel is None:
                page.with_row(RowBuilder(row.title).id(number).grid_pos(place))
            else:
                page.with_panel(panel.built(number, place))
        return JSONEncoder(sort_keys=True, indent=1).encode(page.build()) + "\n"

    def _placed(self) -> Iterator[tuple[Row, GridPos, Panel | None]]:
        """Yield each row's heading, and then its panels from left to right, line by line."""
        y = 0
        for row in self.rows:
            yield row, GridPos(h=1, w=_COLUMNS, x=0, y=y), None
            x, y = 0, y + 1
            for panel in row.panels:
                if x + panel.width > _COLUMNS:
                    x, y = 0, y + panel.height
                yield row, GridPos(h=panel.height, w=panel.width, x=x, y=y), panel
                x += panel.width
            y += row.panels[-1].height
