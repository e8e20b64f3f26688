// Takes of decisions: what each opened and held back, its undo, and the release of what is held.

import { useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Take = Schemas["TakeShown"];
export type Undone = Schemas["UndoneShown"];
export type Held = Schemas["HeldShown"];
export type TierName = Schemas["Release"]["tiers"] extends (infer One)[] | undefined ? One : never;

export interface Portion {
  tier: string;
  rule: string;
  city: string;
  limit: number | null;
}
export const WHOLE: Portion = { tier: "", rule: "", city: "", limit: null };
const MOST_TAKES = 200;

export const KNOWN = ["opened", "attached", "stopped", "withdrawn", "protected", "left", "held", "narrower"] as const;

/** The counts that have words, those that are 0 left out. */
export function counted(counts: Record<string, number>): { name: (typeof KNOWN)[number]; many: number }[] {
  return KNOWN.flatMap((name) => (counts[name] ? [{ name, many: counts[name] }] : []));
}

/** Decisions that a release of this portion would take, as many as its limit. */
export function matching(held: Held[], portion: Portion): Held[] {
  const found = held.filter(
    (one) => (!portion.tier || one.tier === portion.tier) && (!portion.rule || one.rules.includes(portion.rule)) && (!portion.city || one.city === portion.city),
  );
  return portion.limit === null ? found : found.slice(0, portion.limit);
}

/** Values of a column with how many have them, the most first. */
export function facets(held: Held[], of: (one: Held) => string[]): [string, number][] {
  const found = new Map<string, number>();
  for (const one of held) for (const value of of(one)) found.set(value, (found.get(value) ?? 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

export function useTakes() {
  return useQuery({
    queryKey: ["takes"],
    queryFn: async () => (await told(api.GET(`${BASE}/takes`, { params: { query: { limit: MOST_TAKES } } }))).items,
  });
}

export function useHeld() {
  return useQuery({ queryKey: ["takes", "held"], queryFn: async () => (await told(api.GET(`${BASE}/held-decisions`, {}))).items });
}

function useFresh() {
  const client = useQueryClient();
  return () => {
    for (const queryKey of [["takes"], ["acts"], ["queue"]]) void client.invalidateQueries({ queryKey });
  };
}

export function useUndoTake() {
  return useMutation({
    mutationFn: ({ takeId, why }: { takeId: string; why: string }) =>
      told(api.POST(`${BASE}/takes/{takeId}/undo`, { params: { path: { takeId } }, body: { why } })),
    onSettled: useFresh(),
  });
}

export function useRelease() {
  return useMutation({
    mutationFn: ({ portion, why }: { portion: Portion; why: string }) => {
      const named = {
        ...(portion.tier ? { tiers: [portion.tier as TierName] } : {}),
        ...(portion.rule ? { rules: [portion.rule] } : {}),
        ...(portion.city ? { cities: [portion.city] } : {}),
        ...(portion.limit === null ? {} : { limit: portion.limit }),
      };
      return told(api.POST(`${BASE}/held-decisions/take`, { body: { why, ...named } as Schemas["Release"] }));
    },
    onSettled: useFresh(),
  });
}
