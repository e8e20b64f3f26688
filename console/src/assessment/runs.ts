// Runs of the assessment: periods that were counted, with their figures and the comparison of units.

import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/vue-query";
import { computed, type Ref } from "vue";

import { api, BASE, type Schemas, told } from "@/api/client";

export type Run = Schemas["RunShown"];
export type Measure = Schemas["Measure"];
export type UnitKind = Schemas["UnitKind"];
export type Compared = Schemas["ComparedUnitShown"];
export type Comparison = Schemas["ComparisonShown"];
export type Candidate = Schemas["CandidateShown"];

export const KINDS: UnitKind[] = ["operator", "city", "outlet", "month", "platform"];
const PAGE = 50;
const MOST_COMPARED = 1_000;
const STAYS = { staleTime: Infinity }; // a run is counted once and changes no more

export function useRuns() {
  return useQuery({
    queryKey: ["runs"],
    queryFn: async () => (await told(api.GET(`${BASE}/assessment-runs`, { params: { query: { limit: 200 } } }))).items,
  });
}

export function useRun(id: Ref<string>) {
  return useQuery({
    queryKey: computed(() => ["run", id.value] as const),
    queryFn: () => told(api.GET(`${BASE}/assessment-runs/{runId}`, { params: { path: { runId: id.value } } })),
    enabled: computed(() => !!id.value),
  });
}

export function useFormulas() {
  const { data } = useQuery({
    queryKey: ["formulas"],
    queryFn: () => told(api.GET(`${BASE}/assessment-formulas`, {})),
    ...STAYS,
  });
  return computed(() => data.value?.items ?? []);
}

export function useFigures(id: Ref<string>, by: Ref<UnitKind>, measure: Ref<Measure>) {
  const query = useInfiniteQuery({
    queryKey: computed(() => ["run-figures", id.value, by.value, measure.value] as const),
    queryFn: ({ pageParam }) => {
      const asked = { by: by.value, measure: measure.value, limit: PAGE, ...(pageParam ? { after: pageParam } : {}) };
      return told(api.GET(`${BASE}/assessment-runs/{runId}/figures`, { params: { path: { runId: id.value }, query: asked } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    enabled: computed(() => !!id.value),
    ...STAYS,
  });
  return { ...query, rows: computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []) };
}

/** Units with limits of chance: for who sees all operators and cities (`whole`). */
export function useComparison(id: Ref<string>, by: Ref<UnitKind>, measure: Ref<Measure>, whole: Ref<boolean>) {
  return useQuery({
    queryKey: computed(() => ["run-comparison", id.value, by.value, measure.value] as const),
    queryFn: () => {
      const query = { by: by.value, measure: measure.value, limit: MOST_COMPARED };
      return told(api.GET(`${BASE}/assessment-runs/{runId}/comparison`, { params: { path: { runId: id.value }, query } }));
    },
    enabled: computed(() => !!id.value && whole.value),
    ...STAYS,
  });
}

export function useCandidates(id: Ref<string>) {
  return useQuery({
    queryKey: computed(() => ["run-candidates", id.value] as const),
    queryFn: () => told(api.GET(`${BASE}/assessment-runs/{runId}/candidates`, { params: { path: { runId: id.value } } })),
    enabled: computed(() => !!id.value),
  });
}

export function useCount() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (period: string) => told(api.POST(`${BASE}/assessment-runs`, { body: { period } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["runs"] }),
  });
}

export function usePropose() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (asked: Schemas["ListingAsked"]) => told(api.POST(`${BASE}/listings`, { body: asked })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["listings"] }),
  });
}

/** Where the report of a run is, as a file. */
export function reportOf(run: string, file: "pdf" | "xlsx", language: string): string {
  return `${BASE}/assessment-runs/${run}/report?file=${file}&language=${language}`;
}
