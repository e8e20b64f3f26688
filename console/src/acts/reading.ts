// Which cards of a proposal were on the screen of whoever decides about it, and which they struck. An approval opens
// only after all of them were shown; it is kept while the console is open, so that nobody reads them twice.

import { computed, reactive, type Ref } from "vue";

interface Reading {
  seen: Set<number>;
  struck: Set<number>;
}

const readings = reactive(new Map<string, Reading>());

export function readingOf(actId: string): Reading {
  let found = readings.get(actId);
  if (!found) {
    readings.set(actId, { seen: new Set(), struck: new Set() });
    found = readings.get(actId) as Reading;
  }
  return found;
}

/** The first line, from 1, that was not shown yet; null: all were. */
export function firstUnseen(seen: ReadonlySet<number>, total: number): number | null {
  for (let line = 1; line <= total; line += 1) if (!seen.has(line)) return line;
  return null;
}

export function useReading(actId: Ref<string>, total: Ref<number>) {
  const reading = computed(() => readingOf(actId.value));
  return {
    struck: computed(() => reading.value.struck),
    unseen: computed(() => Math.max(0, total.value - reading.value.seen.size)),
    next: () => firstUnseen(reading.value.seen, total.value),
    see: (line: number) => void reading.value.seen.add(line),
    strike(line: number): void {
      if (!reading.value.struck.delete(line)) reading.value.struck.add(line);
    },
    without: computed(() => [...reading.value.struck].sort((a, b) => a - b).map((line) => `#${line}`)),
  };
}
