// The installation as its people see it: alarms, differences in the network, health.

import { useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Alarm = Schemas["AlarmShown"];
export const MOST = 200; // rows that are asked for; a list that is as long says that there may be more

export function useAlarms(all: Ref<boolean>) {
  return useQuery({
    queryKey: computed(() => ["alarms", all.value] as const),
    queryFn: async () => {
      const query = { limit: MOST, ...(all.value ? {} : { open: true }) };
      return (await told(api.GET(`${BASE}/alarms`, { params: { query } }))).items;
    },
    refetchInterval: 60_000,
  });
}

export function useClear() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (asked: { source: string; why: string }): Promise<void> => {
      await told(api.POST(`${BASE}/alarms/clear`, { body: asked }));
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["alarms"] }),
  });
}

export function useDrifts() {
  return useQuery({
    queryKey: ["drifts"],
    queryFn: async () => (await told(api.GET(`${BASE}/drifts`, { params: { query: { limit: MOST } } }))).items,
  });
}
