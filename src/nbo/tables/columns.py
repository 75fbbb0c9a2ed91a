"""Columns that many tables share, written once."""

from nbo.tables.contract import (
    NO_PURPOSE,
    Column,
    Kind,
    Measure,
    Words,
)

MINUTES = Measure("minutes", 60, "minutes", Words("minutes", "分钟数"))
MEGABYTES = Measure("megabytes", 1_000_000, "mb", Words("megabytes", "流量(MB)"))

EVENT_DAY = Column("event_day", "day", Words("day", "日期"))
EVENT_SECOND = Column("event_second", "second", Words("second of the day", "时刻"), nullable=True)
VALID_DAY = Column("valid_day", "day", Words("day it holds from", "生效日期"))
KNOWN_DAY = Column("known_day", "day", Words("day it had reached us", "到达日期"))

EVENT_TIME = (EVENT_DAY, EVENT_SECOND, KNOWN_DAY)
LOG_TIME = (VALID_DAY, KNOWN_DAY)

ACCOUNT = Column("account_id", "key", Words("account", "客户"), references="accounts")
LINE = Column("line_id", "key", Words("line", "线路"), references="lines")
OPTIONAL_LINE = Column("line_id", "key", Words("line", "线路"), nullable=True, references="lines")
COUNTERPARTY = Column("counterparty_id", "key", Words("number at the other end", "对方号码"), nullable=True)
NETWORK = Column(
    "network_id", "key", Words("network at the other end", "对方网络"), nullable=True, references="networks"
)
ACCESS_CODE = Column("access_code", "key", Words("access code dialled", "接入码"), nullable=True)
PRODUCT = Column("product_id", "key", Words("product", "产品"), nullable=True, references="products")

DESTINATIONS = {
    "local": Words("local", "本地"),
    "national": Words("national", "国内长途"),
    "hkmt": Words("Hong Kong, Macau and Taiwan", "港澳台"),
    "international": Words("international", "国际"),
}
DIRECTIONS = {"out": Words("outgoing", "主叫"), "in": Words("incoming", "被叫")}
CHANNELS = {
    "account_manager": Words("account manager", "客户经理"),
    "call_centre": Words("call centre", "呼叫中心"),
    "agent": Words("agent", "代理"),
    "shop": Words("shop", "营业厅"),
    "web": Words("web", "网站"),
    "direct_mail": Words("direct mail", "直邮"),
}
FAMILIES = {
    "voice": Words("voice", "语音"),
    "long_distance": Words("long distance", "长途"),
    "data": Words("data", "数据"),
    "mobile": Words("mobile", "移动"),
    "bundle": Words("bundle", "套餐"),
    "other": Words("other", "其他"),
}


def key(name: str, en: str, zh: str) -> Column:
    """A key column; keys identify, so no feature may read them but to count distinct ones."""
    return Column(name, "key", Words(en, zh))


def personal(name: str, en: str, zh: str) -> Column:
    """A text about a person: shown to people, never an input of a model."""
    return Column(name, "text", Words(en, zh), nullable=True, purposes=NO_PURPOSE)


def optional(name: str, kind: Kind, en: str, zh: str) -> Column:
    return Column(name, kind, Words(en, zh), nullable=True)
