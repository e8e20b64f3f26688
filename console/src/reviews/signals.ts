// What liveness measured, in words: each with its unit; what a vendor measured besides is shown by its own name.

/** Signals in the order in which a reviewer asks for them, with the digits that say something. */
const KNOWN: readonly [name: string, digits: number][] = [
  ["one_person", 2], ["plane", 2], ["bent", 2], ["eyes_alike", 2], ["mouth_alike", 2],
  ["turn_left", 0], ["turn_right", 0], ["eyes", 2], ["mouth", 2], ["mouth_rise", 2], ["motion", 2],
  ["frames", 0], ["with_face", 0], ["faces", 0], ["face_pixels", 0], ["luminance", 0], ["sharpness", 0],
];

export interface Signal {
  name: string;
  known: boolean;
  value: string;
}

export function signalsOf(signals: Readonly<Record<string, number>>): Signal[] {
  const named = KNOWN.filter(([name]) => name in signals).map(([name, digits]) => ({
    name, known: true, value: (signals[name] ?? 0).toFixed(digits),
  }));
  const names = new Set(KNOWN.map(([name]) => name));
  const others = Object.entries(signals).filter(([name]) => !names.has(name));
  return [...named, ...others.map(([name, value]) => ({ name, known: false, value: String(+value.toFixed(3)) }))];
}

export type Likeness = "none" | "below" | "between" | "above";

/** Where a similarity lies between the policy's two limits. */
export function likeness(similarity: number | null, reviewFrom: number, passesFrom: number): Likeness {
  if (similarity === null) return "none";
  return similarity < reviewFrom ? "below" : similarity < passesFrom ? "between" : "above";
}
