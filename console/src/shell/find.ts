// One search box: a number in any form, or the id of an order, leads to one page.

import type { QueryClient } from "@tanstack/vue-query";

import { api, BASE, Problem, told } from "@/api/client";
import { dossierKey } from "@/card/dossier";

export interface Found {
  /** The order whose card is shown; null: there is no record of it. */
  orderId: string | null;
  /** Whether the text is a number or an id at all. */
  readable: boolean;
}

const ORDER = /^[VROD][0-9A-HJKMNP-TV-Z]{12}$/;
const NUMBER = /^\+?[0-9][0-9]{4,19}$/;

/** An order id as it is written by hand or read aloud: small letters, spaces, O for 0, I and L for 1. */
export function orderIdOf(text: string): string | null {
  const plain = text.replace(/[\s-]/g, "").toUpperCase();
  const id = plain.slice(0, 1) + plain.slice(1).replace(/O/g, "0").replace(/[IL]/g, "1");
  return ORDER.test(id) ? id : null;
}

/** A number without what is written around and between its digits; null: the text is none. The API reads the rest. */
export function numberOf(text: string): string | null {
  const plain = text.normalize("NFKC").trim().replace(/^tel:/i, "").replace(/[\s().·-]/g, "");
  return NUMBER.test(plain) ? plain : null;
}

/** Find the order that a text leads to. Of a number: its latest order; the dossier read on the way is kept. */
export async function find(text: string, client: QueryClient): Promise<Found> {
  const orderId = orderIdOf(text);
  if (orderId) {
    const asked = api.GET(`${BASE}/orders/{orderId}`, { params: { path: { orderId } } });
    const file = await nothingIfAbsent(told(asked));
    if (file) client.setQueryData(["order", orderId], file);
    return { orderId: file ? orderId : null, readable: true };
  }
  const phoneNumber = numberOf(text);
  if (!phoneNumber) return { orderId: null, readable: false };
  const asked = api.POST(`${BASE}/cards/retrieve-dossier`, { body: { phoneNumber } });
  const dossier = await nothingIfAbsent(told(asked));
  const latest = dossier?.orders[0]?.id ?? null;
  if (dossier && latest) client.setQueryData(dossierKey(latest), dossier);
  return { orderId: latest, readable: true };
}

async function nothingIfAbsent<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
