"""The benchmark's 57 features as one writes them with Featuretools; runs in the environment of its own."""

import featuretools as ft
import pandas as pd

RIVALS = ["rival_1", "rival_2", "rival_3", "rival_4"]
RIVAL_CODES = ["17911", "17931", "17951"]
ABROAD = ["national", "international", "hkmt"]
PRIMITIVES = ["count", "sum", "mean", "max", "num_unique"]


def kinds(calls: pd.DataFrame) -> dict[str, pd.Series]:
    """A condition on two columns must be a column of its own; one on none too, to hide late calls by it."""
    out = calls["direction"] == "out"
    code = calls["access_code"].isin(RIVAL_CODES)
    return {
        "calls": pd.Series(True, calls.index),
        "calls_out": out,
        "calls_in": calls["direction"] == "in",
        "calls_out_local": out & (calls["destination"] == "local"),
        "calls_out_national_international_hkmt": out & calls["destination"].isin(ABROAD),
        "calls_out_rival": out & (calls["network_id"].isin(RIVALS) | code),
        "calls_rival_access_code": code,
    }


def entities(calls: pd.DataFrame, lines: pd.DataFrame) -> ft.EntitySet:
    flags = kinds(calls)
    day = pd.to_timedelta(calls["event_second"], unit="s") + pd.to_datetime(calls["event_day"], unit="D")
    # What is known at the very cut-off is hidden, so a call known from a midnight on must be a bit earlier.
    known = pd.to_datetime(calls["known_day"], unit="D") - pd.Timedelta(seconds=1)
    calls = calls.assign(time=day, known=known, **flags)
    used = [
        "call_id",
        "account_id",
        "time",
        "known",
        "counterparty_id",
        "duration_seconds",
        "event_day",
        *flags,
    ]
    types = {
        "counterparty_id": "Categorical",
        "event_day": "Integer",
        **dict.fromkeys(flags, "BooleanNullable"),
    }
    es = ft.EntitySet("operator")
    es.add_dataframe(lines[["account_id"]].drop_duplicates(), "accounts", index="account_id")
    es.add_dataframe(
        calls[used],
        "calls",
        index="call_id",
        time_index="time",
        secondary_time_index={"known": list(flags)},
        logical_types=types,
    )
    es.add_relationship("accounts", "account_id", "calls", "account_id")
    es.add_last_time_indexes()
    es.add_interesting_values(dataframe_name="calls", values={flag: [True] for flag in flags})
    return es


def wanted(es: ft.EntitySet) -> dict[str, ft.Feature]:
    """What deep feature synthesis finds, by its names; it finds several hundred others too."""
    found = ft.dfs(
        entityset=es,
        target_dataframe_name="accounts",
        agg_primitives=PRIMITIVES,
        where_primitives=PRIMITIVES,
        trans_primitives=[],
        max_depth=1,
        features_only=True,
    )
    return {feature.get_name(): feature for feature in found}


def features(calls: pd.DataFrame, lines: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row an account; each column is a name of Featuretools and a window."""
    es = entities(calls, lines)
    found = wanted(es)
    flags = [name for name in es["calls"].columns if name.startswith("calls")]
    counts = [f"COUNT(calls WHERE {flag} = True)" for flag in flags]
    sums = [f"SUM(calls.duration_seconds WHERE {flag} = True)" for flag in flags]
    numbers = [
        f"NUM_UNIQUE(calls.counterparty_id WHERE {flag} = True)"
        for flag in ("calls", "calls_out", "calls_out_rival")
    ]
    out = "calls.duration_seconds WHERE calls_out = True"
    usual = [*counts, *sums, *numbers, f"MEAN({out})", f"MAX({out})"]
    last = "MAX(calls.event_day WHERE calls_out_rival = True)"
    asked = {7: usual, 30: usual, 60: [f"SUM({out})"], 90: [*usual, last]}
    parts = []
    for length, names in asked.items():
        matrix = ft.calculate_feature_matrix(
            [found[name] for name in names],
            es,
            cutoff_time=as_of,
            training_window=f"{length} days",
            include_cutoff_time=False,
        )
        parts.append(matrix.fillna(dict.fromkeys(numbers, 0)).add_suffix(f" {length}d"))
    table = pd.concat(parts, axis=1).sort_index()
    now, both = table[f"SUM({out}) 30d"], table.pop(f"SUM({out}) 60d")
    whole = table["SUM(calls.duration_seconds WHERE calls = True) 30d"]
    table = table.drop(columns=[f"SUM(calls.duration_seconds WHERE calls = True) {n}d" for n in (7, 30, 90)])
    minutes = [name for name in table.columns if "duration_seconds" in name]
    table[minutes] = table[minutes] / 60
    table["calls_out_minutes_sum_30d_share_of_all"] = now / whole.where(whole > 0)
    table["calls_out_minutes_sum_30d_trend"] = (2 * now - both) / both.where(both > 0)
    days_since = (as_of - pd.Timestamp(0)).days - table.pop(f"{last} 90d")
    table["calls_out_rival_days_since_last_90d"] = days_since
    return table
