import { describe, expect, it } from "vitest";

import { asked, seedOf } from "@/rings/basis";
import { arranged, at, counted, type Filter, left } from "@/rings/picture/scene";
import { fitted, moved, zoomed } from "@/rings/picture/view";
import type { Picture } from "@/rings/rings";
import { objections } from "@/rings/speaks";

const ALL: Filter = { least: 0, day: Infinity, without: new Set() };
const frame = { x: 0, width: 270, many: 1, city: "", lowerBound: null, label: "" };
const node = { label: "", merged: 0, certainty: 1, seed: false, size: 10, named: true };

/** An outlet with a batch of three cards, two of which are in a box; the third lies in the drawer. */
const picture: Picture = {
  seed: "R00001", days: { firstDay: "2021-05-03", lastDay: "2021-05-16", zone: "Asia/Shanghai" },
  joined: 3, atRisk: 2, confirmed: 1, firm: false, width: 1040, height: 400, upper: 300, marks: 5,
  clusters: [
    { ...frame, id: "o0", column: "supply", kind: "outlet", cards: 3, y: 30, height: 100, openHeight: 150, blocks: [] },
    { ...frame, id: "p0", column: "places", kind: "site", cards: 2, x: 440, y: 30, height: 100, openHeight: 400, blocks: [] },
    { ...frame, id: "pd", column: "places", kind: "drawer", cards: 1, x: 440, y: 146, height: 46, openHeight: 90, blocks: [] },
  ],
  nodes: [
    { ...node, id: "g0", cluster: "o0", kind: "batch", cards: 3, x: 30, y: 100, members: [0, 1, 2] },
    { ...node, id: "g1", cluster: "p0", kind: "device", cards: 2, x: 470, y: 100, members: [0, 1] },
    { ...node, id: "g2", cluster: "", kind: "holder", cards: 2, x: 30, y: 360, members: [1, 2] },
    { ...node, id: "c3", cluster: "", kind: "operator", cards: 1, x: 830, y: 60, members: [3] },
  ],
  ties: [{ kind: "holder", groups: 1, cards: 2, x: 6, y: 316, width: 1028, height: 80 }],
  headings: [{ role: "operator", y: 45 }],
  bands: [{ one: "o0", other: "p0", cards: 2, y: 80, otherY: 80, height: 60 }, { one: "o0", other: "pd", cards: 1, y: 110, otherY: 169, height: 30 }],
  minding: [], amongPeople: [],
  cards: {
    phoneNumbers: ["a", "b", "c", "d"], orderIds: ["", "", "", ""], roles: ["box_card", "box_card", "stock", "operator"],
    sites: ["", "", "", ""], outlets: ["", "", "", ""], certainties: [1, 0.9, 0.45, 0.6], joined: [true, true, false, true],
    atRisk: [true, true, false, false], confirmed: [true, false, false, false], seeds: [false, false, false, false],
    opened: [-3, -3, 6, null], firstUsed: [0, 4, null, null], lastUsed: [5, 9, null, null],
    supply: ["o0", "o0", "o0", ""], supplyX: [13.5, 20.5, 27.5, null], supplyY: [73.5, 73.5, 73.5, null],
    place: ["p0", "p0", "pd", ""], placeX: [13.5, 20.5, 13.5, null], placeY: [73.5, 73.5, 73.5, null],
    reasons: [], reason: [0, 0, 0, 0], by: ["", "", "", ""],
  },
};

describe("a picture whose clusters are opened", () => {
  it("is as the server laid it out while all are closed, and has no cards", () => {
    const scene = arranged(picture, new Set());
    expect(scene.height).toBe(400);
    expect(scene.frames.get("pd")).toEqual({ x: 440, y: 146, width: 270, height: 46 });
    expect(scene.spots.get("g2")).toEqual({ x: 30, y: 360 });
    expect(scene.dots.length).toBe(0);
  });

  it("moves what is below an opened one down, and nothing beside it", () => {
    const scene = arranged(picture, new Set(["p0"]));
    expect(scene.frames.get("p0")?.height).toBe(400);
    expect(scene.frames.get("pd")?.y).toBe(446);
    expect(scene.frames.get("o0")?.y).toBe(30);
    expect(scene.ties[0]?.y).toBe(316 + 446 + 46 - 300);
    expect(scene.spots.get("g2")?.y).toBe(scene.ties[0]!.y + 44);
    expect(scene.spots.get("c3")?.y).toBe(60);
    expect([...scene.cardOf]).toEqual([0, 1]);
    expect([...scene.dots]).toEqual([453.5, 103.5, 460.5, 103.5]);
  });

  it("has a card at each place where it is opened", () => {
    expect([...arranged(picture, new Set(["o0", "p0", "pd"])).cardOf].sort()).toEqual([0, 0, 1, 1, 2, 2]);
  });

  it("finds a card before its cluster, a mark that is closed, and nothing beside them", () => {
    const scene = arranged(picture, new Set(["p0"]));
    const every = left(picture, ALL);
    expect(at(scene, every, 454, 104)).toBe("c0");
    expect(at(scene, Uint8Array.from([0, 1, 1, 1]), 454, 104)).toBe("p0");
    expect(at(scene, every, 32, 101)).toBe("g0");
    expect(at(scene, every, 470, 120)).toBe("p0");
    expect(at(scene, every, 350, 250)).toBe("");
  });
});

describe("what a filter leaves", () => {
  it("counts every card without one", () => {
    const counts = counted(picture, left(picture, ALL));
    expect(counts.all).toBe(4);
    expect(counts.cluster.get("o0")).toBe(3);
    expect(counts.band.get("o0>p0")).toBe(2);
    expect(counts.node.get("g2")).toBe(2);
  });

  it.each<[Partial<Filter>, number[]]>([
    [{ least: 0.5 }, [1, 1, 0, 1]],
    [{ least: 0.9 }, [1, 1, 0, 0]],
    [{ day: 0 }, [1, 1, 0, 1]],
    [{ day: 5 }, [1, 1, 0, 1]],
    [{ day: 6 }, [1, 1, 1, 1]],
    [{ without: new Set(["box_card"]) }, [0, 0, 1, 1]],
  ])("%o leaves %o", (change, leaves) => expect([...left(picture, { ...ALL, ...change })]).toEqual(leaves));
});

describe("what is seen of it", () => {
  it("is zoomed about the place under the pointer", () => {
    const view = zoomed({ x: 10, y: 20, scale: 1 }, 2, 100, 50);
    expect(view.x + 100 / view.scale).toBeCloseTo(110);
    expect(view.y + 50 / view.scale).toBeCloseTo(70);
  });

  it("never leaves the picture altogether", () => {
    const far = moved({ x: 0, y: 0, scale: 1 }, -1e6, 1e6, 1040, 400, 800, 600);
    expect(far.x).toBeLessThan(1040);
    expect(far.y + 600).toBeGreaterThan(0);
  });

  it("fits all of it", () => {
    const view = fitted(1040, 4000, 800, 600);
    expect(view.scale * 4000).toBeLessThanOrEqual(600);
  });
});

describe("what speaks against a stop", () => {
  it("counts the cards above the limit alone", () => {
    const many = (certainty: number) => Object.fromEntries(objections(picture, certainty).map((one) => [one.name, one.cards]));
    expect(many(0.5)).toEqual({ all: 3, confirmed: 1, noRule: 1, people: 1, unsure: 1 });
    expect(many(0.4)).toEqual({ all: 4, confirmed: 1, noRule: 2, people: 1, stock: 1 });
  });

  it("says that a firm's cards, or cards without evidence, are refused", () => {
    expect(objections({ ...picture, firm: true }, 0.5).map((one) => one.name)).toContain("firm");
    expect(objections({ ...picture, atRisk: 0, confirmed: 0 }, 0.5).map((one) => one.name)).toContain("noEvidence");
  });
});

describe("where a search begins", () => {
  it.each([
    ["r12", { ring: "R12" }], ["86900609553922", { imei: "86900609553922" }], ["869006-0955392-29", { imei: "8690060955392" + "29" }],
    ["138 0000 0000", { phoneNumber: "13800000000" }], ["+86 138 0000 0000", { phoneNumber: "+8613800000000" }], ["S000444", { outlet: "S000444" }],
  ])("%s", (text, seed) => expect(seedOf(text)).toEqual({ ...seed, marks: [] }));

  it("is asked with one basis alone", () => {
    const body = asked({ ring: "R1", marks: ["g1"] }, { why: " w ", kind: "policeNotice", number: " 7 ", unmask: false });
    expect(body).toEqual({ ring: "R1", marks: ["g1"], why: "w", policeNotice: "7", unmask: false });
  });
});
