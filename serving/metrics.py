"""What Prometheus reads at ``/metrics``."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

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
            "Releases or snapshots that could not be loaded; the former stays.",
            registry=self.registry,
        )

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; labels stay few whatever callers send."""
        known = method if method in METHODS else "other"
        self.requests.labels(route, known, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def serving(self, model: str, bundle: str, as_of: str, feature_hash: str) -> None:
        """Tell which bundle and snapshot answer from now on."""
        self.bundle.clear()
        self.bundle.labels(model, bundle, as_of, feature_hash).set(1)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
