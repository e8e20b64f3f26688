// What may be done with an order now: the API says it; each act has a letter, and takes a reason.

import { useMutation, useQueryClient } from "@tanstack/vue-query";

import { api, BASE, type Schemas, told } from "@/api/client";

import { dossierKey, orderKey } from "./dossier";

export type Act = Schemas["Event"];

// letters of the keyboard, none of which moves in a list or leaves the page
const LETTERS: Partial<Record<Act, string>> = {
  begin: "b", submit: "s", pass: "p", fail: "f", to_counter: "c", to_fraud_centre: "g", withdraw: "w",
  restore: "e", ease: "d", ease_to_lifeline: "l", accept: "a", uphold: "h", reject: "x",
};
export const READY = ["called", "counter", "document", "mistake", "noAnswer", "suspicious"] as const;
export const GRAVE: ReadonlySet<Act> = new Set<Act>(["fail", "reject"]);

export const letterOf = (act: Act): string => LETTERS[act] ?? "";

type Path = `${typeof BASE}/orders/{orderId}/pass`;

/** Each act is a path of its own, alike but for its last part (docs/API.md). */
export function pathOf(kind: Schemas["Kind"], act: Act): Path {
  const of = kind === "objection" ? "objections" : "orders";
  return `${BASE}/${of}/{orderId}/${act.replaceAll("_", "-")}` as Path;
}

export function useAct() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ order, act, why }: { order: Schemas["OrderShown"]; act: Act; why: string }) =>
      told(api.POST(pathOf(order.kind, act), { params: { path: { orderId: order.id } }, body: { why } })),
    onSuccess: (_moved, { order }) => {
      void client.invalidateQueries({ queryKey: orderKey(order.id) });
      void client.invalidateQueries({ queryKey: dossierKey(order.id) });
      void client.invalidateQueries({ queryKey: ["queue"] });
    },
  });
}
