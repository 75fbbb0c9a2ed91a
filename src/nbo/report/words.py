"""Every heading and sentence of the report, in both languages, by key.

A ``{name}`` is filled by :func:`say`. Facts that come with the model (notes, reasons, names of
features) are shown as they were written; they are not translated here.
"""

from collections.abc import Mapping
from typing import Literal

from nbo.tables.contract import Words

Language = Literal["en", "zh"]

SENTENCES: Mapping[str, Words] = {
    # the page
    "title": Words("Model report: {model} at {operator}", "{operator}{model}模型报告"),
    "contents": Words("Contents", "目录"),
    "glance": Words("At a glance", "要点"),
    "missing": Words("not measured", "未测"),
    "numbers": Words("Numbers", "数据"),
    "yes": Words("yes", "是"),
    "no": Words("no", "否"),
    "few_leavers": Words(
        "Only {positives} cases of leaving were there to learn from. Read the intervals, not the values.",
        "可供学习的离网样本只有 {positives} 例，请看区间，不要只看数值。",
    ),
    # purpose
    "purpose": Words("What this model is for", "模型用途"),
    "purpose.retention": Words(
        "It estimates how likely each account is to leave by its own choice, so that the retention team "
        "can decide whom to call first. It may be used by the retention team for keeping own customers, "
        "and by data scientists to compare models.",
        "模型估计每个客户主动离网的可能性，供客户维系团队决定先联系谁。"
        "客户维系团队可用它挽留本网客户，数据分析人员可用它比较模型。",
    ),
    "purpose.marketing": Words(
        "It may be used for selling to own customers: everything it reads is permitted for marketing.",
        "可用于向本网客户营销：模型读取的数据均允许用于营销。",
    ),
    "purpose.service": Words(
        "It may be used only for serving own customers, never for selling or for retention offers.",
        "只可用于服务本网客户，不可用于营销或挽留优惠。",
    ),
    "purpose.other": Words("Its declared purpose is {purpose}.", "声明的用途为 {purpose}。"),
    "purpose.unknown": Words(
        "No purpose is recorded with this model; do not use it until it is.",
        "此模型没有记录用途；在补充之前请勿使用。",
    ),
    "population": Words("Whom it describes", "适用对象"),
    "population.text": Words(
        "Accounts with at least one active line on the decision date, as known on that date.",
        "在决策日（按当日已知信息）至少有一条在用线路的客户。",
    ),
    "population.counts": Words("Learned from {counts}.", "学习数据：{counts}。"),
    "count.accounts": Words("{n} accounts", "客户 {n} 个"),
    "count.rows": Words(
        "{n} rows (one for each account and decision date)", "样本 {n} 行（每客户每决策日一行）"
    ),
    "count.positives": Words("{n} of them with an account that left", "其中离网 {n} 行"),
    "label": Words("What counts as leaving", "离网的定义"),
    "label.window": Words(
        "All lines that were active on the decision date ended by choice, the last of them within "
        "{horizon} days that begin {gap} days after the decision date.",
        "决策日在用的线路全部主动终止，且最后一条终止于决策日 {gap} 天之后的 {horizon} 天之内。",
    ),
    "label.unknown": Words(
        "The window in which leaving was counted is not recorded with this model.",
        "此模型没有记录离网的统计窗口。",
    ),
    "dates": Words("Decision dates", "决策日"),
    "dates.train": Words("Training: {dates}.", "训练：{dates}。"),
    "dates.holdout": Words(
        "Held out, later in time and never seen in training: {dates}.",
        "留出检验（时间在后，训练从未使用）：{dates}。",
    ),
    "dates.none": Words("No decision dates are recorded with this model.", "此模型没有记录决策日。"),
    "misuse": Words("What it must not be used for", "不得用于"),
    "misuse.contact": Words(
        "As a reason in itself to contact somebody: a high risk does not say that a call helps.",
        "仅凭风险高就联系客户：风险高不等于联系有用。",
    ),
    "misuse.credit": Words(
        "Credit, collection or the price that an account is quoted.", "授信、催收或对客户的报价。"
    ),
    "misuse.people": Words("Judging the people who serve an account.", "评价服务客户的员工。"),
    "misuse.others": Words(
        "Accounts outside the population above, or another window than the one above.",
        "上述对象之外的客户，或上述窗口之外的时间。",
    ),
    "limits": Words("Known limits", "已知局限"),
    "limits.none": Words("No limits were recorded in training.", "训练时没有记录局限。"),
    "limits.censored": Words(
        "On {date} left out as neither leaving nor staying: {counts}.",
        "{date} 既不算离网也不算留网而未计入：{counts}。",
    ),
    "limits.null": Words("Not fed, for want of data: {name} ({why}).", "因缺数据而未使用：{name}（{why}）。"),
    # quality
    "quality": Words("How good it is", "模型效果"),
    "quality.intervals": Words(
        "Intervals are 95 % bootstrap intervals over accounts. The held-out column is the honest one.",
        "区间为按客户自助抽样的 95% 区间。应以留出检验一列为准。",
    ),
    "quality.none": Words(
        "No measurements are recorded with this model, so nothing is known of how good it is.",
        "此模型没有记录任何检验结果，效果未知。",
    ),
    "quality.base": Words("On held-out dates {share} of accounts left.", "留出检验中有 {share} 的客户离网。"),
    "quality.table": Words("Measurements, with intervals", "检验指标及区间"),
    "quality.reading": Words("In plain words", "通俗解读"),
    "metric": Words("Measure", "指标"),
    "holdout": Words("Held out", "留出检验"),
    "train_out_of_fold": Words("Training, out of fold", "训练（折外）"),
    "base_rate": Words("Share that left", "离网比例"),
    "champion": Words("Against the model in use", "与现用模型比较"),
    "champion.none": Words(
        "No model was in use when this one was trained, so there is nothing to compare it with.",
        "训练此模型时没有现用模型，无从比较。",
    ),
    "champion.better": Words(
        "{metric} differs by {difference} from model {bundle}: better on the same accounts.",
        "{metric}与模型 {bundle} 相差 {difference}：在同一批客户上更好。",
    ),
    "champion.worse": Words(
        "{metric} differs by {difference} from model {bundle}: worse on the same accounts.",
        "{metric}与模型 {bundle} 相差 {difference}：在同一批客户上更差。",
    ),
    "champion.same": Words(
        "{metric} differs by {difference} from model {bundle}: the two cannot be told apart.",
        "{metric}与模型 {bundle} 相差 {difference}：两者无法区分。",
    ),
    "champion.unmeasured": Words(
        "The difference from model {bundle} was not measured.", "与模型 {bundle} 的差异未测。"
    ),
    "gains": Words("Whom a call list reaches", "名单覆盖"),
    "gains.text": Words(
        "Calling the top {share} of the list reaches {captured} of all who will leave.",
        "联系名单前 {share} 的客户，可覆盖 {captured} 的离网客户。",
    ),
    "gains.caption": Words(
        "Share of leavers reached when the list is worked from the top; the dashed line is a random order",
        "自上而下联系名单时覆盖的离网客户比例；虚线为随机顺序",
    ),
    "gains.none": Words("Gains were not measured.", "名单覆盖未测。"),
    "gains.share": Words("Share of accounts called", "联系客户比例"),
    "gains.captured": Words("Share of leavers reached", "覆盖离网客户比例"),
    "gains.lift": Words("Times better than random", "相对随机的倍数"),
    "calibration": Words("Can the probabilities be taken at their word", "概率是否可信"),
    "calibration.text": Words(
        "In {inside} of {groups} groups the forecast lies within the interval of what happened.",
        "{groups} 组中有 {inside} 组的预测落在实际结果的区间内。",
    ),
    "calibration.caption": Words(
        "Forecast against what happened, in groups of equal size; on the dashed line the two agree",
        "按等量分组的预测与实际；在虚线上两者一致",
    ),
    "calibration.none": Words("Calibration was not measured.", "校准情况未测。"),
    "calibration.score": Words("Mean forecast", "平均预测概率"),
    "calibration.left": Words("Share that left", "实际离网比例"),
    "calibration.taken": Words("Share that was taken", "实际办理比例"),
    "interval": Words("95 % interval", "95% 区间"),
    "count": Words("Accounts", "客户数"),
    "slices": Words("Does it hold over time", "各期表现"),
    "slices.text": Words(
        "Each row is one decision date. Intervals that overlap do not speak of a change.",
        "每行为一个决策日。区间重叠时不能说明有变化。",
    ),
    "slices.caption": Words("Measurements by decision date, with intervals", "各决策日的指标及区间"),
    "slices.none": Words("No measurements by decision date are recorded.", "没有记录各决策日的指标。"),
    "slices.date": Words("Decision date", "决策日"),
    # drivers
    "drivers": Words("What drives it", "影响因素"),
    "drivers.text": Words(
        "Shares say how much the model relies on something, not that it makes accounts leave.",
        "占比表示模型依赖的程度，并不说明因果。",
    ),
    "drivers.none": Words("What drives the model was not measured.", "影响因素未测。"),
    "families.caption": Words("Share of the model's reliance, by kind of signal", "各类信号在模型中的占比"),
    "families.family": Words("Kind of signal", "信号类别"),
    "drivers.share": Words("Share", "占比"),
    "features.caption": Words("The signals it relies on most", "模型最依赖的信号"),
    "features.feature": Words("Signal", "信号"),
    "features.median": Words("Median account", "中位客户"),
    "features.unit": Words("Unit", "单位"),
    # the list
    "list": Words("The at-risk list", "预警名单"),
    "list.none": Words("No at-risk list was made for this report.", "本报告没有附预警名单。"),
    "list.empty": Words("The at-risk list is empty on this date.", "当日预警名单为空。"),
    "list.text": Words(
        "The first {shown} of {total} accounts, by margin at risk.",
        "按面临风险的毛利排序，共 {total} 个客户，列出前 {shown} 个。",
    ),
    "list.as_of": Words("Decision date: {date}.", "决策日：{date}。"),
    "list.edges": Words(
        "High means a probability of {high} and above, medium of {medium} and above.",
        "“高”为概率 {high} 及以上，“中”为 {medium} 及以上。",
    ),
    "list.caption": Words("Accounts at risk", "预警客户"),
    "list.rank": Words("Rank", "名次"),
    "list.account": Words("Account", "客户"),
    "list.site": Words("Site", "地址"),
    "list.band": Words("Risk", "风险"),
    "list.p_churn": Words("Probability of leaving", "离网概率"),
    "list.margin": Words("Margin at risk{currency}", "面临风险的毛利{currency}"),
    "list.reasons": Words("Reasons", "原因"),
    # provenance
    "provenance": Words("Where it comes from", "来源"),
    "provenance.none": Words("Nothing is recorded of where this model comes from.", "没有记录模型来源。"),
    "provenance.bundle_id": Words("Model bundle", "模型包"),
    "provenance.store_id": Words("Data store", "数据库"),
    "provenance.feature_hash": Words("Feature definitions", "特征定义"),
    "provenance.tuned": Words("Settings were searched for", "参数经过搜索"),
    "provenance.versions": Words("Library versions", "软件版本"),
    "provenance.parameters": Words("Model settings", "模型参数"),
    "provenance.config": Words("Training configuration", "训练配置"),
    "provenance.name": Words("Name", "名称"),
    "provenance.value": Words("Value", "值"),
}

MODELS: Mapping[str, Words] = {"churn": Words("churn", "离网")}
BANDS: Mapping[str, Words] = {
    "high": Words("high", "高"),
    "medium": Words("medium", "中"),
    "low": Words("low", "低"),
}
OUTCOMES: Mapping[str, Words] = {
    "left not by choice": Words("left not by choice", "非主动离网"),
    "left before the window": Words("left before the window", "窗口之前已离网"),
}
UNITS: Mapping[str, Words] = {
    "count": Words("count", "个"),
    "days": Words("days", "天"),
    "minutes": Words("minutes", "分钟"),
    "seconds": Words("seconds", "秒"),
    "mb": Words("MB", "MB"),
    "share": Words("share", "比例"),
    "trend": Words("trend", "趋势"),
    "index": Words("index", "指数"),
    "code": Words("category", "类别"),
    "stage": Words("stage", "阶段"),
    "band": Words("band", "分档"),
    "segment": Words("segment", "细分"),
    "flag": Words("yes or no", "是否"),
}
METRICS: Mapping[str, Words] = {
    "auc": Words("AUC", "AUC"),
    "average_precision": Words("Average precision", "平均精度"),
    "lift_at_10": Words("Lift in the top tenth", "前 10% 提升度"),
    "brier": Words("Brier score", "Brier 分数"),
    "log_loss": Words("Log loss", "对数损失"),
    "ece": Words("Calibration error (ECE)", "校准误差 (ECE)"),
}
READINGS: Mapping[str, Words] = {
    "auc": Words(
        "Of 100 pairs of one account that left and one that stayed, the model ranks the one that left "
        "higher in about {of_100}; a coin would in 50.",
        "任取一个离网客户和一个留网客户，100 对中约有 {of_100} 对模型把离网者排在前面；随机为 50 对。",
    ),
    "average_precision": Words(
        "Working down the list to each account that leaves, on average {of_100} of 100 called by then "
        "are leaving; in random order about {base_of_100} of 100.",
        "自上而下联系到每个离网客户时，平均每 100 个已联系者中有 {of_100} 个将离网；"
        "随机顺序约 {base_of_100} 个。",
    ),
    "lift_at_10": Words(
        "Of 100 accounts called from the top tenth of the list, about {top_of_100} will leave, against "
        "{base_of_100} at random.",
        "从名单前 10% 联系 100 个客户，约有 {top_of_100} 个将离网；随机联系则约 {base_of_100} 个。",
    ),
    "brier": Words(
        "The mean squared error of the forecasts, lower is better; telling everybody the same share "
        "would give {base_brier}.",
        "预测的均方误差，越低越好；对所有客户报同一比例时为 {base_brier}。",
    ),
    "log_loss": Words(
        "How surprised the forecasts were by what happened, lower is better; telling everybody the same "
        "share would give {base_log_loss}.",
        "预测对实际结果的意外程度，越低越好；对所有客户报同一比例时为 {base_log_loss}。",
    ),
    "ece": Words(
        "On average a group's forecast is {points} percentage points away from the share that left.",
        "各组预测与实际离网比例平均相差 {points} 个百分点。",
    ),
}
READINGS_WITHOUT_BASE: Mapping[str, Words] = {
    "average_precision": Words(
        "Working down the list to each account that leaves, on average {of_100} of 100 called by then "
        "are leaving.",
        "自上而下联系到每个离网客户时，平均 100 个已联系者中有 {of_100} 个将离网。",
    ),
    "lift_at_10": Words(
        "The top tenth of the list holds {times} times as many leavers as a random tenth.",
        "名单前 10% 的离网客户是随机 10% 的 {times} 倍。",
    ),
    "brier": Words("The mean squared error of the forecasts, lower is better.", "预测的均方误差，越低越好。"),
    "log_loss": Words(
        "How surprised the forecasts were by what happened, lower is better.",
        "预测对实际结果的意外程度，越低越好。",
    ),
}


def say(language: Language, key: str, **fields: object) -> str:
    """The sentence of this key in this language, its fields filled.

    Examples
    --------
    >>> say("en", "quality.base", share="3.0 %")
    'On held-out dates 3.0 % of accounts left.'
    """
    return SENTENCES[key].in_language(language).format(**fields)


def named(words: Mapping[str, Words], name: object, language: Language) -> str:
    """A known name in this language; an unknown one as it is.

    Examples
    --------
    >>> named(BANDS, "high", "zh"), named(BANDS, "odd", "zh")
    ('高', 'odd')
    """
    known = words.get(str(name))
    return known.in_language(language) if known else str(name)
