// Bulk actions: what was proposed, its cards, what is decided about it, and what followed in the network.

import { keepPreviousData, useInfiniteQuery, useMutation, useQueries, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type BulkAct = Schemas["BulkActionShown"];
export type ActCard = Schemas["BulkActionCardShown"];
export type Progress = Schemas["BulkActionProgressShown"];

export const PAGE = 50;
const SOON = 1_000;
const LATER = 20_000;

export const actKey = (actId: string) => ["acts", actId] as const;

/** How many changes of the network are still on their way. */
export function onTheWay(progress: Progress | undefined): number {
  return (progress?.elements ?? []).reduce((sum, one) => sum + (one.counts.waiting ?? 0), 0);
}

export const isRunning = (act: BulkAct | undefined): boolean => act?.state === "running";

/** Whether both names are one person's, whatever case they were written in. */
export const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

function actOf(actId: string): Promise<BulkAct> {
  return told(api.GET(`${BASE}/acts/{actId}`, { params: { path: { actId } } }));
}
function progressOf(actId: string): Promise<Progress> {
  return told(api.GET(`${BASE}/acts/{actId}/progress`, { params: { path: { actId } } }));
}

export function useActs(waiting: Ref<boolean>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ["acts", "list", waiting.value] as const),
    queryFn: ({ pageParam }) =>
      told(api.GET(`${BASE}/acts`, { params: { query: { limit: PAGE, ...(waiting.value ? { waiting: true } : {}), ...(pageParam ? { after: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    refetchInterval: (now) => (now.state.data?.pages.some((page) => page.items.some(isRunning)) ? SOON * 2 : LATER),
  });
  return { ...query, rows: computed<BulkAct[]>(() => query.data.value?.pages.flatMap((page) => page.items) ?? []) };
}

/** A bulk action, and how far network and notices are with it: read again while something is on its way. */
export function useBulkAct(actId: Ref<string>) {
  const act = useQuery({
    queryKey: computed(() => actKey(actId.value)),
    queryFn: () => actOf(actId.value),
    refetchInterval: (now) => (isRunning(now.state.data) ? SOON : LATER),
  });
  const begun = computed(() => !!act.data.value?.approvedAt);
  const progress = useQuery({
    queryKey: computed(() => [...actKey(actId.value), "progress", begun.value] as const),
    queryFn: () => progressOf(actId.value),
    enabled: begun,
    refetchInterval: (now) => (isRunning(act.data.value) || onTheWay(now.state.data) ? SOON * 2 : LATER),
  });
  const undoing = useQueries({
    queries: computed(() =>
      (act.data.value?.undoneBy ?? []).map((id) => ({ queryKey: actKey(id), queryFn: () => actOf(id), refetchInterval: SOON * 2 })),
    ),
  });
  return { act, progress, undoing: computed(() => undoing.value.flatMap((one) => (one.data ? [one.data] : []))) };
}

export function useActCards(actId: Ref<string>, page: Ref<number>) {
  return useQuery({
    queryKey: computed(() => [...actKey(actId.value), "cards", page.value] as const),
    queryFn: () => {
      const query = { limit: PAGE, ...(page.value ? { after: String(page.value * PAGE) } : {}) };
      return told(api.GET(`${BASE}/acts/{actId}/cards`, { params: { path: { actId: actId.value }, query } }));
    },
    placeholderData: keepPreviousData,
  });
}

export type Decision = "approve" | "reject" | "undo";

export function useDecision(actId: Ref<string>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ what, why, without }: { what: Decision; why: string; without: string[] }) => {
      const path = { params: { path: { actId: actId.value } } };
      if (what === "approve") return told(api.POST(`${BASE}/acts/{actId}/approve`, { ...path, body: { why, without } }));
      return told(api.POST(`${BASE}/acts/{actId}/${what}`, { ...path, body: { why } }));
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["acts"] }),
  });
}
