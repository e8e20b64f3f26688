import { describe, expect, it } from "vitest";

import type { Schemas } from "@/api/client";
import { canBe } from "@/counter/counter";
import { saidAgain } from "@/objections/objections";
import { homeOf, mayOpen } from "@/parts/may";
import { pictureOf } from "@/reviews/pictures";
import { decisionsOf, nextOf } from "@/reviews/reviews";
import { likeness, signalsOf } from "@/reviews/signals";

describe("the next review", () => {
  it("is the one below, after the last the first that is left, and none where there is no other", () => {
    expect(nextOf(["V1", "V2", "V3"], "V1")).toBe("V2");
    expect(nextOf(["V1", "V2", "V3"], "V3")).toBe("V1");
    expect(nextOf(["V1"], "V1")).toBeNull();
    expect(nextOf([], "V1")).toBeNull();
  });
  it("is the first of the list for who came by a link to another", () => expect(nextOf(["V1", "V2"], "V9")).toBe("V1"));
});

describe("what may be decided", () => {
  it("is what the API names, and nothing else", () => {
    expect(decisionsOf(["pass", "fail", "to_counter", "withdraw"], false)).toEqual(["pass", "fail", "to_counter"]);
    expect(decisionsOf([], false)).toEqual([]);
  });
  it("of a holder who disowns the number is that, or the counter", () => {
    expect(decisionsOf(["pass", "fail", "to_counter"], true)).toEqual(["not_mine", "to_counter"]);
  });
});

describe("a picture", () => {
  it("is what its first bytes say", () => {
    expect(pictureOf(btoa("\xff\xd8\xff\xe0 and more"))?.type).toBe("image/jpeg");
    expect(pictureOf(btoa("\x89PNG\r\n"))?.type).toBe("image/png");
  });
  it.each([null, "", btoa("<svg onload=alert(1)>"), btoa("a photo")])("is none in %j", (text) => expect(pictureOf(text)).toBeNull());
});

describe("what was measured", () => {
  it("lies below, between or above the limits of the policy, which belong to the upper side", () => {
    expect(likeness(0.359, 0.36, 0.45)).toBe("below");
    expect(likeness(0.36, 0.36, 0.45)).toBe("between");
    expect(likeness(0.45, 0.36, 0.45)).toBe("above");
    expect(likeness(null, 0.36, 0.45)).toBe("none");
  });
  it("comes in an order of its own, and what is unknown last, by its own name", () => {
    const told = signalsOf({ vendor_score: 0.12345, frames: 18, one_person: 0.8123 });
    expect(told).toEqual([
      { name: "one_person", known: true, value: "0.81" },
      { name: "frames", known: true, value: "18" },
      { name: "vendor_score", known: false, value: "0.123" },
    ]);
  });
});

describe("a masked number", () => {
  it.each(["13000000001", "+8613000000001", "0086 130 0000 0001", "8613000000001"])("can be %s", (typed) =>
    expect(canBe("+86 130****0001", typed)).toBe(true));
  it.each(["13000000002", "13100000001", "+8513000000001"])("cannot be %s", (typed) => expect(canBe("+86 130****0001", typed)).toBe(false));
});

describe("what a holder said again", () => {
  it("are the objections that joined the open one, and nothing else of the trail", () => {
    const trail = [{ what: "objection.open", at: "1", why: "first" }, { what: "attach", at: "2", why: "again" }, { what: "read.order", at: "3", why: "" }];
    expect(saidAgain({ trail } as unknown as Schemas["OrderFileShown"])).toEqual([{ at: "2", text: "again" }]);
  });
});

describe("pages by role", () => {
  it("are those that the role can use", () => {
    expect(["reviews", "counter", "police"].filter((page) => mayOpen(page, "desk"))).toEqual(["reviews", "counter"]);
    expect(["today", "queue", "reviews", "police"].filter((page) => mayOpen(page, "police"))).toEqual(["police"]);
    expect(["objections", "counter"].filter((page) => mayOpen(page, "regulator"))).toEqual(["objections"]);
  });
  it("begin at one that the role may open", () => {
    for (const role of ["desk", "supervisor", "regulator", "police"] as const) expect(mayOpen(homeOf(role), role)).toBe(true);
  });
});
