// What was just done, said once: at the foot of the page and to a screen reader.

import { readonly, ref } from "vue";

const said = ref("");
let timer = 0;

export function say(words: string): void {
  said.value = words;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => (said.value = ""), 8_000);
}

export function useSaid() {
  return readonly(said);
}
