import { beforeEach, describe, expect, it } from "vitest";

import { timeline } from "@/card/timeline";
import { moment, span, useZone } from "@/parts/times";
import { filtersOf, parameters } from "@/queue/filters";
import { after, place } from "@/queue/place";

describe("times", () => {
  beforeEach(() => useZone("Asia/Shanghai"));

  it("are the operator's, whatever the machine's zone is", () => {
    expect(moment("2026-11-30T00:37:17.712Z")).toBe("2026-11-30 08:37");
    useZone("Asia/Urumqi");
    expect(moment("2026-11-30T20:37:17.712Z")).toBe("2026-12-01 02:37");
  });

  it.each([
    [0, "0:00"], [59_000, "0:00"], [45 * 60_000, "0:45"], [-45 * 60_000, "0:45"], [47.5 * 3_600_000, "47:30"], [76 * 3_600_000, "3d 4h"],
  ])("span %d ms is %s", (milliseconds, said) => expect(span(milliseconds, "en")).toBe(said));

  it("spans are said in Chinese", () => expect(span(76 * 3_600_000, "zh")).toBe("3天 4小时"));
});

describe("filters in the address", () => {
  it("leave out what they do not know", () => {
    expect(filtersOf({ sort: "nonsense", tier: "high", page: "7", overdue: null })).toEqual({ sort: "due", tier: "high", overdue: true });
  });
  it("ask for open orders unless closed ones are wanted, too", () => {
    expect(parameters({ sort: "due", tier: "high" })).toEqual({ sort: "due", tier: "high", open: true });
    expect(parameters({ sort: "updated", closed: true })).toEqual({ sort: "updated" });
  });
});

describe("the next case", () => {
  beforeEach(() => Object.assign(place, { orders: ["V1", "V2", "V3"], at: 0 }));
  it("is the one below in the list that was left", () => expect(after("V2")).toBe("V3"));
  it("is none after the last, and none for who came by a link", () => {
    expect(after("V3")).toBeNull();
    expect(after("V9")).toBeNull();
  });
});

describe("the line of time", () => {
  it("has trail, notices and the network's answers in one order, the latest first, and no looks", () => {
    const step = (seq: number, at: string, what: string, state: string) => ({ seq, at, who: "wang", role: "desk", what, why: "", before: {}, after: { state } });
    const rows = timeline({
      trail: [step(1, "2026-01-01T00:00:00Z", "order.open", "opened"), step(2, "2026-01-01T03:00:00Z", "read.order", "")],
      notices: [{ template: "verify", createdAt: "2026-01-01T00:00:01Z", sentAt: "2026-01-01T01:00:00Z", receiptAt: null, outcome: "delivered", text: "…", error: null }],
      legs: [{ element: "home_register", step: 1, wanted: "suspended", createdAt: "2026-01-01T00:30:00Z", tries: 1, doneAt: null, outcome: null, error: "no answer" }],
    } as unknown as Parameters<typeof timeline>[0]);
    expect(rows.map((row) => row.of)).toEqual(["notice", "leg", "trail"]);
  });
});
