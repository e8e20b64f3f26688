// The five figures of today, of the day before and of 14 days; what waits for the person; whether all works.

import { useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref, watch } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";
import { useChanges } from "@/parts/changes";

type Count = Schemas["HeadlineCountShown"];
export type FigureName = Schemas["HeadlineFigure"];

const DAYS = 14;
const NAMES: FigureName[] = ["calls_intercepted", "messages_intercepted", "numbers_handled", "clues_sent", "victims_dissuaded"];
// the five figures count what the network refused, too, which is no change of an order: so by the clock as well
const LIVE = { refetchInterval: 60_000 };

export interface Told {
  count: number | null;
  certain: boolean;
}

function toldOf(one: Count | undefined): Told {
  return { count: one?.count ?? null, certain: one?.certainty === "exact" };
}

/** Figures by day of the last 14 days, today last; the server's calendar and zone decide what a day is. */
export function useFigures() {
  const query = useQuery({
    queryKey: ["figures", "days"],
    queryFn: () => {
      const until = new Date();
      const since = new Date(until.getTime() - (DAYS - 1) * 86_400_000);
      const asked = { since: since.toISOString(), until: until.toISOString(), by: "day" as const };
      return told(api.GET(`${BASE}/figures/headline`, { params: { query: asked } }));
    },
    ...LIVE,
  });
  const figures = computed(() =>
    NAMES.map((name) => {
      const days = (query.data.value?.items ?? []).filter((one) => one.figure === name && one.group !== null);
      return {
        name,
        today: toldOf(days.at(-1)),
        before: toldOf(days.at(-2)),
        days: days.map((one) => ({ day: one.group ?? "", count: one.count })),
      };
    }),
  );
  return { ...query, figures, until: computed(() => query.data.value?.until ?? "") };
}

const WAITS = [
  { name: "overdue", query: { overdue: true } },
  { name: "dueSoon", query: {} },
  { name: "waiting", query: { waiting: true } },
  { name: "objections", query: { kind: "objection" } },
] as const;

const MOST_ACTS = 200;

/** How many orders and proposals wait, and the view that lists them. `staff`: whether bulk actions are theirs to see. */
export function useWaiting(staff: Ref<boolean>) {
  const acts = useQuery({
    queryKey: ["waiting", "acts"],
    queryFn: () => told(api.GET(`${BASE}/acts`, { params: { query: { waiting: true, limit: MOST_ACTS } } })),
    enabled: staff,
    ...LIVE,
  });
  const query = useQuery({
    queryKey: ["waiting"],
    queryFn: () =>
      Promise.all(
        WAITS.map(async (one) => {
          const due = one.name === "dueSoon" ? { due: new Date(Date.now() + 4 * 3_600_000).toISOString() } : {};
          const asked = { open: true, counts: true, limit: 1, ...one.query, ...due };
          const page = await told(api.GET(`${BASE}/orders`, { params: { query: asked } }));
          return page.counts?.total ?? 0;
        }),
      ),
    ...LIVE,
  });
  return computed(() => {
    const orders = WAITS.map((one, at) => {
      const names = Object.entries(one.query).map(([name, value]) => [name, value === true ? null : value]);
      const to = { name: "queue", query: Object.fromEntries(names) as Record<string, string | null> };
      return { name: one.name as string, count: query.data.value?.[at] ?? null, least: false, to };
    });
    if (!staff.value) return orders;
    const proposed = { count: acts.data.value?.items.length ?? null, least: !!acts.data.value?.next };
    return [...orders, { name: "acts", ...proposed, to: { name: "acts", query: { waiting: null } } }];
  });
}

export function useHealth() {
  const { data } = useQuery({
    queryKey: ["health"],
    queryFn: async () => {
      const { data, error } = await api.GET(`${BASE}/health`, {});
      return data ?? (error as Schemas["Health"] | undefined) ?? null; // 503 says why, too
    },
    ...LIVE,
  });
  return data;
}

/** Read again what waits, and what was done, whenever something changes. */
export function useLive() {
  const client = useQueryClient();
  const { latest, stale } = useChanges();
  watch(latest, (_now, before) => {
    if (before === 0) return;
    void client.invalidateQueries({ queryKey: ["waiting"] });
    void client.invalidateQueries({ queryKey: ["figures"] });
  });
  return { stale };
}
