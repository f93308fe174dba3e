"""One panel of a dashboard, in our terms and in Grafana's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as StatPanel
from grafana_foundation_sdk.builders.timeseries import Panel as TimeseriesPanel
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueTextMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos, Threshold, ThresholdsMode

Unit = Literal["s", "percentunit", "bytes", "Bps", "watt", "celsius", "joule", "cpm", "cps", "short"]
"""As Grafana calls them; cpm and cps are counts a minute and a second."""

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True)
class Query:
    """What is asked of Prometheus, and what each answer is called."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Lines over time, or the latest numbers.

    `limit` is a value that is drawn as a line, beyond which something is wrong. `named` shows what answers are called
    instead of their values.
    """

    title: str
    description: str
    unit: Unit
    queries: Sequence[Query]
    shows: Literal["lines", "numbers"] = "lines"
    width: int = 8
    limit: float | None = None
    named: bool = False

    @property
    def height(self) -> int:
        """In rows of Grafana's grid."""
        return 8 if self.shows == "lines" else 4

    def built(self, number: int, place: GridPos) -> TimeseriesPanel | StatPanel:
        """Return Grafana's panel, with its number and its place in the grid."""
        panel = self._lines() if self.shows == "lines" else self._numbers()
        panel.id(number).grid_pos(place).title(self.title).description(self.description).unit(self.unit)
        panel.datasource(DATASOURCE).thresholds(self._thresholds())
        for letter, query in zip("ABCDEFGH", self.queries, strict=False):
            asked = Dataquery().expr(query.expr).legend_format(query.legend).ref_id(letter).datasource(DATASOURCE)
            panel.with_target(asked.instant() if self.shows == "numbers" else asked.range())
        return panel

    def _lines(self) -> TimeseriesPanel:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        panel = TimeseriesPanel().min(0).line_width(1).fill_opacity(10).legend(legend.show_legend(True).calcs([]))
        if self.limit is not None:
            panel.thresholds_style(GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.LINE))
        return panel

    def _numbers(self) -> StatPanel:
        latest = ReduceDataOptions().calcs(["lastNotNull"]).values(False)
        text = BigValueTextMode.NAME if self.named else BigValueTextMode.AUTO
        return StatPanel().reduce_options(latest).text_mode(text).color_mode(BigValueColorMode.VALUE)

    def _thresholds(self) -> ThresholdsConfig:
        steps = [Threshold(value=None, color="green")]
        if self.limit is not None:
            steps.append(Threshold(value=self.limit, color="red"))
        return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
