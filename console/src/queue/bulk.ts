// A bulk action for selected orders: what it would do, and its proposal. Numbers are masked, so orders are named.

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

import type { Filters } from "./filters";
import type { Selection } from "./selection";

type Look = Schemas["NamedOrdersLook"] | Schemas["MatchingOrdersLook"];
export type BulkEvent = Look["event"];
export type Preview = Schemas["ChosenOrdersShown"];
export type Chosen = Schemas["ChosenCardShown"];

export const STOPS: BulkEvent[] = ["bar_outgoing", "lifeline", "suspend", "punish", "cancel"];
export const LIFTS: BulkEvent[] = ["restore", "ease", "ease_to_lifeline", "withdraw"];
export const READY = ["report", "ring", "mistake", "verified"] as const;

/** The filter's conditions as `preview-act` takes them. */
export function conditions(filters: Filters): Schemas["MatchingOrders"] {
  const { sort: _sort, closed, ...rest } = filters;
  return { ...rest, ...(closed ? {} : { open: true }) } as Schemas["MatchingOrders"];
}

export function asked(event: BulkEvent, selection: Selection, filters: Filters): Look {
  return selection.all ? { event, matching: conditions(filters) } : { event, orderIds: [...selection.rows] };
}

/** Cards that the bulk action is proposed for: those it changes, without the rows left out in the list or struck here. */
export function proposed(preview: Preview, selection: Selection, struck: ReadonlySet<string>): string[] {
  const gone = (id: string) => struck.has(id) || (selection.all && selection.rows.has(id));
  return preview.items.filter((one) => one.leftOut === null && !gone(one.orderId)).map((one) => one.orderId);
}

export function usePreview(event: Ref<BulkEvent>, selection: Ref<Selection>, filters: Ref<Filters>, open: Ref<boolean>) {
  return useQuery({
    queryKey: computed(() => ["preview-act", event.value, selection.value.all, [...selection.value.rows], filters.value] as const),
    queryFn: () => told(api.POST(`${BASE}/orders/preview-act`, { body: asked(event.value, selection.value, filters.value) })),
    enabled: computed(() => open.value && (selection.value.all || selection.value.rows.size > 0)),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0, // a preview is of its moment
    refetchOnWindowFocus: false,
  });
}

export function usePropose() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["OrdersActAsked"]) => told(api.POST(`${BASE}/orders/propose-act`, { body })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["acts"] });
      void client.invalidateQueries({ queryKey: ["queue"] });
    },
  });
}
