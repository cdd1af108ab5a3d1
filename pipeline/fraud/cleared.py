"""What a person said stays said: a neighbour of which somebody said that it is another dog counts no more beside this report.

Photos that are alike are left out where they are searched. Counts of places are corrected here, and only where there is
something to correct: most reports lie alone, and asking of every neighbour would cost a busy place twice.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.arrays import array
from pipeline.database.engine import at_once
from pipeline.fraud.case import History

# The pair's row has metres and minutes as they were measured by the same formula. Ids rise with time: the neighbours that count
# came before, so the report is the later of the two
_CLEARED = text("""
    SELECT later_id, metres, minutes FROM fraud.pair
    WHERE later_id = ANY (CAST(:ids AS uuid[])) AND decision = 'NOT_DUPLICATE'
""")


def leave_out_cleared(conn: Connection, counted: Sequence[tuple[UUID, History]]) -> None:
    """Take the neighbours that a person cleared out of the counts of each report's surroundings. One statement, or none."""
    near = {report_id: history for report_id, history in counted if any(count > 1 for count in history.nearby.values())}
    if not near:
        return
    for row in at_once(conn, (_CLEARED, {"ids": array(one.hex for one in near)}))[0]:
        history = near[row["later_id"]]
        for (radius_m, hours), count in history.nearby.items():
            if row["metres"] <= radius_m and row["minutes"] <= hours * 60:
                history.nearby[radius_m, hours] = max(count - 1, 1)  # a count that stopped at its limit may not know of this one
