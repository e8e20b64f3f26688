// In English: what several pages say.

import type { common as words } from "../zh/common";

export const common: typeof words = {
  product: "Duanka",
  console: "console",
  loading: "Reading…",
  again: "Try again",
  cancel: "Cancel",
  close: "Close",
  unknown: "unknown",
  none: "none",
  all: "all",
  yes: "yes",
  no: "no",
  skipToContent: "Skip to the content",
  asOf: "as of {time}",
  stale: "The connection to the service is lost: what you see may be old. Connecting again…",
};
