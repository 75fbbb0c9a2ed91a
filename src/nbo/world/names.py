"""Invented company names, contact persons and account managers."""

import numpy as np

from nbo.world.columns import Ints

PLACES = ["深圳", "龙华", "横岗", "布吉", "沙井", "福永", "观澜", "坂田", "蛇口", "南头", "梅林", "华强"]
FIRST = list("鑫宏恒永盛金华泰嘉瑞德兴富润祥利隆昌万佳亿美创新联信达丰顺安")
SECOND = list("源达丰泰利辉茂盛通和成业发康诚隆晟凯宇鹏锋海川林峰旺顺")
TRADES = {
    "agency_advertising": ["广告", "文化传播", "货运代理"],
    "trade_computer": ["贸易", "电脑", "科技"],
    "retail": ["百货", "服饰", "便利店", "餐饮"],
    "manufacturing_domestic": ["五金", "电器", "家具"],
    "manufacturing_export": ["电子", "玩具", "制衣"],
    "school": ["培训学校", "幼儿园"],
    "net_cafe": ["网吧"],
    "real_estate_wholesale": ["地产", "批发"],
    "property_management": ["物业管理"],
    "other": ["实业", "服务"],
}
SURNAMES = list("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高梁郑谢宋唐")
GIVEN = list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华文辉玲")
MANAGERS = 12
"""Account managers per chunk of accounts."""


def person_names(rng: np.random.Generator, count: int) -> list[str]:
    """Invented Chinese personal names."""
    parts = zip(
        rng.choice(SURNAMES, count),
        rng.choice(GIVEN, count),
        rng.choice([*GIVEN, ""], count),
        strict=True,
    )
    return ["".join(part) for part in parts]


def account_names(rng: np.random.Generator, kinds: Ints, industries: list[str]) -> list[str]:
    """A company's, a shop's or a person's name, by kind (0 company, 1 sole trader, 2 consumer)."""
    count = len(kinds)
    people = person_names(rng, count)
    places, firsts, seconds = (rng.choice(words, count) for words in (PLACES, FIRST, SECOND))
    picks = rng.random(count)
    names = []
    for row, kind in enumerate(kinds):
        trades = TRADES[industries[row]]
        trade = trades[int(picks[row] * len(trades))]
        if kind == 2:
            names.append(people[row])
        elif kind == 1:
            names.append(f"{firsts[row]}{seconds[row]}{trade}店")
        else:
            suffix = "" if trade in ("网吧", "幼儿园", "培训学校") else "有限公司"
            names.append(f"{places[row]}{firsts[row]}{seconds[row]}{trade}{suffix}")
    return names
