// The time of day, in steps of half a minute, for all clocks of the page together.

import { readonly, ref } from "vue";

const now = ref(Date.now());
setInterval(() => (now.value = Date.now()), 30_000);

export function useNow() {
  return readonly(now);
}
