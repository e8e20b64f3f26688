// What a bulk action did and how it was taken back, as sentences.

import type { BulkAct, Progress } from "./acts";

export interface Sentence {
  key: string;
  values: Record<string, string>;
}

export interface Telling {
  event: (event: string) => string;
  time: (at: string) => string;
  count: (many: number) => string;
}

/** "155 cards were suspended at 10:16", and what became of it; `undoing`: the bulk actions that put it back. */
export function story(act: BulkAct, undoing: BulkAct[], say: Telling): Sentence[] {
  const told: Sentence[] = [];
  const values = { event: say.event(act.event), by: act.proposedBy, total: say.count(act.total), done: say.count(act.done), skipped: say.count(act.skipped), at: say.time(act.proposedAt) };
  if (act.undoes) told.push({ key: act.undoes.startsWith("T") ? "ofTake" : "ofAct", values: { id: act.undoes } });
  if (act.state === "proposed") return [...told, { key: "proposed", values }];
  if (act.state === "rejected") return [...told, { key: "rejected", values: { ...values, at: say.time(act.finishedAt ?? act.proposedAt) } }];
  if (act.state === "running") return [...told, { key: "running", values: { ...values, left: say.count(act.total - act.done - act.skipped) } }];
  told.push({ key: "done", values: { ...values, at: say.time(act.approvedAt ?? act.proposedAt) } });
  // what was put back at once goes before what still waits
  for (const back of [...undoing].sort((a, b) => Number(a.state === "proposed") - Number(b.state === "proposed"))) {
    const how = { id: back.id, by: back.proposedBy, at: say.time(back.proposedAt), done: say.count(back.done), total: say.count(back.total), skipped: say.count(back.skipped) };
    const waits = back.state === "proposed";
    told.push({ key: waits ? "backProposed" : back.state === "rejected" ? "backRejected" : "back", values: how });
  }
  if (act.state === "partly_undone") told.push({ key: "partly", values: {} });
  return told;
}

/** Notices by what became of them, those sent and answered first. */
export function noticed(progress: Progress | undefined): [string, number][] {
  const order = ["delivered", "sent", "waiting", "undelivered", "given_up"];
  const rank = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(progress?.notices ?? {}).sort(([one], [other]) => rank(one) - rank(other));
}
