// The server says that something changed; a page then reads again what it shows, or offers to.

import { onBeforeUnmount, onMounted, readonly, ref } from "vue";

import { BASE } from "@/api/client";

const STALE_AFTER = 20_000; // milliseconds without the server, after which a view says that it is old

const latest = ref(0);
const stale = ref(false);
let listeners = 0;
let source: EventSource | null = null;
let timer = 0;

function listen(): void {
  source = new EventSource(`${BASE}/changes`);
  source.addEventListener("changed", (event) => (latest.value = Number((event as MessageEvent<string>).data)));
  source.addEventListener("open", () => {
    window.clearTimeout(timer);
    timer = 0;
    stale.value = false;
  });
  source.addEventListener("error", () => {
    // a stream ends now and then, and the browser comes again: only a long silence is worth a word
    timer ||= window.setTimeout(() => (stale.value = true), STALE_AFTER);
    if (source?.readyState === EventSource.CLOSED) window.setTimeout(again, 5_000);
  });
}

function again(): void {
  source?.close();
  if (listeners > 0) listen();
}

/** Numbers of changes as they happen, and whether the server has been silent for long. */
export function useChanges() {
  onMounted(() => {
    listeners += 1;
    if (listeners === 1) listen();
  });
  onBeforeUnmount(() => {
    listeners -= 1;
    if (listeners === 0) source?.close();
  });
  return { latest: readonly(latest), stale: readonly(stale) };
}
