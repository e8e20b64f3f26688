import { describe, expect, it } from "vitest";

import { expected, figure, linear, logarithmic, logMarks, mark, marks, named, path, sizeMark, standing } from "@/assessment/plots";
import { homeOf, mayOpen } from "@/parts/may";

describe("scales", () => {
  it("lead from the first pixel to the last, and hold what is beyond", () => {
    const y = linear(0, 10, 200, 0);
    expect([0, 5, 10, 99, -3].map(y)).toEqual([200, 100, 0, 0, 200]);
    const x = logarithmic(10, 1_000, 0, 100);
    expect([10, 100, 1_000, 1].map(x).map(Math.round)).toEqual([0, 50, 100, 0]);
  });
  it.each([[1, [0, 0.2, 0.4, 0.6, 0.8, 1]], [37, [0, 10, 20, 30]], [0.04, [0, 0.01, 0.02, 0.03, 0.04]], [0, [0]]])("have round marks up to %d", (end, found) =>
    expect(marks(end).map((one) => Number(one.toPrecision(6)))).toEqual(found));
  it("of a wide range have powers of ten, of a short one more", () => {
    expect(logMarks(80, 200_000)).toEqual([100, 1_000, 10_000, 100_000]);
    expect(logMarks(3_000, 60_000)).toEqual([5_000, 10_000, 20_000, 50_000]);
  });
});

describe("figures", () => {
  it.each([
    [0.0317, "share", "3.2%"], [36.42, "rate", "36.4"], [4.456, "rate", "4.46"], [0.0123, "rate", "0.0123"], [0, "rate", "0.00"],
    [51.04, "hours", "51.0 h"], [1234, "count", "1,234"], [null, "rate", ""],
  ] as const)("%s as a %s is %j", (value, shape, said) => expect(figure(value, shape)).toBe(said));
  it.each([[9.8, "9.80"], [10.42, "10.4"], [0.004, "0.0040"], [0, "0.0"], [null, ""]])("%s expected is %j", (value, said) => expect(expected(value)).toBe(said));
  it("on axes are round and short", () => {
    expect([mark(0.1 + 0.2, "share"), mark(2500, "rate")]).toEqual(["30%", "2,500"]);
    expect([sizeMark(100_000, "zh"), sizeMark(100_000, "en"), sizeMark(2e6, "en"), sizeMark(5e8, "zh")]).toEqual(["10万", "100k", "2M", "5亿"]);
  });
});

describe("units in a plot", () => {
  it("stand by the criterion first, then by the far limits", () => {
    expect([{ listed: true, place: 2 }, { listed: false, place: -2 }, { listed: false, place: 1 }].map(standing)).toEqual(["listed", "outside", "inside"]);
  });
  it("have names that are not over one another, and no more than asked", () => {
    const at = (x: number, y: number) => ({ x, y });
    expect(named([at(0, 0), at(50, 5), at(50, 30), at(300, 0), at(300, 90)], 3)).toEqual([at(0, 0), at(50, 30), at(300, 0)]);
  });
  it("are joined by a path, and none by none", () => {
    expect(path([[0, 1], [2.25, 3]])).toBe("M0.0 1.0L2.3 3.0");
    expect(path([])).toBe("");
  });
});

describe("pages of a role", () => {
  it("are those that the API answers it", () => {
    expect((["desk", "supervisor", "regulator", "police"] as const).map((role) => mayOpen("audit", role))).toEqual([false, true, true, false]);
    expect(mayOpen("settings", "police")).toBe(true);
    for (const role of ["desk", "supervisor", "regulator", "police"] as const) expect(mayOpen(homeOf(role), role)).toBe(true);
  });
});
