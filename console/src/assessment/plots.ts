// What the plots are drawn from: scales, round marks, names that do not touch, figures as people read them.

import type { Schemas } from "@/api/client";

type Shape = Schemas["FigureShape"];
export type Scale = (value: number) => number;

/** Values from `low` to `high` at `first` to `last`; what is beyond an end stands at that end. */
export function linear(low: number, high: number, first: number, last: number): Scale {
  return (value) => first + ((last - first) * (Math.min(Math.max(value, low), high) - low)) / (high - low || 1);
}

export function logarithmic(low: number, high: number, first: number, last: number): Scale {
  const inner = linear(Math.log(low), Math.log(high), first, last);
  return (value) => inner(Math.log(Math.max(value, low)));
}

/** Round values from 0 to `end`, about five. */
export function marks(end: number): number[] {
  if (!(end > 0)) return [0];
  const power = 10 ** Math.floor(Math.log10(end / 5));
  const step = [1, 2, 2.5, 5, 10, 20].map((one) => one * power).find((one) => one >= (end / 5) * (1 - 1e-9)) ?? end;
  return Array.from({ length: Math.floor((end / step) * (1 + 1e-9)) + 1 }, (_, at) => at * step);
}

/** Powers of ten between the ends; of a short scale 1, 2 and 5 of each. */
export function logMarks(low: number, high: number): number[] {
  const powers = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) powers.push(10 ** power);
  const within = (value: number): boolean => value >= low && value <= high;
  const wide = powers.filter(within);
  return wide.length >= 3 ? wide : powers.flatMap((one) => [one, 2 * one, 5 * one]).filter(within);
}

/** A path through the points; "" without any. */
export function path(points: [number, number][]): string {
  return points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** The units that the plot names: the farthest outside first, and none over another. */
export function named<Unit extends { x: number; y: number }>(units: Unit[], most: number): Unit[] {
  const found: Unit[] = [];
  for (const one of units) {
    if (found.length === most) break;
    if (!found.some((other) => Math.abs(other.x - one.x) < 90 && Math.abs(other.y - one.y) < 13)) found.push(one);
  }
  return found;
}

/** A figure with its unit of measure: 3.2%, 12.4 (per 10,000), 36.0 h, 12. */
export function figure(value: number | null | undefined, shape: Shape | undefined): string {
  if (value === null || value === undefined) return "";
  if (shape === "share") return `${(value * 100).toFixed(1)}%`;
  if (shape === "count") return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
  const said = value >= 10 ? value.toLocaleString("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 }) : value >= 0.1 || value === 0 ? value.toFixed(2) : value.toPrecision(3);
  return shape === "hours" ? `${said} h` : said;
}

/** Expected events with two digits that say something: what is not 0 is not told as 0. */
export function expected(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  return value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}

/** A round value on an axis. */
export function mark(value: number, shape: Shape): string {
  return shape === "share" ? `${Number((value * 100).toPrecision(6))}%` : Number(value.toPrecision(6)).toLocaleString("en-US");
}

export function sizeMark(value: number, language: string): string {
  if (language === "zh") return value >= 1e8 ? `${value / 1e8}亿` : value >= 1e4 ? `${value / 1e4}万` : String(value);
  return value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(value);
}

/** How a unit stands, which a plot shows by shape and colour. */
export function standing(unit: { listed: boolean; place: number }): "listed" | "outside" | "inside" {
  return unit.listed ? "listed" : Math.abs(unit.place) === 2 ? "outside" : "inside";
}
