// Which part of the picture is seen, and how large.

export interface View {
  /** The place of the picture at the upper left corner. */
  x: number;
  y: number;
  scale: number;
}

export const [SMALLEST, LARGEST] = [0.08, 6];

/** All of the picture, in its middle; never larger than it was made for. */
export function fitted(width: number, height: number, wide: number, high: number): View {
  const scale = Math.min(1.6, wide / width, high / height);
  return { scale, x: (width - wide / scale) / 2, y: Math.min(0, (height - high / scale) / 2) };
}

/** The width of the picture from its top on: of one that is opened, what can be read. */
export function fittedAcross(width: number, wide: number): View {
  const scale = Math.min(1.6, wide / width);
  return { scale, x: (width - wide / scale) / 2, y: 0 };
}

/** Larger or smaller, with the place at (x, y) of the screen where it is. */
export function zoomed(view: View, by: number, x: number, y: number): View {
  const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * by));
  return { scale, x: view.x + x / view.scale - x / scale, y: view.y + y / view.scale - y / scale };
}

/** Moved by a way on the screen; a corner of the picture stays in sight. */
export function moved(view: View, x: number, y: number, width: number, height: number, wide: number, high: number): View {
  const keep = 80 / view.scale;
  const within = (value: number, whole: number, seen: number): number => Math.max(keep - seen / view.scale, Math.min(whole - keep, value));
  return { scale: view.scale, x: within(view.x - x / view.scale, width, wide), y: within(view.y - y / view.scale, height, high) };
}
