"""The BentoML service: the same scores through ``bentoml serve`` and ``bentoml build``.

``NBO_WORKSPACE`` and ``NBO_STORE`` tell ``bentoml serve serving.service:service`` what to load.
"""

from collections.abc import Callable
from typing import Any

import bentoml

from .scoring import respond
from .settings import ServeSettings
from .state import Live
from .wire import convert_request

NAME = "nbo_churn"


def churn_service(source: Callable[[], Live]) -> Any:
    """A BentoML service over what ``source`` gives when the service starts.

    Its own metrics and access log are off: the app in front provides both, and they cost more
    than the scores do.
    """

    @bentoml.service(
        name=NAME,
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        traffic={"timeout": 60},
    )
    class ChurnScores:
        def __init__(self) -> None:
            self.live = source()

        @bentoml.api  # type: ignore[untyped-decorator]
        async def score(self, body: dict[str, Any], /) -> Any:
            """Churn scores; body and answer are those of ``POST /v1/scores``."""
            return await respond(self.live, lambda: convert_request(body))

    return ChurnScores


def from_environment() -> Live:
    live = Live(ServeSettings.from_environment(), scores_only=True)
    live.refresh()
    return live


service = churn_service(from_environment)
