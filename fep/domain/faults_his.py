"""Faults of the dialects that business systems speak: a code that means nothing here."""

from __future__ import annotations

from fep.domain.faults import Fault

CATALOGUE: tuple[Fault, ...] = (
    Fault("HIS_METHOD", "接口 {method} 未提供", "Method {method} is not offered",
          "请查看手册 medical-web、standard-web，或联系维护人员",
          "See the manual, medical-web or standard-web, or ask the technician"),
    Fault("HIS_UNIT", "接入账号 {appid} 没有对应的开票单位", "Caller {appid} has no unit",
          "请设置：fepctl callers change --appid {appid} --his unit=单位（或 fep.toml）",
          "Set it: fepctl callers change --appid {appid} --his unit=UNIT, or in fep.toml"),
    Fault("HIS_POINT", "开票点 {place} 没有对应", "placeCode {place} stands for no point",
          "请设置：fepctl callers change --appid 账号 --his points.{place}=开票点（或 fep.toml）",
          "Set it: fepctl callers change --appid APPID --his points.{place}=POINT, or in fep.toml"),
    Fault("HIS_KIND", "业务标识或票据种类“{bus_type}”没有对应的票据种类",
          "busType or billCode \"{bus_type}\" stands for no kind of receipt",
          "请设置：fepctl callers change --appid 账号 --his kinds.{bus_type}=种类（或 fep.toml）",
          "Set it: fepctl callers change --appid APPID --his kinds.{bus_type}=KIND, or in "
          "fep.toml"),
    Fault("HIS_PENDING", "业务流水号 {key} 正在开票", "busNo {key} is being issued",
          "请稍候再查", "Ask again in a moment", retryable=True),
    Fault("HIS_REFUSED", "业务流水号 {key} 未开票（{why}）", "busNo {key} was not issued ({why})",
          "请用同一流水号重新开票", "Issue it again with the same busNo", retryable=True),
    Fault("HIS_SHEETS", "没有代码为 {code} 的纸质票", "There are no sheets of code {code}",
          "请核对纸质票代码，或导入号段：fepctl numbers import --sheet",
          "Check the code, or import sheets: fepctl numbers import --sheet"),
    Fault("HIS_MANY", "时间范围内的票据超过 {limit} 张", "More than {limit} receipts in that time",
          "请缩短时间范围", "Ask for a shorter time"),
    Fault("HIS_RANGE", "查询时间范围不对：{first} 至 {last}",
          "Not a range of time: {first} to {last}",
          "起不晚于止，且不超过 {days} 天", "First not after last, at most {days} days"),
)  # fmt: skip
