// What speaks against stopping the cards of a ring: what a second person will ask, told before it is proposed.

import type { Picture } from "./rings";

export interface Objection {
  name: "all" | "firm" | "noEvidence" | "unsure" | "noRule" | "stock" | "people" | "confirmed";
  cards: number;
}

const PEOPLE: ReadonlySet<string> = new Set(["operator", "minder", "supplier"]);

/** How many cards a stop above `certainty` would reach, and of them those that rules or their use say nothing against. */
export function objections(picture: Picture, certainty: number): Objection[] {
  const { cards } = picture;
  const count = (name: Objection["name"], is: (card: number) => unknown): Objection => ({
    name,
    cards: cards.certainties.reduce((sum, sure, card) => sum + (sure > certainty && is(card) ? 1 : 0), 0),
  });
  const found: Objection[] = [
    count("all", () => true),
    count("confirmed", (card) => cards.confirmed[card]),
    count("noRule", (card) => !cards.atRisk[card] && !cards.confirmed[card]),
    count("stock", (card) => cards.roles[card] === "stock"),
    count("people", (card) => PEOPLE.has(cards.roles[card] ?? "")),
    { name: "unsure", cards: cards.certainties.filter((sure) => sure <= certainty).length },
  ];
  if (picture.firm) found.push({ name: "firm", cards: picture.joined });
  if (!picture.atRisk && !picture.confirmed) found.push({ name: "noEvidence", cards: picture.joined });
  return found.filter((one) => one.cards > 0 || one.name === "all" || one.name === "confirmed");
}
