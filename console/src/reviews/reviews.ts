// Checks online that wait for a person, and what is decided about them.

import { type QueryClient, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";
import { type Act, letterOf, pathOf } from "@/card/acts";
import { fileOf, orderKey } from "@/card/dossier";

export type Review = Schemas["ReviewShown"];
export type Decision = "pass" | "fail" | "to_counter" | "not_mine";

const KEY = ["reviews"] as const;
const LIVE = { refetchInterval: 20_000 };

/** Letters of the decisions: those of the acts, and one that only a review has. */
export const letter = (decision: Decision): string => (decision === "not_mine" ? "m" : letterOf(decision));

/** What may be decided: what the API names, and of a holder who disowns the number nothing but that and the counter. */
export function decisionsOf(acts: readonly Act[], disowns: boolean): Decision[] {
  const named = (["pass", "fail", "to_counter"] as const).filter((one) => acts.includes(one));
  return disowns ? ["not_mine", ...named.filter((one) => one === "to_counter")] : named;
}

/** The review after this one; null: there is none but this. After the last comes the first that is left. */
export function nextOf(ids: readonly string[], orderId: string): string | null {
  const rest = [...ids.slice(ids.indexOf(orderId) + 1), ...ids.slice(0, Math.max(0, ids.indexOf(orderId)))];
  return rest.find((id) => id !== orderId) ?? null;
}

export function useReviews() {
  const query = useInfiniteQuery({
    queryKey: KEY,
    queryFn: ({ pageParam }) => {
      const asked = pageParam ? { after: pageParam, limit: 50 } : { limit: 50 };
      return told(api.GET(`${BASE}/reviews`, { params: { query: asked } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    ...LIVE,
  });
  const total = useQuery({
    queryKey: [...KEY, "total"],
    queryFn: async () => {
      const asked = { state: "under_review", open: true, counts: true, limit: 1 } as const;
      return (await told(api.GET(`${BASE}/orders`, { params: { query: asked } }))).counts?.total ?? null;
    },
    ...LIVE,
  });
  return {
    ...query,
    rows: computed<Review[]>(() => query.data.value?.pages.flatMap((page) => page.items) ?? []),
    total: computed(() => total.data.value ?? null),
  };
}

/** Read the order of the next review. Not its pictures: whoever sees those stands in the trail as having looked. */
export function readBefore(client: QueryClient, orderId: string): void {
  void client.prefetchQuery({ queryKey: orderKey(orderId), queryFn: () => fileOf(orderId) });
}

export function useDecision() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ orderId, decision, why }: { orderId: string; decision: Decision; why: string }) => {
      const asked = { params: { path: { orderId } }, body: { why } };
      return told(
        decision === "not_mine"
          ? api.POST(`${BASE}/reviews/{orderId}/not-mine`, asked)
          : api.POST(pathOf("verification", decision), asked),
      );
    },
    onSettled: (_answer, _error, { orderId }) => {
      void client.invalidateQueries({ queryKey: KEY });
      void client.invalidateQueries({ queryKey: orderKey(orderId) });
    },
  });
}
