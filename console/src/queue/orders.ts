// Orders of the queue, page by page, each with the cursor that the one before gave.

import { useInfiniteQuery } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

import { type Filters, parameters } from "./filters";

export type Order = Schemas["OrderShown"];
const PAGE = 50;

type Query = NonNullable<NonNullable<Parameters<typeof api.GET<`${typeof BASE}/orders`, object>>[1]>["params"]>;

export function useQueue(filters: Ref<Filters>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ["queue", filters.value] as const),
    queryFn: ({ pageParam }) => {
      const first = pageParam === "";
      const asked = { ...parameters(filters.value), limit: PAGE, ...(first ? { counts: true } : { after: pageParam }) };
      return told(api.GET(`${BASE}/orders`, { params: { query: asked } } as { params: Query }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    refetchOnWindowFocus: false, // rows move when somebody asks for it
  });
  const pages = computed(() => query.data.value?.pages ?? []);
  return {
    ...query,
    rows: computed<Order[]>(() => pages.value.flatMap((page) => page.items)),
    counts: computed(() => pages.value[0]?.counts ?? null),
  };
}

/** What the heaviest rule saw, in words; of an order that people asked for, its reason. */
export function seen(order: Order): Schemas["WordsShown"] {
  return order.hitSummaries[0]?.words ?? order.grounds.reason;
}
