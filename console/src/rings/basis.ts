// Why and on what basis rings are looked up: asked once, kept while the page is open, and never in an address.

import { computed, reactive } from "vue";

export const KINDS = ["caseNumber", "policeNotice", "orderId"] as const;
export type BasisKind = (typeof KINDS)[number];

export interface Basis {
  why: string;
  kind: BasisKind;
  number: string;
  unmask: boolean;
}

/** What a search begins at, as the API names it; `marks` lead on from its ring. */
export interface Seed {
  ring?: string;
  outlet?: string;
  phoneNumber?: string;
  imei?: string;
  marks: string[];
}

const kept = reactive<{ basis: Basis | null; typed: Seed | null }>({ basis: null, typed: null });

export function useBasis() {
  return {
    basis: computed(() => kept.basis),
    /** A number or device that somebody typed: it stays in this page's memory. */
    typed: computed(() => kept.typed),
    set: (basis: Basis | null) => (kept.basis = basis),
    begin: (seed: Seed) => (kept.typed = seed),
  };
}

/** The body of a lookup of rings. */
export function asked(seed: Seed, basis: Basis) {
  return { ...seed, why: basis.why.trim(), unmask: basis.unmask, ...numbered(basis) };
}

export function numbered(basis: Basis): Partial<Record<BasisKind, string>> {
  return { [basis.kind]: basis.number.trim() };
}

/** What a person typed to begin at: a ring, a device of 14 to 16 digits, a number, or else an outlet. */
export function seedOf(text: string): Seed {
  const plain = text.normalize("NFKC").trim();
  const digits = plain.replace(/[\s()-]/g, "");
  if (/^R\d{1,9}$/i.test(plain)) return { ring: plain.toUpperCase(), marks: [] };
  if (/^\d{14,16}$/.test(digits)) return { imei: digits, marks: [] };
  if (/^\+?\d{10,13}$/.test(digits)) return { phoneNumber: digits, marks: [] };
  return { outlet: plain, marks: [] };
}
