// Light or dark: as the system has it, until somebody chooses; kept in this browser.

import { readonly, ref } from "vue";

type Theme = "light" | "dark";
const KEPT = "duanka.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

function chosen(): Theme {
  const kept = localStorage.getItem(KEPT);
  return kept === "dark" || kept === "light" ? kept : system.matches ? "dark" : "light";
}

const theme = ref<Theme>(chosen());

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.value;
}

export function useTheme() {
  function toggle(): void {
    theme.value = theme.value === "dark" ? "light" : "dark";
    localStorage.setItem(KEPT, theme.value);
    applyTheme();
  }
  return { theme: readonly(theme), toggle };
}
