// What of the queue is shown: it stands in the address, so that a view can be sent to somebody else.

import { computed } from "vue";
import { type LocationQuery, useRoute, useRouter } from "vue-router";

export const SORTS = ["due", "weight", "opened", "updated"] as const;
export const FACETS = ["tier", "state", "rule", "operator", "city", "kind"] as const;
const MARKS = ["overdue", "waiting", "closed"] as const;

export type Sort = (typeof SORTS)[number];
export type Facet = (typeof FACETS)[number];
export type Mark = (typeof MARKS)[number];

export type Filters = { sort: Sort } & Partial<Record<Facet, string>> & Partial<Record<Mark, true>>;

function one(query: LocationQuery, name: string): string | undefined {
  const value = query[name];
  const first = Array.isArray(value) ? value[0] : value;
  return first ?? undefined;
}

/** The filters that an address names; what it names wrongly is left out. */
export function filtersOf(query: LocationQuery): Filters {
  const sort = SORTS.find((known) => known === one(query, "sort")) ?? "due";
  const filters: Filters = { sort };
  for (const facet of FACETS) {
    const value = one(query, facet);
    if (value) filters[facet] = value;
  }
  for (const mark of MARKS) if (mark in query) filters[mark] = true;
  return filters;
}

/** The filters as parameters of `GET /orders`. */
export function parameters(filters: Filters): Record<string, string | boolean> {
  const { closed, ...rest } = filters;
  return { ...rest, ...(closed ? {} : { open: true }) };
}

export function useFilters() {
  const route = useRoute();
  const router = useRouter();
  const filters = computed(() => filtersOf(route.query));
  const set = (change: Partial<Record<keyof Filters, string | true | undefined>>) => {
    const next = { ...filters.value, ...change } as Record<string, string | true | undefined>;
    const query: Record<string, string | null> = {};
    for (const [name, value] of Object.entries(next)) {
      if (value === undefined || (name === "sort" && value === "due")) continue;
      query[name] = value === true ? null : value;
    }
    return router.replace({ query });
  };
  return { filters, set, clear: () => router.replace({ query: {} }) };
}
