// One line of time: what people and clocks did, what the holder was told, and what the network answered.

import type { Schemas } from "@/api/client";

export type Row = { key: string; at: string } & (
  | { of: "trail"; what: string; state: string; who: string; role: string; why: string }
  | { of: "notice"; text: string; outcome: string }
  | { of: "leg"; element: string; wanted: string; outcome: string; error: string }
);

/** Rows of an order's file, the latest first. Who looked at it stands in the audit trail, and would hide what happened. */
export function timeline(file: Schemas["OrderFileShown"]): Row[] {
  const rows: Row[] = [
    ...file.trail.filter((one) => !one.what.startsWith("read.")).map((one): Row => {
      const { state } = one.after as { state?: string };
      return { key: `t${one.seq}`, at: one.at, of: "trail", what: one.what, state: state ?? "", who: one.who, role: one.role, why: one.why };
    }),
    ...file.notices.map((one, at): Row => ({
      key: `n${at}`, at: one.sentAt ?? one.createdAt, of: "notice", text: one.text ?? "", outcome: one.outcome ?? "",
    })),
    ...file.legs.map((one, at): Row => ({
      key: `l${at}`, at: one.doneAt ?? one.createdAt, of: "leg", element: one.element, wanted: one.wanted,
      outcome: one.outcome ?? "", error: one.error ?? "",
    })),
  ];
  return rows.sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.key.localeCompare(a.key));
}
