// Objections: which wait, what was said, and what is decided.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Objection = Schemas["OrderShown"];
const PAGE = 50;

/** What the holder said: first in the objection itself, and later each time they came again. */
export function saidAgain(file: Schemas["OrderFileShown"]): { at: string; text: string }[] {
  return file.trail.filter((one) => one.what.endsWith("attach")).map(({ at, why }) => ({ at, text: why }));
}

export function useObjections(closed: Ref<boolean>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ["objections", closed.value] as const),
    queryFn: ({ pageParam }) => {
      const which = closed.value ? { sort: "updated" as const } : { open: true, sort: "due" as const };
      const asked = { kind: "objection" as const, limit: PAGE, ...which, ...(pageParam ? { after: pageParam } : { counts: true }) };
      return told(api.GET(`${BASE}/orders`, { params: { query: asked } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    refetchInterval: 30_000,
  });
  const pages = computed(() => query.data.value?.pages ?? []);
  return {
    ...query,
    rows: computed<Objection[]>(() => pages.value.flatMap((page) => page.items)),
    total: computed(() => pages.value[0]?.counts?.total ?? null),
  };
}

export function useFiling() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["ObjectionAsked"]) => told(api.POST(`${BASE}/objections`, { body })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ["objections"] }),
  });
}
