// Keys of the page: one listener, silent while somebody types.

import { type MaybeRefOrGetter, onBeforeUnmount, onMounted, toValue } from "vue";

type Act = (event: KeyboardEvent) => void;

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
}

/**
 * Call what a key is for while this component is there; keys with Ctrl, Alt or Meta stay the browser's.
 * Give a getter where the acts change: they are looked up when a key is pressed.
 */
export function useKeys(acts: MaybeRefOrGetter<Readonly<Record<string, Act>>>): void {
  function pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    const act = toValue(acts)[event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  }
  onMounted(() => window.addEventListener("keydown", pressed));
  onBeforeUnmount(() => window.removeEventListener("keydown", pressed));
}
