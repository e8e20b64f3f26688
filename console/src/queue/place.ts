// Where somebody is in the queue: kept while they look at a card, so that the next case is known before it is asked for.

import { reactive } from "vue";

interface Place {
  /** Ids of the orders as the list showed them. */
  orders: string[];
  /** Row under the cursor. */
  at: number;
  /** The list's address, to go back to. */
  from: string;
}

export const place = reactive<Place>({ orders: [], at: 0, from: "/queue" });

/** The order after this one in the list that was left; null: it was the last, or no list was. */
export function after(orderId: string): string | null {
  const at = place.orders.indexOf(orderId);
  return at < 0 ? null : (place.orders[at + 1] ?? null);
}
