// Which orders of the queue are selected: some by hand, or all that the filter finds but some.

import { computed, type Ref, ref } from "vue";

export interface Selection {
  /** All that the filter finds, shown or not; `rows` are then those left out. */
  all: boolean;
  rows: ReadonlySet<string>;
}

export const NOTHING: Selection = { all: false, rows: new Set() };
export const EVERYTHING: Selection = { all: true, rows: new Set() };

export function has(selection: Selection, id: string): boolean {
  return selection.all !== selection.rows.has(id);
}

function put(selection: Selection, ids: string[], selected: boolean): Selection {
  const rows = new Set(selection.rows);
  for (const id of ids) {
    if (selection.all === selected) rows.delete(id);
    else rows.add(id);
  }
  return { all: selection.all, rows };
}

export function toggle(selection: Selection, id: string): Selection {
  return put(selection, [id], !has(selection, id));
}

/** Select or leave out every row between two, as the first of them now is. */
export function range(selection: Selection, ids: string[], from: number, to: number): Selection {
  const first = ids[from];
  if (first === undefined) return selection;
  return put(selection, ids.slice(Math.min(from, to), Math.max(from, to) + 1), has(selection, first));
}

/** How many orders are selected, of `total` that the filter finds. */
export function size(selection: Selection, total: number): number {
  return selection.all ? Math.max(0, total - selection.rows.size) : selection.rows.size;
}

/** The selection of a list, with the row at which a range begins. */
export function useSelection(ids: Ref<string[]>, total: Ref<number>) {
  const selection = ref<Selection>(NOTHING);
  const anchor = ref("");
  const set = (now: Selection) => (selection.value = now);
  return {
    selection,
    many: computed(() => size(selection.value, total.value)),
    clear: () => set(NOTHING),
    all: () => set(EVERYTHING),
    toggle(at: number): void {
      const id = ids.value[at];
      if (id === undefined) return;
      anchor.value = id;
      set(toggle(selection.value, id));
    },
    /** As far as this row, from the one that was toggled last; without one the row alone. */
    extend(to: number, from: number): void {
      const known = ids.value.indexOf(anchor.value);
      const begin = known >= 0 ? known : from;
      const first = ids.value[begin];
      if (first === undefined) return;
      anchor.value = first;
      if (known < 0 && !has(selection.value, first)) set(toggle(selection.value, first));
      set(range(selection.value, ids.value, begin, to));
    },
  };
}
