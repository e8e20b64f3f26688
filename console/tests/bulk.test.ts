import { describe, expect, it } from "vitest";
import { ref } from "vue";

import { type BulkAct, onTheWay, type Progress } from "@/acts/acts";
import { firstUnseen, useReading } from "@/acts/reading";
import { noticed, story } from "@/acts/story";
import { midnight, useZone } from "@/parts/times";
import { asked, type Preview, proposed } from "@/queue/bulk";
import { EVERYTHING, has, NOTHING, range, size, toggle, useSelection } from "@/queue/selection";
import { counted, facets, type Held, matching, WHOLE } from "@/takes/takes";

const IDS = ["V1", "V2", "V3", "V4", "V5"];

describe("a selection", () => {
  it("has what was toggled, and of all what was not", () => {
    const two = toggle(toggle(NOTHING, "V1"), "V3");
    expect([has(two, "V1"), has(two, "V2"), size(two, 9)]).toEqual([true, false, 2]);
    expect(size(toggle(two, "V1"), 9)).toBe(1);
    const butOne = toggle(EVERYTHING, "V2");
    expect([has(butOne, "V2"), has(butOne, "V9"), size(butOne, 4819)]).toEqual([false, true, 4818]);
  });
  it("of a range does in both directions as its first row is", () => {
    const begun = toggle(NOTHING, "V4");
    expect(IDS.filter((id) => has(range(begun, IDS, 3, 1), id))).toEqual(["V2", "V3", "V4"]);
    const without = toggle(EVERYTHING, "V2");
    expect(IDS.filter((id) => has(range(without, IDS, 1, 2), id))).toEqual(["V1", "V4", "V5"]);
  });
  it("is extended from the row that was toggled last, by keyboard from where the cursor was", () => {
    const list = useSelection(ref(IDS), ref(5));
    list.extend(1, 0);
    list.extend(2, 1);
    expect([...list.selection.value.rows]).toEqual(["V1", "V2", "V3"]);
    list.clear();
    list.toggle(4);
    list.extend(3, 0);
    expect(list.many.value).toBe(2);
    list.all();
    expect(list.many.value).toBe(5);
  });
});

describe("a bulk action for orders", () => {
  const preview = {
    items: [
      { orderId: "V1", leftOut: "protected" }, { orderId: "V2", leftOut: null }, { orderId: "V3", leftOut: null }, { orderId: "V4", leftOut: null },
    ],
  } as Preview;
  it("names ids, or the filter as it is seen", () => {
    expect(asked("suspend", toggle(NOTHING, "V1"), { sort: "due" })).toEqual({ event: "suspend", orderIds: ["V1"] });
    expect(asked("suspend", EVERYTHING, { sort: "weight", tier: "high", overdue: true })).toEqual({
      event: "suspend", matching: { tier: "high", overdue: true, open: true },
    });
    expect(asked("suspend", EVERYTHING, { sort: "due", closed: true })).toEqual({ event: "suspend", matching: {} });
  });
  it("is proposed without cards that are left alone, struck, or left out in the list", () => {
    expect(proposed(preview, NOTHING, new Set(["V3"]))).toEqual(["V2", "V4"]);
    expect(proposed(preview, toggle(EVERYTHING, "V2"), new Set())).toEqual(["V3", "V4"]);
  });
  it("ends on a day that begins where the operator is", () => {
    useZone("Asia/Shanghai");
    expect(midnight("2026-12-31")).toBe("2026-12-31T00:00:00+08:00");
    useZone("UTC");
    expect(midnight("2026-12-31")).toBe("2026-12-31T00:00:00+00:00");
    useZone("Asia/Shanghai");
  });
});

describe("an approval", () => {
  it("opens after each card was shown, however often one was", () => {
    const total = ref(3);
    const reading = useReading(ref("A1"), total);
    expect(reading.unseen.value).toBe(3);
    for (const line of [1, 3, 3]) reading.see(line);
    expect([reading.unseen.value, reading.next()]).toEqual([1, 2]);
    reading.see(2);
    expect([reading.unseen.value, reading.next()]).toEqual([0, null]);
    expect(useReading(ref("A2"), total).unseen.value, "of another act").toBe(3);
  });
  it("names struck cards by their lines", () => {
    const reading = useReading(ref("A3"), ref(20));
    for (const line of [11, 2, 5, 5]) reading.strike(line);
    expect(reading.without.value).toEqual(["#2", "#11"]);
  });
  it("waits for nobody where nothing is", () => expect(firstUnseen(new Set(), 0)).toBeNull());
});

describe("the story of a bulk action", () => {
  const act = {
    id: "A1", event: "suspend", state: "done", proposedBy: "wang", proposedAt: "p", approvedAt: "a", finishedAt: "f", total: 156, done: 155, skipped: 1, undoes: null, undoneBy: [],
  } as unknown as BulkAct;
  const say = { event: (event: string) => event, time: (at: string) => at, count: String };
  const told = (change: Partial<BulkAct>, undoing: BulkAct[] = []) => story({ ...act, ...change }, undoing, say).map((one) => one.key);
  const back = { ...act, id: "A2", event: "restore", undoes: "A1", proposedBy: "li" } as BulkAct;

  it("says how many cards, when, and what became of them", () => {
    expect(story(act, [], say)).toEqual([
      { key: "done", values: expect.objectContaining({ event: "suspend", at: "a", done: "155", skipped: "1" }) as Record<string, string> },
    ]);
    expect(told({ state: "proposed" })).toEqual(["proposed"]);
    expect(told({ state: "rejected" })).toEqual(["rejected"]);
    expect(told({ state: "running" })).toEqual(["running"]);
  });
  it("says who took it back, and what still takes a second person", () => {
    expect(told({ state: "undone" }, [back])).toEqual(["done", "back"]);
    expect(told({ state: "partly_undone" }, [back, { ...back, state: "proposed" }])).toEqual(["done", "back", "backProposed", "partly"]);
    expect(told({ state: "partly_undone" }, [{ ...back, state: "rejected" }])).toEqual(["done", "backRejected", "partly"]);
    expect(told({ undoes: "T1" })).toEqual(["ofTake", "done"]);
    expect(told({ undoes: "A9" })).toEqual(["ofAct", "done"]);
  });
});

describe("what followed in the network", () => {
  const progress = { elements: [{ element: "home_register", counts: { done: 3, waiting: 2 } }, { element: "call_proxy", counts: { done: 5 } }], notices: { waiting: 1, delivered: 4 } } as Progress;
  it("counts what is on its way", () => {
    expect(onTheWay(progress)).toBe(2);
    expect(onTheWay(undefined)).toBe(0);
  });
  it("tells notices that arrived first", () => expect(noticed(progress)).toEqual([["delivered", 4], ["waiting", 1]]));
});

describe("held decisions", () => {
  const held = [
    { tier: "high", rules: ["fan_out", "night_calls"], city: "130100" }, { tier: "high", rules: ["fan_out"], city: "130200" }, { tier: "medium", rules: ["night_calls"], city: "130100" },
  ] as unknown as Held[];
  it("are released by tier, rule and city, and at most so many", () => {
    expect(matching(held, WHOLE)).toHaveLength(3);
    expect(matching(held, { ...WHOLE, tier: "high", rule: "fan_out", city: "130200" })).toEqual([held[1]]);
    expect(matching(held, { ...WHOLE, tier: "high", limit: 1 })).toEqual([held[0]]);
  });
  it("are counted by each of their rules", () => expect(facets(held, (one) => one.rules)).toEqual([["fan_out", 2], ["night_calls", 2]]));
});

describe("counts of a take", () => {
  it("leave out what did not happen", () => expect(counted({ attached: 2, opened: 14, withdrawn: 0, aside: 3 })).toEqual([{ name: "opened", many: 14 }, { name: "attached", many: 2 }]));
});
