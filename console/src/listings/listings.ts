// Listings for rectification: who is on the way on or off the list, and what whoever asks may do with one.

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Listing = Schemas["ListingShown"];
export type Act = Schemas["ListingEvent"];

const LETTERS: Partial<Record<Act, string>> = {
  approve: "a", reject: "x", file_evidence: "e", object: "o", uphold: "h", dismiss: "d",
  find_mended: "m", find_not_mended: "f", delist: "l",
};
export const GRAVE: ReadonlySet<Act> = new Set<Act>(["approve", "dismiss", "find_not_mended"]);
/** What is filed for a unit is a text of its own; all else takes a reason. */
export const FILED: ReadonlySet<Act> = new Set<Act>(["file_evidence", "object"]);
export const letterOf = (act: Act): string => LETTERS[act] ?? "";

export function useListings(all: Ref<boolean>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ["listings", all.value] as const),
    queryFn: ({ pageParam }) =>
      told(api.GET(`${BASE}/listings`, { params: { query: { all: all.value, limit: 50, ...(pageParam ? { after: pageParam } : {}) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
  return { ...query, rows: computed<Listing[]>(() => query.data.value?.pages.flatMap((page) => page.items) ?? []) };
}

export function useListing(id: Ref<string>) {
  return useQuery({
    queryKey: computed(() => ["listing", id.value] as const),
    queryFn: () => told(api.GET(`${BASE}/listings/{listingId}`, { params: { path: { listingId: id.value } } })),
  });
}

function move(id: string, act: Act, text: string) {
  const params = { path: { listingId: id } };
  const because = { params, body: { why: text } };
  switch (act) {
    case "approve": return api.POST(`${BASE}/listings/{listingId}/approve`, because);
    case "reject": return api.POST(`${BASE}/listings/{listingId}/reject`, because);
    case "delist": return api.POST(`${BASE}/listings/{listingId}/delist`, because);
    case "file_evidence": return api.POST(`${BASE}/listings/{listingId}/evidence`, { params, body: { text } });
    case "object": return api.POST(`${BASE}/listings/{listingId}/object`, { params, body: { text } });
    case "uphold": case "dismiss":
      return api.POST(`${BASE}/listings/{listingId}/decide`, { params, body: { uphold: act === "uphold", why: text } });
    default:
      return api.POST(`${BASE}/listings/{listingId}/check`, { params, body: { mended: act === "find_mended", why: text } });
  }
}

export function useMove(id: Ref<string>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ act, text }: { act: Act; text: string }) => told(move(id.value, act, text)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["listing", id.value] });
      void client.invalidateQueries({ queryKey: ["listings"] });
    },
  });
}
