"""Which function draws which chart of the master data. A chart that is not in the table is said to be missing, not left out."""

from collections.abc import Callable

import streamlit as st

from dashboard.console import PageContext
from dashboard.widgets import chart_figures, chart_numbers, chart_people
from dashboard.widgets.asking import Asked
from dashboard.widgets.chart_parts import heading
from pipeline.masterdata.dashboard_models import Chart

Draw = Callable[[PageContext, Asked, Chart], None]


def draw(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """One chart with its title and, where it is no single number, the same in a table."""
    function = CHARTS.get(chart.id)
    if function is None:
        heading(chart.title, chart.description)
        st.caption("The master data names this chart; the console cannot draw it.")
        return
    function(ctx, question, chart)


CHARTS: dict[str, Draw] = {
    "sdcrsTotalReports": chart_numbers.reports,
    "sdcrsResolvedReports": chart_numbers.resolved,
    "sdcrsCaptureRate": chart_numbers.capture_rate,
    "sdcrsAvgResolutionTime": chart_numbers.resolution_time,
    "sdcrsReportsByStatus": chart_figures.by_status,
    "sdcrsReportsByType": chart_figures.by_type,
    "sdcrsDailyReportTrend": chart_figures.trend,
    "sdcrsReportsByDistrict": chart_figures.by_place,
    "sdcrsReportsByWard": chart_figures.by_place,
    "sdcrsTopReporters": chart_people.top_reporters,
    "sdcrsSlaBreachedReports": chart_numbers.overdue,
    "sdcrsSlaComplianceRate": chart_numbers.compliance,
    "sdcrsTotalPayouts": chart_numbers.paid,
    "sdcrsPendingPayouts": chart_numbers.pending,
    "sdcrsPayoutsByDistrict": chart_figures.paid_by_district,
    "sdcrsMonthlyPayoutTrend": chart_figures.paid_by_month,
    "sdcrsTopEarners": chart_people.top_earners,
    "sdcrsAvgTimeByStage": chart_figures.stages,
    "sdcrsAgingReport": chart_figures.aging,
    "sdcrsVerifierPerformance": chart_people.verifiers,
    "sdcrsMcOfficerPerformance": chart_people.officers,
}
