"""What the analytics documents look like: charts, the dashboards made of them, and who sees which."""

from typing import Literal

from pydantic import Field, Json

from pipeline.masterdata.base import Strict


class Insight(Strict):
    """The comparison with the period before that stands under a number."""

    chart_response_map: str
    action: Literal["differenceOfNumbers"]
    upward_indicator: Literal["positive", "negative"]
    downward_indicator: Literal["positive", "negative"]
    text_message: str
    color_code: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")


class ChartQuery(Strict):
    """How the search engine computes a chart; the two queries are JSON within the JSON."""

    module: str
    index_name: str
    request_query_map: Json[dict[str, str]]  # filter name -> field of the index
    date_ref_field: str
    aggr_query: Json[dict[str, object]]


class Chart(Strict):
    """One number, curve or table."""

    id: str
    chart_name: str
    title: str
    description: str
    chart_type: Literal["metric", "pie", "line", "bar", "table"]
    value_type: Literal["number", "percentage", "amount"]
    action: str
    drill_chart: str  # "none", or the chart that a click opens
    aggregation_paths: tuple[str, ...] = Field(min_length=1)
    insight: Insight | None = None
    queries: tuple[ChartQuery, ...] = Field(min_length=1)
    post_aggregation_theory: str | None = None


class Dimensions(Strict):
    height: int = Field(gt=0)
    width: int = Field(ge=1, le=12)  # of a row of twelve


class Tile(Strict):
    """A chart in its place."""

    id: str
    name: str
    dimensions: Dimensions


class Visualization(Strict):
    row: int = Field(ge=1)
    name: str
    viz_array: tuple[Tile, ...] = Field(min_length=1)


class Dashboard(Strict):
    """Charts in rows, and the roles that may open it."""

    id: str
    name: str
    title: str
    is_active: bool
    role_ids: tuple[str, ...] = Field(min_length=1)
    style: Literal["linear"]
    visualizations: tuple[Visualization, ...]

    @property
    def rows(self) -> tuple[tuple[Tile, ...], ...]:
        """The tiles, row by row from the top."""
        numbers = sorted({part.row for part in self.visualizations})
        return tuple(tuple(tile for part in self.visualizations if part.row == n for tile in part.viz_array) for n in numbers)


class DashboardLink(Strict):
    """A dashboard under the name that a role knows it by."""

    id: str
    name: str


class RoleDashboards(Strict):
    """The dashboards of one role, in the order of its menu."""

    rolecode: str
    dashboards: tuple[DashboardLink, ...] = Field(min_length=1)
