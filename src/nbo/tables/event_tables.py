"""Contracts of the tables whose rows are facts that happened on a day."""

from nbo.tables.columns import (
    ACCESS_CODE,
    ACCOUNT,
    CHANNELS,
    COUNTERPARTY,
    DESTINATIONS,
    DIRECTIONS,
    EVENT_DAY,
    EVENT_TIME,
    FAMILIES,
    KNOWN_DAY,
    LINE,
    MEGABYTES,
    MINUTES,
    NETWORK,
    OPTIONAL_LINE,
    PRODUCT,
    key,
    optional,
)
from nbo.tables.contract import NO_PURPOSE, Column, Table, Words

SETTLEMENT_PURPOSES = frozenset({"service", "retention"})
"""Settlement data of other carriers may be barred from marketing by law (FCC 08-159)."""

CONTRACTS = Table(
    "contracts",
    "events",
    Words("contracts", "合同"),
    provenance=Words("contract records", "合同资料"),
    key=("contract_id",),
    columns=(
        key("contract_id", "contract", "合同"),
        ACCOUNT,
        PRODUCT,
        EVENT_DAY,
        KNOWN_DAY,
        optional("term_months", "count", "term in months", "合同期(月)"),
        optional("planned_end_day", "day", "planned contract end", "合同到期日"),
        optional("fee_amount", "money", "monthly fee", "月费"),
        optional("plan_kind", "code", "growth plan", "商务常青方案"),
        optional("plan_base_amount", "money", "plan base", "方案基数"),
    ),
)

CALLS = Table(
    "calls",
    "events",
    Words("calls", "通话"),
    provenance=Words("call records of our own exchanges", "本网话单"),
    key=("call_id",),
    columns=(
        key("call_id", "call", "话单"),
        ACCOUNT,
        OPTIONAL_LINE,
        *EVENT_TIME,
        Column("direction", "code", Words("direction", "方向"), nullable=True, codes=DIRECTIONS),
        COUNTERPARTY,
        NETWORK,
        ACCESS_CODE,
        Column(
            "destination",
            "code",
            Words("destination", "目的地"),
            nullable=True,
            codes=DESTINATIONS,
        ),
        Column("duration_seconds", "seconds", Words("call time", "通话时长"), measure=MINUTES),
        optional("charge_amount", "money", "charge", "话费"),
    ),
)

INTERCONNECT = Table(
    "interconnect",
    "events",
    Words("settlement records", "网间结算记录"),
    provenance=Words("settlement with other carriers", "网间结算"),
    key=("record_id",),
    columns=(
        key("record_id", "settlement record", "结算记录"),
        Column(
            "account_id",
            "key",
            Words("account", "客户"),
            nullable=True,
            references="accounts",
            purposes=SETTLEMENT_PURPOSES,
        ),
        EVENT_DAY,
        KNOWN_DAY,
        Column(
            "direction", "code", Words("direction", "方向"), codes=DIRECTIONS, purposes=SETTLEMENT_PURPOSES
        ),
        Column(
            "counterparty_id",
            "key",
            Words("number at the other end", "对方号码"),
            nullable=True,
            purposes=SETTLEMENT_PURPOSES,
        ),
        Column(
            "network_id",
            "key",
            Words("network at the other end", "对方网络"),
            references="networks",
            purposes=SETTLEMENT_PURPOSES,
        ),
        Column("calls_count", "count", Words("calls", "通话次数"), purposes=SETTLEMENT_PURPOSES),
        Column(
            "duration_seconds",
            "seconds",
            Words("call time", "通话时长"),
            measure=MINUTES,
            purposes=SETTLEMENT_PURPOSES,
        ),
        Column(
            "settlement_amount",
            "money",
            Words("settlement amount", "结算金额"),
            nullable=True,
            purposes=SETTLEMENT_PURPOSES,
        ),
    ),
)

USAGE = Table(
    "usage",
    "events",
    Words("usage", "使用"),
    provenance=Words("counters of our own network", "本网流量记录"),
    key=("line_id", "event_day", "service"),
    columns=(
        ACCOUNT,
        LINE,
        EVENT_DAY,
        KNOWN_DAY,
        Column(
            "service",
            "code",
            Words("service", "业务"),
            codes={
                "broadband": Words("broadband", "宽带"),
                "dial_up": Words("dial-up", "拨号上网"),
                "mobile_data": Words("mobile data", "移动数据"),
                "message": Words("message", "短信"),
            },
        ),
        Column("sessions_count", "count", Words("sessions or messages", "次数"), nullable=True),
        Column("data_bytes", "bytes", Words("data volume", "流量"), nullable=True, measure=MEGABYTES),
        Column(
            "duration_seconds", "seconds", Words("time on line", "在线时长"), nullable=True, measure=MINUTES
        ),
    ),
)

BILLS = Table(
    "bills",
    "events",
    Words("bills", "账单"),
    provenance=Words("billing", "计费账务"),
    key=("bill_id", "family"),
    columns=(
        key("bill_id", "bill", "账单"),
        ACCOUNT,
        EVENT_DAY,
        KNOWN_DAY,
        Column("family", "code", Words("product family", "产品族"), codes=FAMILIES),
        optional("period_start_day", "day", "first day billed", "账期开始"),
        optional("period_end_day", "day", "first day not billed", "账期结束"),
        Column("bill_amount", "money", Words("amount billed", "账单金额")),
        optional("direct_cost_amount", "money", "direct service cost", "直接成本"),
    ),
)

PAYMENTS = Table(
    "payments",
    "events",
    Words("payments", "缴费"),
    provenance=Words("billing", "计费账务"),
    key=("payment_id",),
    columns=(
        key("payment_id", "payment", "缴费"),
        ACCOUNT,
        EVENT_DAY,
        KNOWN_DAY,
        optional("bill_id", "key", "bill", "账单"),
        Column("paid_amount", "money", Words("amount paid", "缴费金额")),
        optional("days_late", "count", "days late", "逾期天数"),
    ),
)

CONTACTS = Table(
    "contacts",
    "events",
    Words("contacts", "客户接触"),
    provenance=Words("campaigns and contacts", "营销接触记录"),
    key=("contact_id",),
    columns=(
        key("contact_id", "contact", "接触"),
        ACCOUNT,
        EVENT_DAY,
        KNOWN_DAY,
        optional("treatment", "code", "treatment", "方案"),
        Column("channel", "code", Words("channel", "渠道"), nullable=True, codes=CHANNELS),
        optional("arm", "code", "arm", "试验组"),
        Column(
            "logging_prob",
            "number",
            Words("probability of the treatment", "方案概率"),
            nullable=True,
            purposes=NO_PURPOSE,
        ),
        Column(
            "outcome",
            "code",
            Words("outcome", "结果"),
            nullable=True,
            known_by="outcome_known_day",
            codes={
                "accepted": Words("accepted", "接受"),
                "refused": Words("refused", "拒绝"),
                "not_reached": Words("not reached", "未接通"),
                "no_answer": Words("no answer yet", "未答复"),
            },
        ),
        Column(
            "outcome_known_day",
            "day",
            Words("day the outcome had reached us", "结果到达日期"),
            nullable=True,
            known_by="outcome_known_day",
        ),
    ),
)

SURVEYS = Table(
    "surveys",
    "events",
    Words("surveys", "调查"),
    provenance=Words("answers of customers", "客户调查"),
    key=("survey_id",),
    columns=(
        key("survey_id", "survey", "调查"),
        ACCOUNT,
        EVENT_DAY,
        KNOWN_DAY,
        optional("satisfaction", "count", "satisfaction (1 to 5)", "满意度(1-5)"),
        optional(
            "rival_satisfaction", "count", "satisfaction with a rival (1 to 5)", "对竞争对手满意度(1-5)"
        ),
        optional("network_id", "key", "rival rated", "所评竞争对手"),
        optional("driver", "code", "what matters most", "关注点"),
    ),
)

LABELS = Table(
    "labels",
    "events",
    Words("labels", "标签"),
    provenance=Words("the operator's own list of events", "运营商提供的标签"),
    key=("account_id", "kind", "event_day"),
    columns=(
        Column("account_id", "key", Words("account", "客户"), references="accounts", purposes=NO_PURPOSE),
        EVENT_DAY,
        KNOWN_DAY,
        Column(
            "kind",
            "code",
            Words("kind", "类型"),
            purposes=NO_PURPOSE,
            codes={
                "churn": Words("left by choice", "主动离网"),
                "involuntary": Words("left not by choice", "被动离网"),
            },
        ),
    ),
)

EVENT_TABLES = (
    CONTRACTS,
    CALLS,
    INTERCONNECT,
    USAGE,
    BILLS,
    PAYMENTS,
    CONTACTS,
    SURVEYS,
    LABELS,
)
