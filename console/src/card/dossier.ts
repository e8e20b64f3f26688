// All that is known of the card of an order, and the order itself; the next case is read before it is opened.

import { type QueryClient, useQuery } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Dossier = Schemas["DossierShown"];
export type OrderFile = Schemas["OrderFileShown"];

export const dossierKey = (orderId: string) => ["dossier", orderId] as const;
export const orderKey = (orderId: string) => ["order", orderId] as const;

function dossierOf(orderId: string): Promise<Dossier> {
  const asked = { params: { path: { orderId } }, body: {} };
  return told(api.POST(`${BASE}/orders/{orderId}/retrieve-dossier`, asked));
}

export function fileOf(orderId: string): Promise<OrderFile> {
  return told(api.GET(`${BASE}/orders/{orderId}`, { params: { path: { orderId } } }));
}

export function useCase(orderId: Ref<string>) {
  return {
    file: useQuery({ queryKey: computed(() => orderKey(orderId.value)), queryFn: () => fileOf(orderId.value) }),
    dossier: useQuery({ queryKey: computed(() => dossierKey(orderId.value)), queryFn: () => dossierOf(orderId.value) }),
  };
}

/** Read a case before somebody opens it. Each look stands in the audit trail, so it is only ever the next one. */
export function prefetch(client: QueryClient, orderId: string): void {
  void client.prefetchQuery({ queryKey: orderKey(orderId), queryFn: () => fileOf(orderId) });
  void client.prefetchQuery({ queryKey: dossierKey(orderId), queryFn: () => dossierOf(orderId) });
}
