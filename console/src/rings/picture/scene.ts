// What stands where when some clusters are opened: the server says the places, and here frames only make way.

import type { Picture } from "../rings";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Filter {
  /** Cards of less certainty are left out. */
  least: number;
  /** The last day that counts, since the first day of the records: what came later is left out. */
  day: number;
  /** Roles that are left out. */
  without: ReadonlySet<string>;
}

export interface Scene {
  picture: Picture;
  height: number;
  frames: ReadonlyMap<string, Box>;
  /** Middles of nodes. */
  spots: ReadonlyMap<string, { x: number; y: number }>;
  ties: Box[];
  opened: ReadonlySet<string>;
  /** Two numbers a dot, and of each the card that it stands for. */
  dots: Float32Array;
  cardOf: Int32Array;
}

/** The picture with the clusters of `opened` as high as their cards need; everything below them moves down. */
export function arranged(picture: Picture, opened: ReadonlySet<string>): Scene {
  const frames = new Map<string, Box>();
  const ends = { supply: 0, places: 0 };
  for (const one of picture.clusters) {
    const height = opened.has(one.id) ? one.openHeight : one.height;
    frames.set(one.id, { x: one.x, y: one.y + ends[one.column], width: one.width, height });
    ends[one.column] += height - one.height;
  }
  const lowest = Math.max(picture.upper, ...[...frames.values()].map((frame) => frame.y + frame.height));
  const below = lowest - picture.upper;
  const original = new Map(picture.clusters.map((one) => [one.id, one.y]));
  const people = new Set(picture.headings.map((one) => one.role as string));
  const spots = new Map<string, { x: number; y: number }>();
  for (const node of picture.nodes) {
    const frame = frames.get(node.cluster);
    const down = frame ? frame.y - (original.get(node.cluster) ?? 0) : people.has(node.kind) ? 0 : below;
    spots.set(node.id, { x: node.x, y: node.y + down });
  }
  const ties = picture.ties.map((one) => ({ ...one, y: one.y + below }));
  return { picture, height: picture.height + below, frames, spots, ties, opened, ...dotsOf(picture, opened, frames) };
}

function dotsOf(picture: Picture, opened: ReadonlySet<string>, frames: ReadonlyMap<string, Box>) {
  const { cards } = picture;
  const places: number[] = [];
  const cardOf: number[] = [];
  const put = (card: number, cluster: string | undefined, x: number | null | undefined, y: number | null | undefined): void => {
    const frame = cluster && opened.has(cluster) ? frames.get(cluster) : undefined;
    if (!frame || x == null || y == null) return;
    places.push(frame.x + x, frame.y + y);
    cardOf.push(card);
  };
  for (let card = 0; card < cards.phoneNumbers.length; card++) {
    put(card, cards.supply[card], cards.supplyX[card], cards.supplyY[card]);
    put(card, cards.place[card], cards.placeX[card], cards.placeY[card]);
  }
  return { dots: Float32Array.from(places), cardOf: Int32Array.from(cardOf) };
}

/** Which cards a filter leaves: 1, or 0. A card that was opened or first used after the day is not there yet. */
export function left(picture: Picture, filter: Filter): Uint8Array {
  const { cards } = picture;
  return Uint8Array.from(cards.certainties, (certainty, card) => {
    const began = Math.min(cards.opened[card] ?? Infinity, cards.firstUsed[card] ?? Infinity);
    const there = began === Infinity || began <= filter.day;
    return certainty >= filter.least && there && !filter.without.has(cards.roles[card] ?? "") ? 1 : 0;
  });
}

export interface Counts {
  all: number;
  cluster: Map<string, number>;
  node: Map<string, number>;
  band: Map<string, number>;
}

export const bandKey = (one: string, other: string): string => `${one}>${other}`;

/** How many of the cards that are left each thing of the picture has. */
export function counted(picture: Picture, leaves: Uint8Array): Counts {
  const { cards } = picture;
  const cluster = new Map<string, number>();
  const band = new Map<string, number>();
  const add = (to: Map<string, number>, key: string): unknown => to.set(key, (to.get(key) ?? 0) + 1);
  let all = 0;
  for (let card = 0; card < leaves.length; card++) {
    if (!leaves[card]) continue;
    all += 1;
    const [one, other] = [cards.supply[card] ?? "", cards.place[card] ?? ""];
    if (one) add(cluster, one);
    if (other) add(cluster, other);
    if (one && other) add(band, bandKey(one, other));
  }
  const node = new Map(picture.nodes.map((one) => [one.id, one.members.reduce((sum, card) => sum + (leaves[card] ?? 0), 0)]));
  return { all, cluster, node, band };
}

/** The thing at a place of the picture: a card (c and its row), a node, or a cluster; "" of nothing. */
export function at(scene: Scene, leaves: Uint8Array, x: number, y: number): string {
  for (let dot = 0; dot < scene.cardOf.length; dot++) {
    const card = scene.cardOf[dot] ?? 0;
    if (leaves[card] && Math.abs((scene.dots[2 * dot] ?? 0) - x) <= 3.5 && Math.abs((scene.dots[2 * dot + 1] ?? 0) - y) <= 3.5) return `c${card}`;
  }
  for (const node of scene.picture.nodes) {
    const spot = scene.spots.get(node.id);
    const wide = node.merged && node.cluster ? 14 : node.size + 2;
    if (spot && !scene.opened.has(node.cluster) && Math.abs(spot.x - x) <= wide && Math.abs(spot.y - y) <= node.size + 2) return node.id;
  }
  for (const [id, frame] of scene.frames) {
    if (x >= frame.x && x <= frame.x + frame.width && y >= frame.y && y <= frame.y + frame.height) return id;
  }
  return "";
}
