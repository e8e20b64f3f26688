// Pictures of holders: in the memory of this page alone, and given back when they are left. Nothing here caches.

import { api, BASE, type Schemas, told } from "@/api/client";

export type ReviewFile = Omit<Schemas["ReviewFileShown"], "reference" | "captured">;

/** A review that is open: what was measured, and addresses of the pictures, which end with `release`. */
export interface Opened {
  file: ReviewFile;
  reference: string | null;
  captured: string | null;
  release: () => void;
}

const KINDS: readonly [kind: string, first: readonly number[]][] = [
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
];

/** The picture of a base64 text. Its kind is what its first bytes say; an unknown one is shown as none. */
export function pictureOf(base64: string | null): Blob | null {
  if (!base64) return null;
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const kind = KINDS.find(([, first]) => first.every((byte, at) => bytes[at] === byte))?.[0];
  return kind ? new Blob([bytes], { type: kind }) : null;
}

/** Ask for the pictures of a review. Who looked, and why, stands in the audit trail: ask for the open one only. */
export async function openReview(orderId: string, why: string): Promise<Opened> {
  const asked = { params: { path: { orderId } }, body: { why }, cache: "no-store" } as const;
  const { reference, captured, ...file } = await told(api.POST(`${BASE}/reviews/{orderId}/pictures`, asked));
  const addresses = [reference, captured].map((one) => {
    const picture = pictureOf(one);
    return picture && URL.createObjectURL(picture);
  });
  return {
    file,
    reference: addresses[0] ?? null,
    captured: addresses[1] ?? null,
    release: () => addresses.forEach((one) => one && URL.revokeObjectURL(one)),
  };
}
