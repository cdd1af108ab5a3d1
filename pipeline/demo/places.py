"""Where and when the demo's reports come from: hot spots of each tenant, and the rush hours of school days. Pure."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

from pipeline.masterdata.geo import Locality
from pipeline.masterdata.master import MasterData

METRES_PER_DEGREE = 111_320  # of latitude, and of longitude at the equator
HOT_SPOT_SPREAD_M = 230  # dogs keep to a few streets
DAYS = 60  # of history
RUSH = (  # local hour, minute and share: before school, at noon, and when school is out
    (7, 25, 0.26),
    (8, 40, 0.12),
    (12, 35, 0.27),
    (13, 50, 0.10),
    (15, 45, 0.17),
    (17, 10, 0.08),
)
WEEK = (1.0, 1.0, 1.0, 1.0, 0.9, 0.35, 0.06)  # Monday to Sunday
GROWTH = 0.8  # share of today's reports that came at the beginning: the programme is being taken up
WAVE_MINUTES = 14  # reports of one rush come within so many minutes


@dataclass(frozen=True)
class Spot:
    """A place inside a tenant with what is there."""

    latitude: float
    longitude: float
    ward_code: str
    ward: str
    locality: str
    locality_code: str
    district: str
    district_code: str


def moved(latitude: float, longitude: float, metres: float, bearing: float) -> tuple[float, float]:
    """The place so many metres away; `bearing` in radians from north. True enough below a hundred kilometres."""
    north, east = metres * math.cos(bearing), metres * math.sin(bearing)
    return latitude + north / METRES_PER_DEGREE, longitude + east / (METRES_PER_DEGREE * math.cos(math.radians(latitude)))


def blurred(random: Random, latitude: float, longitude: float, metres: float) -> tuple[float, float]:
    """A place near by: normally distributed in both directions."""
    return moved(latitude, longitude, abs(random.gauss(0, metres)), random.uniform(0, 2 * math.pi))


class Ground:
    """The hot spots of one tenant: its localities, some far busier than others."""

    def __init__(self, md: MasterData, tenant_id: str, random: Random) -> None:
        self._md = md
        self._tenant_id = tenant_id
        self._localities = list(md.localities(tenant_id))
        random.shuffle(self._localities)
        self._weights = [1 / (rank + 1) for rank in range(len(self._localities))]

    def spot(self, random: Random, ward_code: str | None = None) -> Spot:
        """A place in one of the hot spots; with `ward_code` in that ward."""
        usable = [entry for entry in self._localities if ward_code in (None, entry.ward_code)]
        locality = random.choices(usable, self._weights[: len(usable)])[0]
        for _ in range(8):  # a hot spot at the edge of its ward needs a few tries
            found = self._at(*blurred(random, locality.latitude, locality.longitude, HOT_SPOT_SPREAD_M))
            if found is not None and ward_code in (None, found.ward_code):
                return found
        return self._middle(locality)

    def near(self, random: Random, spot: Spot, metres: float) -> Spot:
        """A place close to another one, and like it inside the tenant."""
        return self._at(*blurred(random, spot.latitude, spot.longitude, metres)) or spot

    def outside(self, random: Random) -> tuple[float, float]:
        """A place that is not in the tenant, 2 to 60 km from one of its localities."""
        locality = random.choice(self._localities)
        latitude, longitude, metres = locality.latitude, locality.longitude, 2_000.0
        bearing = random.uniform(0, 2 * math.pi)
        while self._md.locate(self._tenant_id, latitude, longitude).km_outside < 1:
            metres += random.uniform(2_000, 8_000)
            latitude, longitude = moved(locality.latitude, locality.longitude, metres, bearing)
        return latitude, longitude

    def _at(self, latitude: float, longitude: float) -> Spot | None:
        place = self._md.locate(self._tenant_id, latitude, longitude)
        if not place.inside or place.ward is None or place.locality is None:
            return None
        ward = place.ward
        return Spot(
            latitude, longitude, ward.code, ward.name, place.locality.name, place.locality.code, ward.district.name, ward.district.code
        )

    def _middle(self, locality: Locality) -> Spot:
        found = self._at(locality.latitude, locality.longitude)
        if found is None:
            raise ValueError(f"locality {locality.code} is not inside its tenant")
        return found


class Rush:
    """The moments at which reports come in one zone, and how many come at each."""

    def __init__(self, zone: ZoneInfo, now: datetime, random: Random) -> None:
        self._moments: list[datetime] = []
        weights: list[float] = []
        today = now.astimezone(zone).date()
        for days_ago in range(DAYS, -1, -1):
            day = today - timedelta(days=days_ago)
            growth = 1 - (1 - GROWTH) * days_ago / DAYS
            for hour, minute, share in RUSH:
                moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone) + timedelta(minutes=random.randint(-12, 12))
                if moment + timedelta(minutes=5) < now:
                    self._moments.append(moment.astimezone(UTC))
                    weights.append(share * growth * WEEK[day.weekday()])
        self._cumulative = list(accumulate(weights))

    def moment(self, random: Random) -> tuple[datetime, datetime]:
        """When a report came, and when its wave had come in: the moment at which it is validated."""
        end = random.choices(self._moments, cum_weights=self._cumulative)[0]
        return end - timedelta(seconds=random.randint(5, WAVE_MINUTES * 60)), end


def office_hours(at: datetime, zone: ZoneInfo, random: Random) -> datetime:
    """`at`, or where nobody works then the beginning of the next working day: 8 to 18 local, not on Sundays."""
    local = at.astimezone(zone)
    if 8 <= local.hour < 18 and local.weekday() != 6:
        return at
    day = local.date() + timedelta(days=1 if local.hour >= 18 or local.weekday() == 6 else 0)
    if day.weekday() == 6:
        day += timedelta(days=1)
    opening = datetime(day.year, day.month, day.day, 8, 0, tzinfo=zone)
    return (opening + timedelta(minutes=abs(random.gauss(0, 50)))).astimezone(UTC)
