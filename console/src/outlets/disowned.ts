// Cards that their registrants disowned, by the outlet that was recorded at the counter, over a year.

import { useQuery } from "@tanstack/vue-query";
import { computed } from "vue";

import { api, BASE, told } from "@/api/client";
import { count } from "@/parts/times";
import { useOutlets } from "@/rings/rings";

const YEAR = 365 * 86_400_000;

export function useDisowned() {
  const outlets = useOutlets();
  const { data } = useQuery({
    queryKey: ["disowned"],
    queryFn: () => {
      const now = Date.now();
      const query = { since: new Date(now - YEAR).toISOString(), until: new Date(now).toISOString() };
      return told(api.GET(`${BASE}/figures/disowned-outlets`, { params: { query } }));
    },
    staleTime: 300_000,
  });
  const by = computed(() => new Map((data.value?.items ?? []).map((one) => [one.outlet.toLowerCase(), one.cards])));
  return {
    /** Of an outlet, or a dash while it is not known (or may not be seen). */
    of: (outlet: string): string => (data.value ? count(by.value.get(outlet.toLowerCase()) ?? 0) : "–"),
    /** Cards disowned whose outlet is not in the list: of none, or of one without new cards. */
    rest: computed(() => {
      const listed = new Set((outlets.data.value?.items ?? []).map((one) => one.outlet.toLowerCase()));
      return [...by.value].reduce((sum, [outlet, cards]) => sum + (listed.has(outlet) ? 0 : cards), 0);
    }),
  };
}
