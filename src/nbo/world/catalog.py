"""Networks, access codes, products and tariffs of the demo operator.

Own codes, 17931 and 17951 and the product names are the domain's; codes marked assumed in
``docs/world.md`` complete the picture. Amounts are integer fen (1/100 CNY).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """A network with its owner (own, rival, other) and names."""

    network_id: str
    kind: str
    name_en: str
    name_zh: str


NETWORKS = (
    Network("own", "own", "Own network", "本网"),
    Network("netcom", "rival", "Netcom", "网通"),
    Network("mobile", "rival", "Mobile", "移动"),
    Network("unicom", "rival", "Unicom", "联通"),
    Network("tietong", "rival", "Tietong", "铁通"),
    Network("jitong", "rival", "Jitong", "吉通"),
    Network("other", "other", "Other networks (mobile phones, abroad)", "其他网络"),
)
NETWORK_IDS = [network.network_id for network in NETWORKS]
OWN, OTHER = 0, 6
RIVALS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Code:
    """An access code, the index of its network, and its use."""

    access_code: str
    network: int
    use: str


ACCESS_CODES = (
    Code("17909", OWN, "ip_voice"),
    Code("96872", OWN, "card"),
    Code("96169", OWN, "dial_up"),
    Code("163", OWN, "dial_up"),
    Code("10000", OWN, "service_line"),
    Code("180", OWN, "complaint_line"),
    Code("17931", 1, "ip_voice"),
    Code("17951", 2, "ip_voice"),
    Code("17911", 3, "ip_voice"),
    Code("17991", 4, "ip_voice"),
    Code("17921", 5, "ip_voice"),
    Code("10060", 1, "sales_line"),
    Code("10086", 2, "sales_line"),
    Code("10010", 3, "sales_line"),
    Code("10050", 4, "sales_line"),
    Code("10020", 5, "sales_line"),
)
CODES = [code.access_code for code in ACCESS_CODES]
OWN_IP, OWN_CARD, DIAL_UP, DIAL_UP_163, SERVICE_LINE, COMPLAINT_LINE = range(6)
FIRST_RIVAL_IP, FIRST_SALES_LINE = 6, 11
"""Position of network 1's code; network ``r`` stands ``r - 1`` places after it."""


@dataclass(frozen=True)
class Product:
    """A product with its family, kind, names, monthly fee, and what its use adds to the fee."""

    product_id: str
    family: str
    kind: str
    name_en: str
    name_zh: str
    fee: int = 0
    """Monthly fee, fen."""
    use: int = 0
    """Median monthly charge for use that no call record shows, fen."""


PRODUCTS = (
    Product("pstn", "voice", "functional", "PSTN line", "普通电话", 2500),
    Product("isdn", "voice", "functional", "ISDN line", "ISDN", 7000),
    Product("centrex", "voice", "functional", "Centrex", "汇线通", 3000),
    Product("adsl", "data", "functional", "ADSL broadband", "ADSL宽带", 11000),
    Product("business_adsl", "data", "functional", "business ADSL", "商用ADSL", 33300),
    Product("leased", "data", "functional", "leased line", "专线", 100000),
    Product("phs", "mobile", "functional", "PHS", "小灵通", 2500),
    Product("lan", "data", "functional", "LAN broadband", "LAN宽带", 20000),
    Product("wlan_adsl", "data", "functional", "WLAN and ADSL", "WLAN+ADSL", 20000),
    Product("business_lan", "data", "functional", "business LAN", "商用LAN", 50000),
    Product("broadband_trader", "data", "functional", "broadband for sole traders", "宽带个体户", 15000),
    Product("sky_wing", "data", "functional", "Sky Wing wireless", "天翼通", 3000),
    Product("dial_up", "data", "functional", "dial-up", "拨号上网"),
    Product("trunk", "long_distance", "functional", "trunk long distance", "传统长途"),
    Product("ip_17909", "long_distance", "functional", "IP voice 17909", "17909 IP电话"),
    Product("card_96872", "long_distance", "functional", "business card 96872", "96872商务卡"),
    Product("aps", "voice", "functional", "APS", "APS", 1000),
    Product("np", "voice", "functional", "number portability", "NP", 500),
    Product("stock_link", "voice", "functional", "stock link", "股神通", 1500),
    Product("change_at_will", "voice", "functional", "change at will", "随心改", 800),
    Product("business_link", "voice", "functional", "business link", "商易通", 4000),
    Product("toll_free_800", "voice", "functional", "800", "800业务", 0, 15000),
    Product("conference", "voice", "functional", "conference", "会议电话", 0, 6000),
    Product("video", "voice", "functional", "video", "新视通", 0, 25000),
    Product("city_mobility", "voice", "functional", "city mobility", "市话通", 0, 1800),
    Product("group_mobile", "mobile", "functional", "group mobile", "集团CDMA", 0, 10000),
    Product("long_time_space", "long_distance", "tariff", "long-talk tariff", "长话时空"),
    Product("hk_time_space", "long_distance", "tariff", "Hong Kong and Taiwan tariff", "港台时空"),
    Product("prepaid", "long_distance", "tariff", "prepaid long distance", "长途预付"),
    Product("volume_agreement", "long_distance", "tariff", "volume agreement", "长途协议"),
    Product("adsl_light", "data", "tariff", "ADSL light", "ADSL轻松版"),
    Product("adsl_classic", "data", "tariff", "ADSL classic", "ADSL经典版"),
    Product("adsl_free", "data", "tariff", "ADSL free", "ADSL自由版"),
    Product("growth_plan", "bundle", "tariff", "growth plan", "商务常青"),
    Product("merchant_home", "bundle", "tariff", "merchant bundle", "商家乐"),
)
PRODUCT_IDS = [product.product_id for product in PRODUCTS]
PSTN, ISDN, CENTREX, ADSL, BUSINESS_ADSL, LEASED, PHS = range(7)
LAN, WLAN_ADSL, BUSINESS_LAN, BROADBAND_TRADER, SKY_WING = range(7, 12)
IP_17909, CARD_96872 = PRODUCT_IDS.index("ip_17909"), PRODUCT_IDS.index("card_96872")
GROWTH_PLAN = PRODUCT_IDS.index("growth_plan")
VOICE_PRODUCTS = (PSTN, ISDN, CENTREX)
BROADBAND_PRODUCTS = (ADSL, BUSINESS_ADSL, LEASED, LAN, WLAN_ADSL, BUSINESS_LAN, BROADBAND_TRADER)
DATA_PRODUCTS = (*BROADBAND_PRODUCTS, SKY_WING)
LINE_PRODUCTS = (*VOICE_PRODUCTS, *DATA_PRODUCTS, PHS)
"""What comes as a line; all other products are contracts alone."""

BILL_FAMILIES = ("voice", "long_distance", "data", "mobile")
COST_SHARE = (0.35, 0.30, 0.40, 0.45)
"""Direct service cost per amount billed, by family of :data:`BILL_FAMILIES`; assumed."""

# Tariffs in fen per minute begun (local: first three minutes together), assumed but for the
# domestic 0.30 a minute of IP voice.
LOCAL_FIRST, LOCAL_MINUTE = 22, 11
TRUNK_MINUTE = (0, 70, 200, 800)
IP_MINUTE = (0, 30, 150, 360)
DIAL_UP_MINUTE = 4

DESTINATIONS = ["local", "national", "hkmt", "international"]
SITE_TYPES = ["office_tower", "shop_street", "factory", "business_park", "residential"]
ACCOUNT_CLASSES = ["A", "B", "C", "D", "X"]
KINDS = ["company", "sole_trader", "consumer"]
ARMS = ["policy", "randomised"]
ATTITUDES = ["optimised_product", "service_first", "over_consuming", "basic_need", "follower"]
FOLLOWER = ATTITUDES.index("follower")
AREAS = 4
"""Exchange areas of a neighbourhood."""
VOLUNTARY = ["price", "service", "rival_offer", "contract_end", "moved", "customer_request"]
INVOLUNTARY = ["non_payment", "bankruptcy", "removal", "fraud"]
INVOLUNTARY_PROBS = (0.7, 0.2, 0.07, 0.03)
REASONS = VOLUNTARY + INVOLUNTARY
PRICE, SERVICE, RIVAL_OFFER, CONTRACT_END, MOVED, CUSTOMER_REQUEST, NON_PAYMENT = range(7)
TICKET_KINDS = ["complaint", "fault", "request", "dispute", "cancel_intent"]
COMPLAINT, FAULT, REQUEST, DISPUTE, CANCEL_INTENT = range(5)
INDUSTRIES = [
    "agency_advertising",
    "trade_computer",
    "retail",
    "manufacturing_domestic",
    "manufacturing_export",
    "school",
    "net_cafe",
    "real_estate_wholesale",
    "property_management",
    "other",
]
INDUSTRY_PROBS = (0.08, 0.18, 0.27, 0.09, 0.07, 0.03, 0.04, 0.09, 0.05, 0.10)
OWNERSHIPS = ["domestic", "public", "foreign_japan", "foreign_west", "hk_macau", "taiwan"]
OWNERSHIP_PROBS = (0.78, 0.05, 0.02, 0.03, 0.08, 0.04)
DISTRICTS = ["罗湖", "福田", "南山", "盐田", "宝安", "龙岗"]
