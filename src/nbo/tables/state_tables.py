"""Contracts of the change logs and code tables: what is true of an account from a day on.

State is never edited in place. A line that ends is a new row with a later ``valid_day``, so a
query as of an earlier date cannot see it.
"""

from nbo.tables.columns import (
    ACCOUNT,
    CHANNELS,
    DESTINATIONS,
    FAMILIES,
    KNOWN_DAY,
    LOG_TIME,
    OPTIONAL_LINE,
    PRODUCT,
    key,
    optional,
    personal,
)
from nbo.tables.contract import Column, Table, Words

VOLUNTARY_REASONS = {
    "price": Words("price", "价格"),
    "service": Words("service", "服务"),
    "rival_offer": Words("rival offer", "竞争对手优惠"),
    "contract_end": Words("contract end", "合同到期"),
    "moved": Words("moved", "搬迁"),
    "customer_request": Words("customer request", "客户要求"),
}
INVOLUNTARY_REASONS = {
    "non_payment": Words("non-payment", "欠费"),
    "bankruptcy": Words("bankruptcy", "破产"),
    "removal": Words("removal of the building", "拆迁"),
    "fraud": Words("fraud", "欺诈"),
}

ACCOUNTS = Table(
    "accounts",
    "log",
    Words("accounts", "客户"),
    provenance=Words("customer records", "客户资料"),
    key=("account_id",),
    required=True,
    columns=(
        key("account_id", "account", "客户"),
        *LOG_TIME,
        personal("name", "name", "名称"),
        personal("contact", "contact person", "联系人"),
        personal("owner", "account manager", "客户经理"),
        Column(
            "account_class",
            "code",
            Words("customer class", "客户类别"),
            nullable=True,
            codes={c: Words(f"class {c}", f"{c}类") for c in "ABCDX"},
        ),
        Column(
            "kind",
            "code",
            Words("kind of customer", "客户性质"),
            nullable=True,
            codes={
                "company": Words("company", "企业"),
                "sole_trader": Words("sole trader", "个体户"),
                "consumer": Words("consumer", "个人"),
            },
        ),
        optional("industry", "code", "industry", "行业"),
        optional("ownership", "code", "ownership", "所有制"),
        optional("employees", "count", "employees", "员工数"),
        optional("tariff_plan", "code", "tariff plan", "资费套餐"),
    ),
)

SITES = Table(
    "sites",
    "log",
    Words("sites", "地点"),
    provenance=Words("customer records", "客户资料"),
    key=("site_id",),
    columns=(
        key("site_id", "site", "地点"),
        ACCOUNT,
        *LOG_TIME,
        Column(
            "site_type",
            "code",
            Words("type of site", "地点类型"),
            nullable=True,
            codes={
                "office_tower": Words("office tower", "写字楼"),
                "shop_street": Words("shop street", "商铺街"),
                "factory": Words("factory", "工厂"),
                "business_park": Words("business park", "园区"),
                "residential": Words("residential building", "住宅"),
            },
        ),
        optional("district", "code", "district", "区域"),
        optional("exchange_area", "code", "exchange area", "局向"),
        optional("building_id", "key", "building", "楼宇"),
    ),
)

LINES = Table(
    "lines",
    "log",
    Words("lines", "线路"),
    provenance=Words("records of lines in service", "线路资料"),
    key=("line_id",),
    required=True,
    columns=(
        key("line_id", "line", "线路"),
        ACCOUNT,
        Column("site_id", "key", Words("site", "地点"), nullable=True, references="sites"),
        PRODUCT,
        *LOG_TIME,
        Column(
            "state",
            "code",
            Words("state", "状态"),
            codes={
                "active": Words("active", "在用"),
                "suspended": Words("suspended", "停机"),
                "ended": Words("ended", "拆机"),
            },
        ),
        Column(
            "reason",
            "code",
            Words("reason of the change", "变更原因"),
            nullable=True,
            codes={**VOLUNTARY_REASONS, **INVOLUNTARY_REASONS},
        ),
        # As calls name it at their other end, so that who calls whom among our own can be told.
        optional("number_id", "key", "number of the line", "本机号码"),
    ),
)

NETWORKS = Table(
    "networks",
    "reference",
    Words("networks", "网络"),
    provenance=Words("numbering tables of the exchanges", "局数据"),
    key=("network_id",),
    columns=(
        key("network_id", "network", "网络"),
        KNOWN_DAY,
        Column(
            "kind",
            "code",
            Words("whose network it is", "网络归属"),
            codes={
                "own": Words("own network", "本网"),
                "rival": Words("rivals", "竞争对手"),
                "other": Words("other networks", "其他网络"),
            },
        ),
        optional("name_en", "text", "English name", "英文名"),
        optional("name_zh", "text", "Chinese name", "中文名"),
    ),
)

ACCESS_CODES = Table(
    "access_codes",
    "log",
    Words("access codes", "接入码"),
    provenance=Words("numbering tables of the exchanges", "局数据"),
    key=("access_code",),
    columns=(
        key("access_code", "access code", "接入码"),
        *LOG_TIME,
        Column("network_id", "key", Words("network", "网络"), references="networks"),
        Column(
            "use",
            "code",
            Words("use", "用途"),
            codes={
                "ip_voice": Words("IP voice", "IP电话"),
                "card": Words("card", "卡"),
                "dial_up": Words("dial-up", "拨号上网"),
                "service_line": Words("service line", "客服热线"),
                "complaint_line": Words("fault and complaint line", "障碍投诉热线"),
                "sales_line": Words("sales line", "销售热线"),
            },
        ),
        Column(
            "state",
            "code",
            Words("state", "状态"),
            codes={"active": Words("active", "在用"), "ended": Words("ended", "停用")},
        ),
    ),
)

TARIFFS = Table(
    "tariffs",
    "log",
    Words("tariffs", "资费"),
    provenance=Words("tariffs that networks publish", "各网公布的资费"),
    key=("network_id", "destination"),
    columns=(
        Column("network_id", "key", Words("network", "网络"), references="networks"),
        Column("destination", "code", Words("destination", "目的地"), codes=DESTINATIONS),
        *LOG_TIME,
        # Null: no longer sold.
        optional("minute_amount", "money", "price of a minute begun", "每分钟资费"),
    ),
)

PRODUCTS = Table(
    "products",
    "reference",
    Words("products", "产品"),
    provenance=Words("product catalogue", "产品目录"),
    key=("product_id",),
    columns=(
        key("product_id", "product", "产品"),
        KNOWN_DAY,
        Column("family", "code", Words("family", "产品族"), codes=FAMILIES),
        Column(
            "kind",
            "code",
            Words("kind", "类型"),
            codes={"functional": Words("functional", "功能型"), "tariff": Words("tariff", "资费型")},
        ),
        optional("name_en", "text", "English name", "英文名"),
        optional("name_zh", "text", "Chinese name", "中文名"),
    ),
)

TICKETS = Table(
    "tickets",
    "log",
    Words("tickets", "工单"),
    provenance=Words("service desk", "客服工单系统"),
    key=("ticket_id",),
    columns=(
        key("ticket_id", "ticket", "工单"),
        ACCOUNT,
        OPTIONAL_LINE,
        *LOG_TIME,
        Column(
            "kind",
            "code",
            Words("kind", "类型"),
            codes={
                "complaint": Words("complaint", "投诉"),
                "fault": Words("fault", "障碍"),
                "request": Words("request", "申请"),
                "dispute": Words("billing dispute", "账单争议"),
                "cancel_intent": Words("cancel intent", "拆机意向"),
            },
        ),
        Column(
            "state",
            "code",
            Words("state", "状态"),
            codes={"open": Words("open", "未结"), "closed": Words("closed", "已结")},
        ),
    ),
)

CONSENTS = Table(
    "consents",
    "log",
    Words("consents", "营销许可"),
    provenance=Words("what customers allowed or forbade", "客户授权记录"),
    key=("account_id", "scope"),
    columns=(
        ACCOUNT,
        Column(
            "scope",
            "code",
            Words("channel it speaks of", "适用渠道"),
            codes={"all": Words("all channels", "全部渠道"), **CHANNELS},
        ),
        *LOG_TIME,
        Column("allowed", "flag", Words("contact allowed", "允许联系")),
    ),
)

PROMISES = Table(
    "promises",
    "log",
    Words("promises", "承诺"),
    provenance=Words("promises made to customers", "承诺记录"),
    key=("promise_id",),
    columns=(
        key("promise_id", "promise", "承诺"),
        ACCOUNT,
        *LOG_TIME,
        optional("offer", "code", "offer", "优惠"),
        optional("price_amount", "money", "price promised", "承诺价格"),
        optional("until_day", "day", "last day of the promise", "承诺截止日"),
        Column(
            "state",
            "code",
            Words("state", "状态"),
            codes={
                "open": Words("open", "有效"),
                "kept": Words("kept", "已兑现"),
                "withdrawn": Words("withdrawn", "已撤回"),
            },
        ),
    ),
)

ORDERS = Table(
    "orders",
    "log",
    Words("orders", "订单"),
    provenance=Words("order entry", "营业受理"),
    key=("order_id",),
    columns=(
        key("order_id", "order", "订单"),
        ACCOUNT,
        PRODUCT,
        *LOG_TIME,
        optional("kind", "code", "kind", "类型"),
        Column(
            "state",
            "code",
            Words("state", "状态"),
            codes={
                "open": Words("open", "在途"),
                "done": Words("done", "完成"),
                "cancelled": Words("cancelled", "取消"),
            },
        ),
    ),
)

STATE_TABLES = (
    ACCOUNTS,
    SITES,
    LINES,
    NETWORKS,
    ACCESS_CODES,
    TARIFFS,
    PRODUCTS,
    TICKETS,
    CONSENTS,
    PROMISES,
    ORDERS,
)
