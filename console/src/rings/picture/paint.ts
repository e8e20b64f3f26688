// Drawing of our own on a 2D canvas: no graph library draws 10,000 marks as fast without a GPU (docs/BENCHMARKS.md).

import { bandKey, type Counts, type Scene } from "./scene";
import type { View } from "./view";

export interface Words {
  cluster: ReadonlyMap<string, string>;
  node: ReadonlyMap<string, string>;
  facts: ReadonlyMap<string, string>;
  ties: readonly string[];
  headings: readonly string[];
  columns: readonly { x: number; text: string }[];
  nobody: string;
  letter: Readonly<Record<string, string>>;
}

export interface Look {
  colour: (token: string) => string;
  font: string;
}

export interface Drawn {
  scene: Scene;
  counts: Counts;
  leaves: Uint8Array;
  words: Words;
  chosen: string;
}

const TOKENS: Readonly<Record<string, string>> = {
  batch: "--mark-supply", serials: "--mark-supply", device: "--mark-device", device_run: "--mark-device", holder: "--mark-document",
  callees: "--mark-list", switched: "--mark-minute", clique: "--mark-people", account: "--mark-account", seed: "--mark-seed",
  operator: "--mark-people", minder: "--mark-people", supplier: "--mark-people", box_card: "--mark-device", stock: "--mark-drawer",
  code_receiver: "--mark-list", caller: "--mark-minute", unknown: "--mark-account", drawer: "--mark-drawer", site: "--mark-device",
  outlet: "--mark-supply",
};
export const tokenOf = (kind: string): string => TOKENS[kind] ?? "--strong-line";
// corners of shapes in halves of a mark's size, so that kinds part without colours; what is not here is a circle
const CORNERS: Readonly<Record<string, [number, number][]>> = {
  device: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
  device_run: [[-1, -0.6], [1, -0.6], [1, 0.6], [-1, 0.6]],
  serials: [[-0.6, -1], [0.6, -1], [0.6, 1], [-0.6, 1]],
  holder: [[-0.8, -1], [0.3, -1], [0.8, -0.5], [0.8, 1], [-0.8, 1]],
  switched: [[0, -1], [1, 0.8], [-1, 0.8]],
  clique: [[-1, -0.9], [1, -0.9], [-1, 0.9], [1, 0.9]],
  account: [[0, -1], [1, 0], [0, 1], [-1, 0]],
  callees: [[-1, -0.7], [1, -0.7], [1, 0.7], [-1, 0.7]],
};
const LEAST_TEXT = 6; // pixels of a letter, under which nobody reads it

/** Draw what `view` shows of the picture, on the whole of `ctx`. */
export function paint(ctx: CanvasRenderingContext2D, what: Drawn, view: View, look: Look): void {
  const { width, height } = ctx.canvas;
  ctx.setTransform(1, 0, 0, 1, 0, 0);
  ctx.fillStyle = look.colour("--card");
  ctx.fillRect(0, 0, width, height);
  const { scale } = view;
  ctx.setTransform(scale, 0, 0, scale, -view.x * scale, -view.y * scale);
  const pen = new Pen(ctx, look, scale);
  const seen = { top: view.y - 20, bottom: view.y + height / scale + 20 };
  bands(pen, what);
  lines(pen, what);
  frames(pen, what);
  ties(pen, what);
  nodes(pen, what, seen);
  dots(pen, what, seen);
}

class Pen {
  constructor(readonly ctx: CanvasRenderingContext2D, readonly look: Look, readonly scale: number) {}

  text(said: string, x: number, y: number, size: number, token = "--ink", align: CanvasTextAlign = "start", most = 0): void {
    if (size * this.scale < LEAST_TEXT || !said) return;
    this.ctx.font = `${size}px ${this.look.font}`;
    this.ctx.textAlign = align;
    this.ctx.fillStyle = this.look.colour(token);
    this.ctx.fillText(most ? this.cut(said, most) : said, x, y);
  }

  private cut(said: string, most: number): string {
    if (this.ctx.measureText(said).width <= most) return said;
    let end = said.length;
    while (end > 1 && this.ctx.measureText(`${said.slice(0, end)}…`).width > most) end -= 1;
    return `${said.slice(0, end)}…`;
  }

  line(token: string, width: number): void {
    this.ctx.strokeStyle = this.look.colour(token);
    this.ctx.lineWidth = width;
  }
}

function bands(pen: Pen, { scene, counts }: Drawn): void {
  const { ctx } = pen;
  const before = new Map(scene.picture.clusters.map((one) => [one.id, one.y + one.height / 2]));
  const middle = (id: string): number => {
    const frame = scene.frames.get(id);
    return frame && !scene.opened.has(id) ? frame.y + frame.height / 2 : (frame?.y ?? 0) + 26; // an opened one is long: at its name
  };
  ctx.globalAlpha = 0.34;
  for (const band of scene.picture.bands) {
    const share = (counts.band.get(bandKey(band.one, band.other)) ?? 0) / Math.max(band.cards, 1);
    const [from, to] = [scene.frames.get(band.one), scene.frames.get(band.other)];
    if (!share || !from || !to) continue;
    const [x, end] = [from.x + from.width, to.x];
    const y = band.y - (before.get(band.one) ?? 0) + middle(band.one);
    const other = band.otherY - (before.get(band.other) ?? 0) + middle(band.other);
    pen.line(band.other === "pd" ? "--mark-drawer" : "--mark-supply", Math.max(band.height * share, 1.2));
    ctx.setLineDash(band.other === "pd" ? [7, 3] : []);
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.bezierCurveTo((x + end) / 2, y, (x + end) / 2, other, end, other);
    ctx.stroke();
  }
  ctx.setLineDash([]);
  ctx.globalAlpha = 1;
}

function lines(pen: Pen, { scene, counts }: Drawn): void {
  const { ctx } = pen;
  const most = Math.max(1, ...scene.picture.minding.map((one) => one.cards));
  const landed = new Map<string, number>();
  ctx.globalAlpha = 0.5;
  for (const line of scene.picture.minding) {
    const [spot, frame] = [scene.spots.get(line.one), scene.frames.get(line.other)];
    if (!spot || !frame || !counts.node.get(line.one)) continue;
    const number = (landed.get(line.other) ?? 0) + 1;
    landed.set(line.other, number);
    const [right, y] = [frame.x + frame.width, Math.min(frame.y + 8 + 5 * number, frame.y + frame.height - 5)];
    pen.line("--mark-people", 1 + (4 * line.cards) / most);
    ctx.beginPath();
    ctx.moveTo(spot.x - 12, spot.y);
    ctx.bezierCurveTo((spot.x + right) / 2, spot.y, (spot.x + right) / 2, y, right, y);
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

function frames(pen: Pen, { scene, counts, words, chosen }: Drawn): void {
  const { ctx } = pen;
  for (const one of words.columns) pen.text(one.text, one.x, 16, 13, "--soft");
  if (!scene.picture.headings.length) pen.text(words.nobody, 818, 46, 12, "--soft");
  scene.picture.headings.forEach((one, at) => pen.text(words.headings[at] ?? "", 818, one.y, 12, "--soft"));
  for (const one of scene.picture.clusters) {
    const frame = scene.frames.get(one.id);
    if (!frame) continue;
    rounded(ctx, frame);
    ctx.fillStyle = pen.look.colour("--back");
    ctx.fill();
    pen.line(one.id === chosen ? "--focus" : tokenOf(one.kind), one.id === chosen ? 3 : 1.4);
    ctx.setLineDash(one.kind === "drawer" ? [6, 3] : []);
    ctx.stroke();
    ctx.setLineDash([]);
    pen.text(scene.opened.has(one.id) ? "▾" : "▸", frame.x + 9, frame.y + 19, 13);
    pen.text(words.cluster.get(one.id) ?? "", frame.x + 24, frame.y + 19, 13, "--ink", "start", frame.width - 32);
    const some = counts.cluster.get(one.id) ?? 0;
    pen.text(words.facts.get(one.id) ?? String(some), frame.x + 24, frame.y + 36, 11.5, "--soft", "start", frame.width - 32);
    if (!scene.opened.has(one.id)) continue;
    for (const block of one.blocks) pen.text(words.node.get(block.node) ?? "", frame.x + 10, frame.y + block.y + 13, 11, "--soft", "start", frame.width - 20);
  }
}

function ties(pen: Pen, { scene, words }: Drawn): void {
  scene.ties.forEach((frame, at) => {
    rounded(pen.ctx, frame);
    pen.ctx.fillStyle = pen.look.colour("--back");
    pen.ctx.fill();
    pen.line("--line", 1);
    pen.ctx.stroke();
    pen.text(words.ties[at] ?? "", frame.x + 10, frame.y + 18, 12.5, "--ink", "start", frame.width - 16);
    const told = scene.picture.ties[at];
    if (told) pen.text(`${told.groups} / ${told.cards}`, frame.x + 10, frame.y + 34, 11.5, "--soft", "start", frame.width - 16);
  });
}

interface Seen {
  top: number;
  bottom: number;
}

function nodes(pen: Pen, { scene, counts, words, chosen }: Drawn, seen: Seen): void {
  const { ctx } = pen;
  for (const node of scene.picture.nodes) {
    const spot = scene.spots.get(node.id);
    if (!spot || scene.opened.has(node.cluster) || spot.y < seen.top || spot.y > seen.bottom) continue;
    const share = (counts.node.get(node.id) ?? 0) / Math.max(node.members.length, 1);
    const letter = words.letter[node.kind];
    ctx.globalAlpha = share ? 1 : 0.35;
    if (node.merged && node.cluster) {
      pen.text(`+${node.merged}`, spot.x, spot.y + 4, 11, "--soft", "center");
    } else {
      shape(ctx, node.kind, spot.x, spot.y, node.size);
      pen.line(tokenOf(node.kind), 1.2);
      ctx.stroke();
      if (share) {
        shape(ctx, node.kind, spot.x, spot.y, node.size * Math.sqrt(share));
        ctx.fillStyle = pen.look.colour(tokenOf(node.kind));
        ctx.fill();
      }
    }
    if (letter) {
      pen.text(letter, spot.x, spot.y + 4, 11, "--card", "center");
      pen.text(words.node.get(node.id) ?? "", spot.x + 15, spot.y + 4, 11.5, "--ink", "start", 116);
    } else if (node.kind === "device" && node.named && !node.merged) {
      pen.text(String(counts.node.get(node.id) ?? 0), spot.x, spot.y + 4, 10.5, "--card", "center");
      pen.text(`…${node.label.slice(-3)}`, spot.x, spot.y + 27, 10, "--soft", "center");
    }
    ctx.globalAlpha = 1;
    if (node.seed || node.id === chosen) ring(pen, spot.x, spot.y, node.size + 4, node.id === chosen ? "--focus" : "--mark-seed");
  }
}

function dots(pen: Pen, { scene, leaves, chosen }: Drawn, seen: Seen): void {
  const { ctx } = pen;
  const { roles } = scene.picture.cards;
  const paths = new Map<string, Path2D>();
  let marked: [number, number] | null = null;
  for (let dot = 0; dot < scene.cardOf.length; dot++) {
    const [card, x, y] = [scene.cardOf[dot] ?? 0, scene.dots[2 * dot] ?? 0, scene.dots[2 * dot + 1] ?? 0];
    if (!leaves[card] || y < seen.top || y > seen.bottom) continue;
    const role = roles[card] ?? "unknown";
    let path = paths.get(role);
    if (!path) paths.set(role, (path = new Path2D()));
    path.rect(x - 2.5, y - 2.5, 5, 5);
    if (chosen === `c${card}`) marked = [x, y];
  }
  for (const [role, path] of paths) {
    pen.line(tokenOf(role), 1);
    ctx.fillStyle = pen.look.colour(tokenOf(role));
    if (role === "stock") ctx.stroke(path); // hollow: a card that is used by nobody
    else ctx.fill(path);
  }
  if (marked) ring(pen, marked[0], marked[1], 5, "--focus");
}

function ring(pen: Pen, x: number, y: number, half: number, token: string): void {
  pen.line(token, 2.5);
  pen.ctx.strokeRect(x - half, y - half, 2 * half, 2 * half);
}

function rounded(ctx: CanvasRenderingContext2D, { x, y, width, height }: { x: number; y: number; width: number; height: number }): void {
  ctx.beginPath();
  ctx.roundRect(x, y, width, height, 4);
}

function shape(ctx: CanvasRenderingContext2D, kind: string, x: number, y: number, size: number): void {
  ctx.beginPath();
  const corners = CORNERS[kind];
  if (!corners) ctx.arc(x, y, size, 0, 2 * Math.PI);
  else for (const [right, down] of corners) ctx.lineTo(x + right * size, y + down * size);
  ctx.closePath();
}
