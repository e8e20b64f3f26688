// In Chinese: what several pages say.

export const common = {
  product: "断卡",
  console: "工作台",
  loading: "正在读取…",
  again: "重试",
  cancel: "取消",
  close: "关闭",
  unknown: "未知",
  none: "无",
  all: "全部",
  yes: "是",
  no: "否",
  skipToContent: "跳到正文",
  asOf: "截至 {time}",
  stale: "与服务的连接已断开，显示的可能不是最新。正在重新连接…",
};
