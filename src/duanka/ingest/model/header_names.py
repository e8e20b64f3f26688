"""Column names of operators, exchanges and switchboards, Chinese and English."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import cache
from typing import NamedTuple


class Meaning(StrEnum):
    """Meaning of a delivered column, independent of the table it will feed."""

    OWN = "own"  # the subscriber who owns the record
    CALLER = "caller"
    CALLED = "called"
    PEER = "peer"  # the other party, in either direction
    DIRECTION = "direction"
    SERVICE = "service"  # calls, messages or data
    WHEN = "when"  # time, day or time of day, depending on the values
    ANSWERED_AT = "answered_at"
    ENDED_AT = "ended_at"
    DURATION = "duration"
    ANSWERED = "answered"
    IMEI = "imei"
    CALLER_IMEI = "caller_imei"
    CALLED_IMEI = "called_imei"
    IMSI = "imsi"
    ICCID = "iccid"
    AREA = "area"  # location area
    CELL = "cell"
    CITY = "city"
    FORWARDED_FROM = "forwarded_from"
    HOLDER = "holder"
    HOLDER_KIND = "holder_kind"
    OPERATOR = "operator"
    VIRTUAL = "virtual_operator"
    KIND = "kind"
    OPENED = "opened_at"
    OUTLET = "outlet"
    OUTLET_NAME = "name"
    HOME_CITY = "home_city"
    LAST_USED = "last_used_at"
    VERIFIED = "verified_at"
    BOUND_IMEI = "bound_imei"
    AGE_BAND = "age_band"
    BYTES = "bytes"
    BYTES_UP = "bytes_up"
    BYTES_DOWN = "bytes_down"
    CASE = "case_id"
    CONFIRMED = "confirmed_at"
    CASE_SOURCE = "source"
    FRAUD_KIND = "fraud_kind"
    REPORTED = "reported_at"
    CHANNEL = "channel"
    CATEGORY = "category"
    INDICATOR = "indicator"
    PLATFORM = "platform"
    ACCOUNT = "account"
    BOUND_AT = "bound_at"
    RING = "ring"
    CERTAINTY = "certainty"
    SINCE = "since"
    LIFT = "lift"
    TOGETHER = "together"


# Names as returned by `plain`, best first: of two columns with such names, the one listed first is meant.
_NAMES: dict[Meaning, str] = {
    Meaning.OWN: (
        "card 计费号码 本机号码 用户号码 服务号码 业务号码 手机号码 本端号码 己方号码 计费用户号码 "
        "用户手机号 用户手机号码 本方号码 机主号码 涉案号码 被举报号码 被投诉号码 手机号 电话号码 号码 "
        "电话 msisdn servedmsisdn subscriber subscribernumber billingnumber chargenumber billnumber "
        "servicenumber usernumber userno accnbr accnum serialnumber devicenumber phonenumber phoneno "
        "mobilenumber mobileno mobile phone telnum telno number"
    ),
    Meaning.CALLER: (
        "主叫号码 主叫 主叫方 主叫方号码 主叫用户号码 主叫用户 主叫手机号 主叫手机号码 主叫电话 "
        "发送方号码 发送号码 发送方 src caller callernumber callingnumber callingpartynumber callingparty "
        "calling calleridnumber calleridnum callerid anumber anum aparty apartynumber origcallingnumber "
        "orignumber callerno callingno callermsisdn sender sourcenumber from"
    ),
    Meaning.CALLED: (
        "被叫号码 被叫 被叫方 被叫方号码 被叫用户号码 被叫用户 被叫手机号 被叫手机号码 被叫电话 "
        "接收方号码 接收号码 接收方 dst callee calleenumber callednumber calledpartynumber calledparty "
        "called destinationnumber destination dialednumber dialleddigits bnumber bnum bparty bpartynumber "
        "termnumber calledno calleeno calledmsisdn receiver recipient destnumber to"
    ),
    Meaning.PEER: (
        "peer 对方号码 对端号码 对方电话号码 对方电话 对方手机号 对方手机号码 对方用户号码 对端用户号码 "
        "通话对方号码 通信对方号码 对方 对端 peernumber othernumber otherparty otherpartynumber oppnumber "
        "oppositenumber oppno oppositeno opposite counterpart counterparty contactnumber"
    ),
    Meaning.DIRECTION: (
        "direction 主被叫标识 主被叫类型 主被叫标志 主被叫 呼叫方向 通话方向 收发标识 收发类型 收发方向 "
        "短信方向 呼叫类型 通话类型 通话方式 通信方式 通信类型 话单类型 呼叫标识 短信类型 方向 "
        "calldirection callflag calltype cdrtype calltypecode recordtype inout mocmtc calltypeid type "
        "eventtype"
    ),
    Meaning.SERVICE: (
        "业务类型 业务类别 业务种类 通信业务类型 服务类型 servicetype servicekind service teleservice "
        "telesrvc bearerservice eventtype 通信类型 话单类型 recordtype cdrtype"
    ),
    Meaning.WHEN: (
        "startedat sentat seenat day 起始时间 开始时间 通话开始时间 通话起始时间 呼叫开始时间 "
        "呼叫起始时间 起呼时间 呼叫时间 发起时间 通信时间 通信起始时间 通信开始时间 发送时间 短信时间 "
        "收发时间 发生时间 起始日期 开始日期 通话日期 呼叫日期 通信日期 发送日期 话单日期 发生日期 "
        "位置更新时间 更新时间 上线时间 接入时间 附着时间 统计日期 通话时刻 时刻 通话时间 日期 时间 账期 "
        "starttime startdatetime callstarttime calldate startstamp start begintime callbegintime "
        "starttimestamp startts callts setuptime seizuretime chargingtm chargingtime eventtime "
        "eventtimestamp timestamp datetime calltime sendtime sentdate smstime attachtime seentime "
        "startdate callday date dt statdate statdt datadate time ts"
    ),
    Meaning.ANSWERED_AT: ("应答时间 接通时间 摘机时间 answertime answerstamp answer answeredat connecttime"),
    Meaning.ENDED_AT: (
        "结束时间 终止时间 通话结束时间 通话终止时间 挂机时间 endtime endstamp end endedat releasetime "
        "hanguptime stoptime callendtime enddatetime"
    ),
    Meaning.DURATION: (
        "seconds 通话时长 计费时长 通话秒数 时长 通话时长秒 呼叫时长 通话长度 持续时间 持续时长 时长秒 "
        "通话时间 billsec talktime talkduration conversationtime billableseconds billduration "
        "chargeduration chargedduration callduration durationsec durationseconds durationms callseconds "
        "duration calllength dur"
    ),
    Meaning.ANSWERED: (
        "answered 是否接通 接通标志 接通标识 是否应答 接通状态 通话状态 呼叫结果 通话结果 呼叫状态 "
        "disposition isanswered answerflag connected callresult callstatus"
    ),
    Meaning.IMEI: (
        "imei imei号 imei码 imei号码 终端imei 设备imei 手机串号 终端串号 设备串号 设备号 终端号 终端标识 "
        "终端设备号 servedimei imeisv equipmentid terminalid deviceid"
    ),
    Meaning.CALLER_IMEI: "主叫imei 主叫终端imei callerimei callingimei aimei",
    Meaning.CALLED_IMEI: "被叫imei 被叫终端imei calledimei calleeimei bimei",
    Meaning.IMSI: "imsi imsi号 imsi码 imsi号码 用户imsi servedimsi imsinumber",
    Meaning.ICCID: "iccid iccid号 iccid号码 sim卡号 sim卡串号 卡串号 uim卡号 ccid simno simcardno",
    Meaning.AREA: ("lac tac 位置区 位置区码 位置区编码 位置区号 locationarea locationareacode laccode"),
    Meaning.CELL: (
        "cell 小区 小区编号 小区编码 小区标识 小区号 小区id 小区代码 基站小区 基站小区编号 基站 基站编号 "
        "基站编码 基站代码 基站号 基站id 起始小区 cellid cellcode cgi ecgi eci ci enodebid celltower "
        "basestation bts bsid nodeid cellno"
    ),
    Meaning.CITY: (
        "city 通话地代码 通话地编码 通话城市编码 通话城市 通话地市 通话地点 通话地 发生地 漫游地 漫游地市 "
        "漫游城市 拜访地 拜访地市 位置地市 城市编码 城市代码 城市 地市编码 地市代码 地市 地区编码 "
        "地区代码 行政区划代码 行政区划编码 行政区划 区划代码 区域代码 citycode cityid citycd visitcity "
        "visitedcity roamcity roamingcity regioncode districtcode adcode"
    ),
    Meaning.FORWARDED_FROM: (
        "forwardedfrom 前转号码 呼转号码 呼叫转移号码 转接号码 转移号码 原被叫号码 原始被叫号码 "
        "forwardingnumber redirectingnumber originalcallednumber forwardnumber"
    ),
    Meaning.HOLDER: (
        "holder 证件号码 证件号 证件编号 身份证号码 身份证号 身份证 机主证件号码 机主证件号 客户证件号码 "
        "客户证件号 机主身份证号 idnumber idcard idcardno idcardnumber idno certno certid certnumber "
        "certcode certificateno certificatenumber documentnumber documentno psptid"
    ),
    Meaning.HOLDER_KIND: (
        "holderkind 客户类型 客户性质 用户性质 机主类型 公私标识 holdertype customertype custtype custkind"
    ),
    Meaning.OPERATOR: "operator 运营商 所属运营商 归属运营商 运营商名称 carrier",
    Meaning.VIRTUAL: (
        "virtualoperator 是否虚商 虚商标识 是否虚拟运营商 虚拟运营商标识 虚拟运营商 是否转售 isvirtual "
        "mvno ismvno"
    ),
    Meaning.KIND: "kind 卡类型 号卡类型 号码类型 用户类型 卡种 cardtype cardkind simtype",
    Meaning.OPENED: (
        "openedat 开户时间 入网时间 开卡时间 激活时间 开户日期 入网日期 开卡日期 激活日期 opentime "
        "opendate openingdate activationdate activationtime activatedat activatedate innetdate innettime "
        "joindate"
    ),
    Meaning.OUTLET: (
        "outlet 营业网点 开户网点 网点编码 网点编号 网点代码 受理网点 办理网点 入网网点 网点 营业厅编码 "
        "营业厅 渠道编码 渠道编号 开户渠道 入网渠道 渠道 outletid outletcode shopid shop storeid store "
        "dealerid dealer channelcode channelid orgid"
    ),
    Meaning.OUTLET_NAME: (
        "name 网点名称 营业厅名称 渠道名称 门店名称 outletname shopname storename channelname"
    ),
    Meaning.HOME_CITY: (
        "homecity 归属地 归属地市 归属城市 归属地编码 归属地代码 号码归属地 开户地 开户地市 开户城市 "
        "入网地 入网地市 homearea homecitycode belongcity attributioncity"
    ),
    Meaning.LAST_USED: (
        "lastusedat 最后使用时间 最近使用时间 最后通话时间 最近通话时间 最后一次使用时间 lastused "
        "lastusetime lastcalltime"
    ),
    Meaning.VERIFIED: (
        "verifiedat 实名核验时间 实名时间 实名认证时间 最近实名时间 核验时间 二次核验时间 verifytime "
        "verifiedtime realnametime"
    ),
    Meaning.BOUND_IMEI: "boundimei 绑定imei 绑定设备 机卡绑定imei bindimei lockedimei",
    Meaning.AGE_BAND: "ageband 年龄段 年龄区间 年龄分段 年龄组 agegroup agerange",
    Meaning.BYTES: (
        "bytes 总流量 流量 上网流量 流量字节 使用流量 数据流量 totalbytes bytestotal totalvolume "
        "datavolume volume traffic totaltraffic datausage flow totalflow"
    ),
    Meaning.BYTES_UP: (
        "上行流量 上行字节 bytesup uplinkbytes uplinkvolume uploadbytes upvolume datavolumeuplink upflow"
    ),
    Meaning.BYTES_DOWN: (
        "下行流量 下行字节 bytesdown downlinkbytes downlinkvolume downloadbytes downvolume "
        "datavolumedownlink downflow"
    ),
    Meaning.CASE: "caseid 案件编号 案件号 案件编码 涉案编号 caseno casenumber",
    Meaning.CONFIRMED: ("confirmedat 确认时间 涉案时间 涉案确认时间 认定时间 confirmtime confirmedtime"),
    Meaning.CASE_SOURCE: "source 来源 通报单位 推送单位 数据来源 来源单位",
    Meaning.FRAUD_KIND: "fraudkind 诈骗类型 诈骗类别 诈骗手法 案件类型 案件类别 fraudtype scamtype casetype",
    Meaning.REPORTED: (
        "reportedat 投诉时间 举报时间 受理时间 投诉日期 举报日期 complainttime reporttime reportedtime "
        "complaintdate"
    ),
    Meaning.CHANNEL: ("channel 投诉渠道 举报渠道 举报来源 投诉来源 受理渠道 complaintchannel reportchannel"),
    Meaning.CATEGORY: (
        "category 投诉类型 举报类型 诈骗类型 投诉分类 举报分类 投诉类别 complainttype reporttype"
    ),
    Meaning.INDICATOR: "indicator 涉诈网址 诈骗网址 涉诈域名 诈骗域名 举报网址 涉诈账号 诈骗账号",
    Meaning.PLATFORM: "platform 平台 平台名称 应用 应用名称 互联网平台 app appname",
    Meaning.ACCOUNT: (
        "account 账号 帐号 平台账号 平台帐号 互联网账号 用户账号 accountid accountname accountno"
    ),
    Meaning.BOUND_AT: "boundat 绑定时间 注册时间 bindtime bindingtime registertime registeredat",
    Meaning.RING: "ring 团伙编号 团伙 关联组",
    Meaning.CERTAINTY: "certainty 关联把握 把握",
    Meaning.SINCE: "since 首次关联时间",
    Meaning.LIFT: "lift 同行倍数",
    Meaning.TOGETHER: "together 同批张数",
}
_SHORTEST_WITHIN = 2  # minimum Chinese characters of a name that may match within a longer header
_SHORTEST_WITHIN_LATIN = 4
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

_BRACKETS = re.compile(r"[(\[{<【〔《](.*?)[)\]}>】〕》]")
_BETWEEN = re.compile(r"[\s_\-/:：.*#\"'`|,，、。;；\ufeff]+")


class Named(NamedTuple):
    """A possible meaning of a header; `exact`: a known name, `rank`: lower is better."""

    meaning: Meaning
    exact: bool
    rank: int


def plain(header: str) -> str:
    """Normalise a header: no case, width, punctuation, brackets, or Hive's `table.`."""
    text = unicodedata.normalize("NFKC", header).strip()
    if re.fullmatch(r"[A-Za-z_]\w*[.]\S+", text):
        text = text.rpartition(".")[2]
    return _BETWEEN.sub("", _BRACKETS.sub("", text)).lower()


def brackets(header: str) -> str:
    """Text in brackets in a header, such as a unit or meanings of codes; "" for none."""
    return " ".join(_BRACKETS.findall(unicodedata.normalize("NFKC", header))).lower()


@cache
def meanings(header: str) -> tuple[Named, ...]:
    """Possible meanings of `header`, likeliest first; () if it contains no known name."""
    text = plain(header)
    exact = [Named(meaning, True, names[text]) for meaning, names in _ranks().items() if text in names]
    if exact or not text:
        return tuple(exact)
    words = _words(header)
    within = [
        Named(meaning, False, len(text) - len(name))
        for meaning, names in _ranks().items()
        for name in names
        if (name in words if name.isascii() else len(name) >= _SHORTEST_WITHIN and name in text)
    ]
    best: dict[Meaning, Named] = {}
    for one in sorted(within, key=lambda one: one.rank):
        best.setdefault(one.meaning, one)
    # the longest contained name decides: 主叫号码归属地 is a place, not a number
    least = min((one.rank for one in best.values()), default=0)
    return tuple(one for one in best.values() if one.rank == least)


def _words(header: str) -> frozenset[str]:
    """Latin words of a header, single and joined: in `read_codec`, adcode is no word."""
    text = _BRACKETS.sub("", unicodedata.normalize("NFKC", header))
    found = [word.lower() for word in _WORD.findall(text)]
    runs = ("".join(found[at:end]) for at in range(len(found)) for end in range(at + 1, len(found) + 1))
    return frozenset(run for run in runs if len(run) >= _SHORTEST_WITHIN_LATIN)


@cache
def _ranks() -> dict[Meaning, dict[str, int]]:
    return {meaning: {name: at for at, name in enumerate(names.split())} for meaning, names in _NAMES.items()}
