"""The benchmark's 57 features as one writes them in SQL, without the feature language."""

from collections.abc import Iterator

from generated_calls import CODES, END_DAY, RIVALS

WINDOWS = (7, 30, 90)
ABROAD = ("national", "international", "hkmt")


def visible() -> str:
    return f"event_day < {END_DAY} AND known_day <= {END_DAY} AND event_day >= {END_DAY - max(WINDOWS)}"


def plain_columns() -> Iterator[tuple[str, str]]:
    """(feature, expression) of every feature, one FILTER a window."""
    rival_codes = ", ".join(f"'{code}'" for code, network in CODES.items() if network in RIVALS)
    rivals = ", ".join(f"'{name}'" for name in RIVALS)
    abroad = ", ".join(f"'{name}'" for name in ABROAD)
    with_rivals = f"network_id IN ({rivals}) OR access_code IN ({rival_codes})"
    rows = {
        "calls": "TRUE",
        "calls_out": "direction = 'out'",
        "calls_in": "direction = 'in'",
        "calls_out_local": "direction = 'out' AND destination = 'local'",
        f"calls_out_{'_'.join(ABROAD)}": f"direction = 'out' AND destination IN ({abroad})",
        "calls_out_rival": f"direction = 'out' AND ({with_rivals})",
        "calls_rival_access_code": f"access_code IN ({rival_codes})",
    }

    def over(aggregate: str, name: str, length: int) -> str:
        return f"{aggregate} FILTER (WHERE event_day >= {END_DAY - length} AND {rows[name]})"

    def seconds(name: str, length: int) -> str:
        return f"CAST(coalesce({over('sum(duration_seconds)', name, length)}, 0) AS DOUBLE)"

    for length in WINDOWS:
        for name in rows:
            yield f"{name}_count_{length}d", over("count(*)", name, length)
            if name != "calls":
                yield f"{name}_minutes_sum_{length}d", f"{seconds(name, length)} / 60"
        for name in ("calls", "calls_out", "calls_out_rival"):
            numbers = over("count(DISTINCT counterparty_id)", name, length)
            yield f"{name}_counterparty_id_distinct_{length}d", numbers
        mean = f"{seconds('calls_out', length)} / 60 / nullif({over('count(*)', 'calls_out', length)}, 0)"
        yield f"calls_out_minutes_mean_{length}d", mean
        largest = over("max(duration_seconds)", "calls_out", length)
        yield f"calls_out_minutes_max_{length}d", f"CAST({largest} AS DOUBLE) / 60"
    now, both, whole = seconds("calls_out", 30), seconds("calls_out", 60), seconds("calls", 30)
    yield "calls_out_minutes_sum_30d_share_of_all", f"{now} / nullif({whole}, 0)"
    yield "calls_out_minutes_sum_30d_trend", f"(2 * {now} - {both}) / nullif({both}, 0)"
    yield (
        "calls_out_rival_days_since_last_90d",
        f"{END_DAY} - {over('max(event_day)', 'calls_out_rival', 90)}",
    )


def plain_sql() -> str:
    """One GROUP BY over the calls in sight, one FILTER a window, count(DISTINCT ...)."""
    columns = dict(plain_columns())
    chosen = ",\n  ".join(f"{expression} AS {name}" for name, expression in columns.items())
    counted = ", ".join(
        f"coalesce({name}, 0) AS {name}"
        if "_count_" in name or "_sum_" in name or "_distinct_" in name
        else name
        for name in columns
        if not name.endswith(("_trend", "_share_of_all"))
    )
    return (
        f"WITH found AS (SELECT account_id,\n  {chosen}\nFROM calls WHERE {visible()} GROUP BY account_id)\n"
        f"SELECT lines.account_id, {counted}, calls_out_minutes_sum_30d_share_of_all, "
        "calls_out_minutes_sum_30d_trend\n"
        "FROM lines LEFT JOIN found ON found.account_id = lines.account_id ORDER BY 1"
    )
