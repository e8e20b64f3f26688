// Rings, outlets and devices, as the API lists them; the picture of one, its files, and a stop of its cards.

import { useMutation, useQuery } from "@tanstack/vue-query";
import { computed, markRaw, type Ref } from "vue";

import { api, BASE, Problem, type Schemas, told } from "@/api/client";

import { asked, type Basis, numbered, type Seed } from "./basis";

export type Picture = Schemas["RingPictureShown"];
export type RingFile = Schemas["RingFile"];

const PAGE = 1_000; // rows of a list: more than a province has, and the page says so where there are more

/** `read` with the three lists of a graph, which change once a night. */
const NIGHTLY = { staleTime: 300_000, refetchOnWindowFocus: false } as const;

export function useRings() {
  const query = { limit: PAGE };
  return useQuery({ queryKey: ["rings"], queryFn: () => told(api.GET(`${BASE}/rings`, { params: { query } })), ...NIGHTLY });
}

export function useOutlets() {
  const query = { limit: PAGE };
  return useQuery({ queryKey: ["outlets"], queryFn: () => told(api.GET(`${BASE}/outlets`, { params: { query } })), ...NIGHTLY });
}

export function useDevices() {
  const query = { limit: PAGE };
  return useQuery({ queryKey: ["devices"], queryFn: () => told(api.GET(`${BASE}/devices`, { params: { query } })), ...NIGHTLY });
}

/** The picture of a ring. Each reading is a lookup in the audit trail, so it is read once and not by itself again. */
export function usePicture(seed: Ref<Seed | null>, basis: Ref<Basis | null>) {
  return useQuery({
    queryKey: computed(() => ["ring", seed.value, basis.value] as const),
    queryFn: async () => {
      if (!seed.value || !basis.value) throw new Problem(0, "NO_BASIS", "");
      const picture = await told(api.POST(`${BASE}/rings/retrieve-picture`, { body: asked(seed.value, basis.value) }));
      return markRaw(picture); // 13,000 cards that never change: watching each of them would take seconds
    },
    structuralSharing: false,
    enabled: computed(() => seed.value !== null && basis.value !== null),
    staleTime: Infinity,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
    retry: false,
  });
}

/** Read a file of the ring and hand it to the browser to keep. */
export function useRingFile() {
  return useMutation({
    mutationFn: async ({ seed, basis, file, language }: { seed: Seed; basis: Basis; file: RingFile; language: string }) => {
      const headers = { "Accept-Language": language };
      const body = { ...asked(seed, basis), file };
      const content: unknown = await told(api.POST(`${BASE}/rings/retrieve-file`, { body, headers, parseAs: "blob" }));
      keep(content as Blob, `${seed.ring ?? "ring"}-${file}`);
    },
  });
}

function keep(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export interface Stop {
  event: Schemas["RingStopAsked"]["event"];
  zh: string;
  en: string;
  certainty: number;
  until: string | null;
}

export function useRingStop() {
  return useMutation({
    mutationFn: ({ seed, basis, stop }: { seed: Seed; basis: Basis; stop: Stop }) => {
      const { zh, en, ...rest } = stop;
      const body = { ...seed, ...numbered(basis), ...rest, reason: { zh, en } };
      return told(api.POST(`${BASE}/rings/propose-stop`, { body }));
    },
  });
}

export function useOpenCase() {
  return useMutation({
    mutationFn: ({ seed, ground, title, why }: { seed: Seed; ground: string; title: string; why: string }) => {
      const { marks: _marks, ...begins } = seed;
      return told(api.POST(`${BASE}/cases`, { body: { ...begins, ground, title, why } }));
    },
  });
}
