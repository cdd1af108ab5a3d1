"""The shapes of what supervisors and load balancers are told."""

from pipeline.api.shapes import Shape


class AliveAnswer(Shape):
    """The process answers."""

    status: str


class ReadyAnswer(Shape):
    """Each check by name with ok or failed; 503 with the same shape when one failed."""

    status: str
    checks: dict[str, str]
