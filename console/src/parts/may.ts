// Which pages a role is led to. What anybody may do is decided by the API; a page that could only refuse is not offered.

import type { Schemas } from "@/api/client";

type Role = Schemas["Role"];
const DESK: readonly Role[] = ["desk", "supervisor"];
const READERS: readonly Role[] = [...DESK, "regulator"];

const FOR: Readonly<Record<string, readonly Role[]>> = {
  today: READERS,
  queue: READERS,
  order: READERS,
  reviews: DESK,
  counter: DESK,
  objections: READERS,
  acts: DESK,
  act: DESK,
  takes: DESK,
  police: ["police"],
  ring: [...DESK, "police"],
  "ring-found": [...DESK, "police"],
  "outlet-ring": [...DESK, "police"],
  assessment: READERS,
  listings: READERS,
  listing: READERS,
  rules: READERS,
  audit: ["supervisor", "regulator"],
};

/** Whether a page is one for this role; one that is not named here is for everybody. */
export function mayOpen(page: string, role: Role): boolean {
  return FOR[page]?.includes(role) ?? true;
}

/** Where somebody of this role begins. */
export function homeOf(role: Role): string {
  return role === "police" ? "police" : "today";
}
