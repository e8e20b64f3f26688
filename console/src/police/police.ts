// What the police ask of a card: look, stop by their notice, consent to its release. Each with their case number.

import { useMutation } from "@tanstack/vue-query";

import { api, BASE, type Schemas, told } from "@/api/client";

export type PoliceAct = "police_stop" | "police_release";
export const FRAUD_KINDS = [
  "task_rebate", "fake_service", "investment", "fake_police", "loan", "acquaintance", "shopping", "romance", "credit", "game",
] as const satisfies readonly Schemas["FraudKind"][];

export interface CardOfCase {
  phoneNumber: string;
  caseNumber: string;
}

/** Read a card. It is no query: each look is one that somebody asks for by their case, and stands in the trail. */
export function useLook() {
  return useMutation({
    mutationFn: (card: CardOfCase) => told(api.POST(`${BASE}/cards/retrieve-dossier`, { body: card })),
  });
}

export function usePoliceAct() {
  return useMutation({
    mutationFn: ({ act, why, fraudKind, ...card }: CardOfCase & { act: PoliceAct; why: string; fraudKind: Schemas["FraudKind"] | "" }) =>
      act === "police_stop"
        ? told(api.POST(`${BASE}/cards/police-stop`, { body: { ...card, why, fraudKind: fraudKind || null } }))
        : told(api.POST(`${BASE}/cards/police-release`, { body: { ...card, why } })),
  });
}
