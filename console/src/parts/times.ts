// Times as people read them: in the operator's zone, which the API names; never the browser's.

const MINUTE = 60_000;
let zone = "Asia/Shanghai";
let format = formatOf(zone);

function formatOf(name: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: name, dateStyle: "short", timeStyle: "short" });
}

/** Show times in this zone from now on. */
export function useZone(name: string): void {
  if (name === zone) return;
  zone = name;
  format = formatOf(name);
}

/** "2026-11-30 09:05". */
export function moment(at: string): string {
  return format.format(new Date(at));
}

/** A span in milliseconds: "0:45", "13:05", and from two days on "3d 4h" or its Chinese. */
export function span(milliseconds: number, language: string): string {
  const minutes = Math.floor(Math.abs(milliseconds) / MINUTE);
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}:${String(minutes % 60).padStart(2, "0")}`;
  const [day, hour] = language === "zh" ? ["天", "小时"] : ["d", "h"];
  return `${Math.floor(hours / 24)}${day} ${hours % 24}${hour}`;
}

/** How long until `at`, in milliseconds: negative when it is past. */
export function until(at: string, now: number): number {
  return Date.parse(at) - now;
}

/** A count with thousands separated, alike in both languages. */
export function count(many: number): string {
  return many.toLocaleString("en-US");
}

/** Midnight at which a day (2026-12-31) begins where the operator is, as the API takes moments. */
export function midnight(day: string): string {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(new Date(`${day}T00:00:00Z`));
  const offset = parts.find((part) => part.type === "timeZoneName")?.value.replace("GMT", "") || "+00:00";
  return `${day}T00:00:00${offset}`;
}
