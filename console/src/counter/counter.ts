// What a counter sees and records, and what waits there for a second person.

import { useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/vue-query";
import { computed } from "vue";

import { api, BASE, Problem, type Schemas, told } from "@/api/client";
import { fileOf, orderKey } from "@/card/dossier";
import { numberOf, orderIdOf } from "@/shell/find";

export type Standing = Schemas["CounterStandingShown"];
export type Waiting = Schemas["CounterWaitingShown"];
export type OrderFile = Schemas["OrderFileShown"];
export const DOCUMENTS = ["id_card", "residence_permit", "passport", "other"] as const satisfies readonly Schemas["Document"][];

/** What a holder brought led to. `elsewhere`: the order is out of this clerk's scope, and may be recorded unseen. */
export type Brought =
  | { of: "order"; id: string; file: OrderFile; differs: boolean }
  | { of: "elsewhere"; id: string }
  | { of: "unreadable" | "nothing" };

/** Whether a masked number can be the one that was typed: what it shows of it is the same. */
export function canBe(masked: string, typed: string): boolean {
  const digits = (text: string): string => text.replace(/[^0-9*]/g, "");
  const [first = "", last = ""] = digits(masked).split(/\*+/);
  const plain = digits(typed).replace(/^00/, "");
  const whole = plain.startsWith("86") || !first.startsWith("86") ? plain : `86${plain}`;
  return whole.startsWith(first) && whole.endsWith(last);
}

/** Read the order whose number the notice has. The phone number beside it only says whether it is this card's. */
export async function brought(order: string, phone: string): Promise<Brought> {
  const id = orderIdOf(order);
  const typed = phone.trim() ? numberOf(phone) : "";
  if (!id || id.startsWith("O") || typed === null) return { of: "unreadable" };
  try {
    const file = await fileOf(id);
    return { of: "order", id, file, differs: !!typed && !canBe(file.order.phoneNumber, typed) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 404) return { of: "nothing" };
    if (error.status === 403) return { of: "elsewhere", id };
    throw error;
  }
}

export interface Seen {
  document: Schemas["Document"];
  counter: string;
  why: string;
}

function useAnew() {
  const client = useQueryClient();
  return (orderId?: string) => {
    void client.invalidateQueries({ queryKey: ["counter"] });
    void client.invalidateQueries({ queryKey: ["queue"] });
    if (orderId) void client.invalidateQueries({ queryKey: orderKey(orderId) });
  };
}

/** Record that the holder was seen; of a disavowal, that the number is theirs after all. */
export function useVerify() {
  const anew = useAnew();
  return useMutation({
    mutationFn: ({ orderId, ...seen }: Seen & { orderId: string }) => {
      const all = { ...seen, personPresent: true, cardInHand: true, noticeSigned: true };
      const asked = { params: { path: { orderId } }, body: all };
      return orderId.startsWith("D")
        ? told(api.POST(`${BASE}/disavowals/{orderId}/take-back`, asked))
        : told(api.POST(`${BASE}/orders/{orderId}/counter-check`, asked));
    },
    onSettled: (_done, _error, { orderId }) => anew(orderId),
  });
}

/** Record that a registrant disowns a number. */
export function useDisown() {
  const anew = useAnew();
  return useMutation({
    mutationFn: (seen: Seen & { phoneNumber: string; outlet: string }) =>
      told(api.POST(`${BASE}/disavowals`, { body: { ...seen, personPresent: true, inRegister: true, statementSigned: true } })),
    onSettled: () => anew(),
  });
}

export interface SecondPerson {
  login: string;
  password: string;
}

/** Confirm what somebody recorded: as whoever is signed in, or as a second person who signs in for this alone. */
export function useConfirm() {
  const anew = useAnew();
  return useMutation({
    mutationFn: ({ orderId, why, second }: { orderId: string; why: string; second: SecondPerson | null }) => {
      const path = { params: { path: { orderId } } };
      if (second) return told(api.POST(`${BASE}/counter-checks/{orderId}/confirm`, { ...path, body: { ...second, why } }));
      return orderId.startsWith("D")
        ? told(api.POST(`${BASE}/disavowals/{orderId}/confirm`, { ...path, body: { why } }))
        : told(api.POST(`${BASE}/orders/{orderId}/counter-check/confirm`, { ...path, body: { why } }));
    },
    gcTime: 0, // its variables hold a password
    onSettled: (_done, _error, { orderId }) => anew(orderId),
  });
}

export function useDiscard() {
  const anew = useAnew();
  return useMutation({
    mutationFn: ({ orderId, why }: { orderId: string; why: string }) => {
      const asked = { params: { path: { orderId } }, body: { why } };
      return orderId.startsWith("D")
        ? told(api.POST(`${BASE}/disavowals/{orderId}/reject`, asked))
        : told(api.POST(`${BASE}/orders/{orderId}/counter-check/reject`, asked));
    },
    onSettled: (_done, _error, { orderId }) => anew(orderId),
  });
}

export function useWaitingChecks() {
  const query = useInfiniteQuery({
    queryKey: ["counter", "waiting"],
    queryFn: ({ pageParam }) => {
      const asked = pageParam ? { after: pageParam, limit: 50 } : { limit: 50 };
      return told(api.GET(`${BASE}/counter-checks`, { params: { query: asked } }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    refetchInterval: 20_000,
  });
  return { ...query, rows: computed<Waiting[]>(() => query.data.value?.pages.flatMap((page) => page.items) ?? []) };
}

const KEPT = "duanka.counter";

/** The name of this counter, as it was written last at this screen. */
export function thisCounter(): string {
  return localStorage.getItem(KEPT) ?? "";
}
export function keepCounter(name: string): void {
  localStorage.setItem(KEPT, name);
}
