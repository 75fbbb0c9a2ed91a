"""What Prometheus reads at ``/metrics``."""

from collections.abc import Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from nbo.asof import AsOf
from nbo.bundle import Bundle

CONTENT_TYPE = CONTENT_TYPE_LATEST
LATENCY_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Metrics:
    """Counts of one app, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "nbo_http_requests_total",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "nbo_http_request_seconds",
            "Time from a request's first byte read by the app to its last byte sent.",
            ["route"],
            buckets=LATENCY_SECONDS,
            registry=self.registry,
        )
        self.bundle = Gauge(
            "nbo_bundle_info",
            "1 for what is served now.",
            ["model", "bundle", "as_of", "feature_hash"],
            registry=self.registry,
        )
        self.ready = Gauge("nbo_ready", "1 while /readyz says yes.", registry=self.registry)
        self.reload_failures = Counter(
            "nbo_reload_failures_total",
            "Releases, snapshots, catalogs or rules that could not be loaded; the former stay.",
            registry=self.registry,
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; labels stay few whatever callers send."""
        known = method if method in METHODS else "other"
        self.requests.labels(route, known, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def serving(self, served: Iterable[tuple[Bundle, AsOf]]) -> None:
        """Tell which bundles answer from now on, of which date."""
        self.bundle.clear()
        for bundle, as_of in served:
            self.bundle.labels(bundle.model, bundle.id, str(as_of), bundle.features.hash).set(1)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
